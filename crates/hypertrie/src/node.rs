use std::fmt;

use bytes::Bytes;
use prost::Message;

use crate::links::Links;
use crate::path::{ComponentHash, DIGITS, Path, TERMINATOR, is_check, siphash};
use crate::{NodeError, schema};

/// One entry of a trie: a key and what was stored under it.
#[derive(Clone, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Node {
    /// The block that holds the entry.
    pub seq: u64,
    /// The key, without a leading slash.
    pub key: String,
    /// The value. `None` if the entry was stored without one, which is not the same as an empty one.
    pub value: Option<Bytes>,
    /// The flags its writer gave. Mounts have flag 1 and no other.
    pub flags: u64,
    /// Whether the key is in the hidden half of the trie.
    pub hidden: bool,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("seq", &self.seq)
            .field("key", &self.key)
            .field("value", &Outline(self.value.as_ref()))
            .field("flags", &self.flags)
            .field("hidden", &self.hidden)
            .finish()
    }
}

/// A value as far as it should show in logs: its first bytes, and how many there are.
pub(crate) struct Outline<'a>(pub(crate) Option<&'a Bytes>);

impl fmt::Debug for Outline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) if value.len() > SHOWN_BYTES => {
                let shown = value.slice(..SHOWN_BYTES);
                write!(f, "Some({shown:?}… of {} bytes)", value.len())
            }
            value => value.fmt(f),
        }
    }
}

/// A block decoded, as the trie's walks need it.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Stored {
    pub(crate) seq: u64,
    pub(crate) path: Path,
    pub(crate) value: Option<Bytes>,
    pub(crate) flags: u64,
    pub(crate) links: Links,
}

impl Stored {
    /// Decodes block `seq`.
    pub(crate) fn decode(seq: u64, block: Bytes, hash: ComponentHash) -> Result<Self, NodeError> {
        let message =
            schema::Node::decode(block).map_err(|error| NodeError::Message(error.to_string()))?;
        let key = message.key.ok_or(NodeError::NoKey)?;
        if key.len() > MAX_KEY_BYTES {
            return Err(NodeError::KeyTooLong { bytes: key.len() });
        }
        let raw_flags = message.flags.unwrap_or(0);
        let key =
            std::str::from_utf8(&key).map_err(|error| NodeError::Message(error.to_string()))?;
        let path = Path::new(key, raw_flags & HIDDEN != 0, hash);
        let mut links = match message.links {
            Some(links) => Links::decode(&links, seq, path.len())?,
            None => Links::default(),
        };
        for (index, bucket) in links.from(0) {
            // Only where names are compared can a digit have several branches, its own included.
            let slots = ((1 << DIGITS) - 1) & !(1 << path.digit(index));
            if !is_check(index) && !bucket.within(slots) {
                return Err(NodeError::Slots {
                    index: index as u64,
                });
            }
        }
        // The one key whose second digit is the terminator is the empty one, which stands for an
        // empty trie. The reference writes such a pointer when a batch empties the trie and goes on,
        // and its iterator crashes on it.
        links.remove(1, TERMINATOR);
        Ok(Self {
            seq,
            path,
            value: message.value,
            flags: raw_flags >> USER_FLAGS_SHIFT,
            links,
        })
    }

    /// The block's bytes. The key is given apart, as it may have a slash that readers strip.
    pub(crate) fn encode(&self, key: &str) -> Encoded {
        let mut links = Vec::with_capacity(64);
        self.links.encode(&mut links);
        let links_bytes = links.len();
        let message = schema::Node {
            key: Some(Bytes::copy_from_slice(key.as_bytes())),
            value: self.value.clone(),
            links: Some(links.into()),
            seq: Some(self.seq),
            flags: Some(self.flags << USER_FLAGS_SHIFT | u64::from(self.path.hidden())),
        };
        Encoded {
            block: message.encode_to_vec().into(),
            links_bytes,
        }
    }

    /// Whether the node stands for an empty trie.
    pub(crate) fn is_reset(&self) -> bool {
        self.path.key().is_empty()
    }

    /// What users see of the node.
    pub(crate) fn to_node(&self) -> Node {
        Node {
            seq: self.seq,
            key: self.path.key().to_owned(),
            value: self.value.clone(),
            flags: self.flags,
            hidden: self.path.hidden(),
        }
    }

    /// Approximate size in memory, in bytes.
    pub(crate) fn size(&self) -> usize {
        let value = self.value.as_ref().map_or(0, Bytes::len);
        size_of::<Self>() + self.path.size() + self.links.size() + value
    }
}

/// A node's block, and how much of it the pointers take.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) block: Bytes,
    pub(crate) links_bytes: usize,
}

/// Decodes a block as a node, wherever in a log it may stand; for fuzzing.
#[doc(hidden)]
pub fn decode_node(block: &[u8]) -> Result<Node, NodeError> {
    let block = Bytes::copy_from_slice(block);
    Stored::decode(u64::MAX, block, siphash).map(|stored| stored.to_node())
}

/// The flag that a mount has and no other: see `docs/formats/trie.md`, "Mounts".
pub(crate) const MOUNT_FLAG: u64 = 1;

/// The longest key, in bytes, that is written or read.
pub(crate) const MAX_KEY_BYTES: usize = 65_536;

/// The most bytes that a node's pointers may take: what the reference can encode.
pub(crate) const MAX_LINKS_BYTES: usize = 65_536;

/// User flags are computed with 32-bit signed integers in the reference, shifted by eight.
pub(crate) const MAX_FLAGS: u64 = (1 << 23) - 1;

/// How many bytes of a value `Debug` shows.
const SHOWN_BYTES: usize = 16;

const USER_FLAGS_SHIFT: u32 = 8;
const HIDDEN: u64 = 1;
