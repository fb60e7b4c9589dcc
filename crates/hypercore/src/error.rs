use std::io;

use crate::NodeIndex;

/// Why a log could not be opened. Nothing was changed, except that missing headers may have been
/// written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Nobody said which log this is: the file `key` is missing and no key was given.
    #[error("the log's public key is unknown: its key file is missing and none was given")]
    MissingKey,
    /// There is no log here and none was to be created.
    #[error("there is no log here")]
    NotFound,
    /// The directory holds another log than the one asked for.
    #[error("the directory holds the log {stored:?}, not {asked:?}")]
    OtherLog {
        /// The key found.
        stored: hypercore_crypto::PublicKey,
        /// The key given.
        asked: hypercore_crypto::PublicKey,
    },
    /// The secret key does not belong to the public key, so nobody would believe its signatures.
    #[error("the secret key does not belong to the log's public key")]
    SecretMismatch,
    /// Somebody else has the log open.
    #[error("the log is open elsewhere")]
    Locked,
    /// A file is not what its name says, or of a version that is not supported.
    #[error("the file `{file}` has an unknown {what}")]
    Format {
        /// The file's name.
        file: &'static str,
        /// The part that was not understood.
        what: &'static str,
    },
    /// The signatures on disk do not belong to the tree on disk, in too many places to go on.
    #[error("the stored signatures do not match the stored tree or the key")]
    Damaged,
    /// The storage failed.
    #[error("storage failed")]
    Storage(#[from] io::Error),
}

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
    /// The log would grow beyond its greatest length.
    #[error("the log would exceed {limit} blocks")]
    TooLong {
        /// The greatest length, in blocks.
        limit: u64,
    },
    /// This author has signed greater lengths, by what is on disk or was met at a peer, and the blocks
    /// that they cover are not here. Appending could sign other blocks in their place, and split the
    /// log in two. Blocks that peers have can be fetched; then it goes on.
    #[error("the log was signed up to {signed} blocks, of which only {length} are here")]
    Fork {
        /// The length on disk that can be verified.
        length: u64,
        /// The greatest length that was signed.
        signed: u64,
    },
    /// It was asked for that somebody confirms the length first.
    #[error("nobody has confirmed yet that the log is {length} blocks long and no longer")]
    Unconfirmed {
        /// The length here, in blocks.
        length: u64,
    },
    /// Another log, signed with the same key, was met; this one takes no more changes.
    #[error("two different logs were signed with this key; this one takes no more changes")]
    Frozen,
    /// An earlier write or sync failed in a way that leaves open what is on disk. Open the log
    /// again.
    #[error("an earlier write failed; open the log again")]
    Poisoned,
    /// The [`Signer`](crate::Signer) failed, or its signature is not valid.
    #[error("the log could not be signed")]
    Signer(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
    /// The storage failed.
    #[error("storage failed")]
    Storage(#[from] io::Error),
}

/// Why a block, or its proof, could not be read.
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
    /// A tree node that should be stored is not, or cannot be right.
    #[error("the stored tree is damaged at node {node}")]
    MissingNode {
        /// The node's place.
        node: NodeIndex,
    },
    /// The signature that belongs to a proof is not stored.
    #[error("no signature is stored for the length of {length} blocks")]
    MissingSignature {
        /// The length, in blocks.
        length: u64,
    },
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
}
