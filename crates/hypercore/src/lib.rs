//! Signed, append-only logs that can be verified block by block (hypercore 9 format).

mod error;
mod feed;

pub use error::{AppendError, ReadError};
pub use feed::{Download, Feed};
