//! The Hyperdrive node: a store, its drives and its connections, as a library
