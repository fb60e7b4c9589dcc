use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use hypercore_crypto::{Hash, Signature};

/// A message about one core, on the channel that both sides opened for it.
///
/// Numbers are below 2^53, the reference's limit: sending a larger one is an error, receiving one
/// fails the channel. The meaning of each message is in `docs/formats/wire.md`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Message {
    /// Extension names and whether the sender wants acknowledgements.
    Options(Options),
    /// Whether the sender serves and asks for blocks.
    Status(Status),
    /// Blocks that the sender holds.
    Have(Have),
    /// Blocks that the sender no longer holds, or will not take.
    Unhave(Unhave),
    /// Ask for `Have` messages about a region.
    Want(Want),
    /// Withdraws a `Want`.
    Unwant(Unwant),
    /// Ask for a block, a leaf hash, or the block at a byte offset.
    Request(Request),
    /// Withdraws a `Request`.
    Cancel(Cancel),
    /// A block, its proof, or both.
    Data(Data),
    /// A message of an extension that both sides named in their `Options`.
    Extension(Extension),
}

/// Options of a channel. Both fields replace what was announced before.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Options {
    /// Names of the extensions that the sender understands on this channel. The connection sorts
    /// and numbers them.
    pub extensions: Vec<String>,
    /// Whether the sender wants a [`Have`] with `ack` for every block that the receiver stores.
    pub ack: bool,
}

/// What the sender does on this channel. Until the first one arrives, both are true.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Status {
    /// The sender answers requests.
    pub uploading: bool,
    /// The sender makes requests.
    pub downloading: bool,
}

/// Blocks that the sender holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Have {
    /// First block of the range.
    pub start: u64,
    /// Number of blocks in the range.
    pub length: u64,
    /// In replies to a [`Want`]: which blocks of the range are held, as a run-length encoded
    /// bitfield that begins at `start`; empty when none is. `None` means all of them.
    pub bitfield: Option<Bytes>,
    /// Says that the block has been stored, and nothing else.
    pub ack: bool,
}

impl Have {
    /// All blocks of a range.
    pub const fn range(start: u64, length: u64) -> Self {
        Self {
            start,
            length,
            bitfield: None,
            ack: false,
        }
    }
}

/// Blocks that the sender does not hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unhave {
    /// First block of the range.
    pub start: u64,
    /// Number of blocks in the range.
    pub length: u64,
}

/// Subscribes to news about a region.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Want {
    /// First block of the region, a multiple of 8192.
    pub start: u64,
    /// Number of blocks, a multiple of 8192; 0 means everything from `start`.
    pub length: u64,
}

/// Ends a subscription. Deployed peers neither send nor heed it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unwant {
    /// First block of the region.
    pub start: u64,
    /// Number of blocks; 0 means everything from `start`.
    pub length: u64,
}

/// Asks for a block, a leaf hash, or the block at a byte offset.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Request {
    /// The block; with `bytes`, only what to fall back to.
    pub index: u64,
    /// When above 0: the byte offset to seek to.
    pub bytes: u64,
    /// Ask for the proof with the leaf's hash, without the block.
    pub hash: bool,
    /// Digest of the tree nodes that the sender holds already.
    pub nodes: u64,
}

/// Withdraws a request. Deployed peers neither send nor heed it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cancel {
    /// As in the request.
    pub index: u64,
    /// As in the request.
    pub bytes: u64,
    /// As in the request.
    pub hash: bool,
}

/// A block, its proof, or both. `Debug` leaves the block's bytes out.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Data {
    /// The block's index.
    pub index: u64,
    /// The block; `None` in a reply to a request for the hash alone. A received value of more than
    /// a few kilobytes shares the memory of the buffer it arrived in.
    pub value: Option<Bytes>,
    /// Tree nodes that the receiver lacks, in the order in which a proof uses them.
    pub nodes: Vec<Node>,
    /// The signature, if the proof ends at the roots.
    pub signature: Option<Signature>,
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Data")
            .field("index", &self.index)
            .field("value_bytes", &self.value.as_ref().map(Bytes::len))
            .field("nodes", &self.nodes)
            .field("signature", &self.signature)
            .finish()
    }
}

/// A node of the log's tree, in flat in-order numbering: the leaf of block *n* is 2*n*.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Node {
    /// Node index.
    pub index: u64,
    /// Hash of the subtree.
    pub hash: Hash,
    /// Bytes in the blocks below.
    pub size: u64,
}

/// A message of an extension, named instead of numbered: the connection translates. `Debug` leaves
/// the payload's bytes out.
#[derive(Clone, Eq, PartialEq)]
pub struct Extension {
    /// The extension's name. To send, it must be among the names announced with [`Options`].
    pub name: Arc<str>,
    /// The payload, whose encoding is a matter of the extension.
    pub payload: Bytes,
}

impl fmt::Debug for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extension")
            .field("name", &self.name)
            .field("payload_bytes", &self.payload.len())
            .finish()
    }
}
