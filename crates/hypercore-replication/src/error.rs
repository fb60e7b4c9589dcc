use std::io;

use hypercore_protocol::ConnectionError;

/// Why a replication ended before both sides were done. What was verified until then is stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplicationError {
    /// The remote broke the protocol, or the bytes were altered on the way.
    #[error("the connection failed")]
    Connection(#[from] ConnectionError),
    /// The remote sent data that does not verify, or left requests unanswered, too often.
    #[error("the peer was at fault {faults} times")]
    Faults {
        /// How many times.
        faults: u32,
    },
    /// [`FeedSource::authenticate`](crate::FeedSource::authenticate) turned the remote away.
    #[error("the peer was refused")]
    Refused,
    /// The stream failed.
    #[error("the stream failed")]
    Io(#[from] io::Error),
    /// The operating system gave no randomness for the handshake.
    #[error("no randomness for the handshake")]
    Randomness,
}
