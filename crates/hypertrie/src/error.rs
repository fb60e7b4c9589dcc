use hypercore::{AppendError, MailboxError, ReadError};

use crate::{CodecError, MountError, OpenFeedError};

/// Why an operation on a trie failed. A write that fails has appended nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrieError {
    /// The log could not be read.
    #[error("block {seq} could not be read")]
    Read {
        /// The block's index.
        seq: u64,
        /// What the log said.
        source: ReadError,
    },
    /// The log could not be written.
    #[error("the log refused the write")]
    Append(#[from] AppendError),
    /// A block is no valid node, or stands where it cannot belong. The author's fault: the log
    /// vouches for the bytes, so fetching them again does not help.
    #[error("block {seq} is not a valid node of this trie")]
    Corrupt {
        /// The block's index.
        seq: u64,
        /// What is wrong with it.
        source: NodeError,
    },
    /// A node marked as the record of a mount is none.
    #[error("block {seq} is not the record of a mount")]
    Mount {
        /// The block's index.
        seq: u64,
        /// What is wrong with it.
        source: MountError,
    },
    /// There are keys under the path where something was to be mounted.
    #[error("there are keys under the path")]
    NotEmpty,
    /// A prefix was to be moved to below itself.
    #[error("a prefix cannot be moved to below itself")]
    IntoItself,
    /// A key was to be moved from one trie into another, across the border of a mount.
    #[error("keys cannot be moved into or out of a mount")]
    AcrossMounts,
    /// The log of a mounted trie could not be opened.
    #[error("the log that is mounted could not be opened")]
    OpenMount {
        /// What whoever opens logs said.
        source: OpenFeedError,
    },
    /// A value cannot be stored by the codec in use.
    #[error("the value cannot be encoded")]
    Encode {
        /// What the codec said.
        source: CodecError,
    },
    /// What is stored is no value of the codec in use.
    #[error("block {seq} has another kind of value")]
    Decode {
        /// The block's index.
        seq: u64,
        /// What the codec said.
        source: CodecError,
    },
    /// Lookups cannot be exchanged with peers.
    #[error("lookups cannot be exchanged with peers")]
    Mailbox(#[from] MailboxError),
    /// More mounts within each other, in one listing, or to be watched at once, than is allowed.
    #[error("there are more than {limit} mounts")]
    TooManyMounts {
        /// How many are allowed.
        limit: usize,
    },
    /// Block 0 is not a trie's header.
    #[error("block 0 is not the header of a trie")]
    Header,
    /// A lookup had to read more blocks than an honest trie would ever need.
    #[error("a lookup read more than {limit} blocks")]
    TooManyReads {
        /// The most blocks that one lookup may read.
        limit: u32,
    },
    /// The key cannot be stored.
    #[error("the key cannot be stored")]
    Key(#[from] KeyError),
    /// More keys with equal hashes than a node can tell apart.
    #[error("too many components share the hash of one in this key")]
    TooManyCollisions,
    /// The node would have more pointers than the reference can store.
    #[error("the node's pointers would take {bytes} bytes, more than {limit}")]
    TooManyLinks {
        /// Size of the pointers, in bytes.
        bytes: usize,
        /// The largest size, in bytes.
        limit: usize,
    },
    /// User flags have 23 bits.
    #[error("flags {flags:#x} do not fit in 23 bits")]
    Flags {
        /// The flags given.
        flags: u64,
    },
    /// Checkouts are read-only: a write would silently drop everything after their version.
    #[error("the trie is checked out at version {version} and cannot be written")]
    Checkout {
        /// The version of the checkout.
        version: u64,
    },
    /// The bytes are no checkpoint of this trie, prefix and version.
    #[error("the checkpoint does not belong to this trie, prefix and version")]
    Checkpoint,
    /// Something else appended to the log while a batch was being built on its head.
    #[error("the log grew to {length} blocks under a batch that starts at {base}")]
    Conflict {
        /// Where the batch would have begun.
        base: u64,
        /// The log's length now, in blocks.
        length: u64,
    },
}

/// Why a key cannot be stored.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The key has no component. The reference writes such a node, and it empties the database.
    #[error("the key is empty")]
    Empty,
    /// Once normalized, the key still begins with two slashes. Every reader strips one more and
    /// then looks for the key in another place.
    #[error("the key begins with too many slashes")]
    LeadingSlashes,
    /// The key is too long.
    #[error("the key has {bytes} bytes, more than {limit}")]
    TooLong {
        /// Size of the key, in bytes.
        bytes: usize,
        /// The largest size, in bytes.
        limit: usize,
    },
}

/// What is wrong with a node. Always the fault of who wrote the log.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// Not a node message.
    #[error("it is not a node message: {0}")]
    Message(String),
    /// The key is missing.
    #[error("it has no key")]
    NoKey,
    /// The key is longer than any that we write.
    #[error("its key has {bytes} bytes")]
    KeyTooLong {
        /// Size of the key, in bytes.
        bytes: usize,
    },
    /// The pointers end in the middle of a number.
    #[error("its pointers are cut off")]
    Truncated,
    /// A pointer for a digit that the node's path does not have.
    #[error("it has pointers for digit {index}, beyond its path")]
    Bucket {
        /// The digit's index.
        index: u64,
    },
    /// The buckets are not in ascending order.
    #[error("its pointers for digit {index} are out of order")]
    Order {
        /// The digit's index.
        index: u64,
    },
    /// Slots beyond 31, or slots that have no meaning at their digit.
    #[error("its pointers for digit {index} occupy slots that they cannot")]
    Slots {
        /// The digit's index.
        index: u64,
    },
    /// A pointer to a block that is not older than the node.
    #[error("its pointer for digit {index} leads to block {target}, which is not older")]
    Target {
        /// The digit's index.
        index: u64,
        /// Where it points.
        target: u64,
    },
    /// The pointer that led to the node promised another key.
    #[error("its key does not belong where a pointer led to it")]
    Misplaced,
}
