use std::io;

/// Why an append was refused. The log is as it was before the call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The log's secret key is not here.
    #[error("the log is not writable: its secret key is not here")]
    NotWritable,
    /// A block is larger than a peer could ever fetch.
    #[error("a block of {size} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// The block's size in bytes.
        size: usize,
        /// The largest size allowed, in bytes.
        limit: usize,
    },
    /// The storage failed.
    #[error("storage failed")]
    Storage(#[from] io::Error),
}

/// Why a block could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The storage failed.
    #[error("storage failed")]
    Storage(#[from] io::Error),
    /// The stored block does not match the hash that commits to it.
    #[error("block {index} is damaged on disk")]
    Corrupt {
        /// The block's index.
        index: u64,
    },
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
}
