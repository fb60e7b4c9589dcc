//! Replication of Hypercore logs over any byte stream
