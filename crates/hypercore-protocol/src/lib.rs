//! The Hypercore wire protocol (version 8) as a state machine without I/O
