//! Tests with a real Node peer on the other side, one behaviour a file.
//!
//! They are one program, because linking is what takes the time.

mod log_storage;
mod store_storage;
mod trie_storage;
mod vectors;
