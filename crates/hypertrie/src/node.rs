use std::fmt;

use bytes::Bytes;
use prost::Message;

use crate::links::Links;
use crate::path::{
    ComponentHash, DIGITS, Path, TERMINATOR, decoded, hash_bytes, is_check, put_hash, siphash,
};
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
///
/// Its parts lie in one piece of memory: many of these are kept.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) seq: u64,
    pub(crate) flags: u64,
    hidden: bool,
    has_value: bool,
    /// The hashes of the key's components, the key, the pointers, the value.
    data: Bytes,
    hash_end: usize,
    key_end: usize,
    links_end: usize,
}

impl Stored {
    /// A node of these parts. `links` are encoded.
    pub(crate) fn new(
        seq: u64,
        path: Path<'_>,
        value: Option<&[u8]>,
        flags: u64,
        links: &[u8],
    ) -> Self {
        let parts = [path.hash(), path.key_bytes(), links, value.unwrap_or(&[])];
        Self {
            seq,
            flags,
            hidden: path.hidden(),
            has_value: value.is_some(),
            hash_end: parts[0].len(),
            key_end: parts[0].len() + parts[1].len(),
            links_end: parts[..3].iter().map(|part| part.len()).sum(),
            data: parts.concat().into(),
        }
    }

    /// Decodes block `seq`.
    pub(crate) fn decode(seq: u64, block: Bytes, hash: ComponentHash) -> Result<Self, NodeError> {
        let message =
            schema::Node::decode(block).map_err(|error| NodeError::Message(error.to_string()))?;
        let key = message.key.ok_or(NodeError::NoKey)?;
        if key.len() > MAX_KEY_BYTES {
            return Err(NodeError::KeyTooLong { bytes: key.len() });
        }
        let raw_flags = message.flags.unwrap_or(0);
        let hidden = raw_flags & HIDDEN != 0;
        let key = std::str::from_utf8(&key)
            .map_err(|error| NodeError::Message(error.to_string()))
            .map(decoded)?;
        let links = message.links.as_deref().unwrap_or(NO_LINKS);
        let value = message.value.as_deref();
        let bytes = hash_bytes(key) + key.len() + links.len() + value.map_or(0, <[u8]>::len);
        let mut data = Vec::with_capacity(bytes);
        put_hash(key, hash, &mut data);
        let hash_end = data.len();
        let path = Path::from_parts(key.as_bytes(), hidden, &data);
        Links::check(links, seq, path.len(), |index| match is_check(index) {
            true => u32::MAX,
            // Only where names are compared can a digit have several branches, its own included.
            false => ((1 << DIGITS) - 1) & !(1 << path.digit(index)),
        })?;
        data.extend_from_slice(key.as_bytes());
        let key_end = data.len();
        // The one key whose second digit is the terminator is the empty one, which stands for an
        // empty trie. The reference writes such a pointer when a batch empties the trie and goes on,
        // and its iterator crashes on it.
        let decoded = Links::new(links);
        match decoded.bucket(1).get(TERMINATOR) {
            None => data.extend_from_slice(links),
            Some(_) => data.extend_from_slice(&decoded.without(1, TERMINATOR)),
        }
        let links_end = data.len();
        data.extend_from_slice(value.unwrap_or(&[]));
        Ok(Self {
            seq,
            flags: raw_flags >> USER_FLAGS_SHIFT,
            hidden,
            has_value: value.is_some(),
            data: data.into(),
            hash_end,
            key_end,
            links_end,
        })
    }

    /// The block's bytes. The key is given apart, as it may have a slash that readers strip.
    pub(crate) fn encode(&self, key: &str) -> Encoded {
        let links = &self.data[self.key_end..self.links_end];
        let message = schema::Node {
            key: Some(Bytes::copy_from_slice(key.as_bytes())),
            value: self.value(),
            links: Some(Bytes::copy_from_slice(links)),
            seq: Some(self.seq),
            flags: Some(self.flags << USER_FLAGS_SHIFT | u64::from(self.hidden)),
        };
        Encoded {
            block: message.encode_to_vec().into(),
            links_bytes: links.len(),
        }
    }

    pub(crate) fn path(&self) -> Path<'_> {
        let (hash, rest) = self.data.split_at(self.hash_end);
        Path::from_parts(&rest[..self.key_end - self.hash_end], self.hidden, hash)
    }

    pub(crate) fn links(&self) -> Links<'_> {
        Links::new(&self.data[self.key_end..self.links_end])
    }

    pub(crate) fn value(&self) -> Option<Bytes> {
        self.has_value.then(|| self.data.slice(self.links_end..))
    }

    /// Whether the node stands for an empty trie.
    pub(crate) fn is_reset(&self) -> bool {
        self.key_end == self.hash_end
    }

    /// What users see of the node.
    pub(crate) fn to_node(&self) -> Node {
        Node {
            seq: self.seq,
            key: self.path().key().to_owned(),
            value: self.value(),
            flags: self.flags,
            hidden: self.hidden,
        }
    }

    /// Approximate size in memory, in bytes, with what the allocator adds.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + self.data.len() + 48
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

/// Pointers that lead nowhere.
pub(crate) const NO_LINKS: &[u8] = &[0];

const USER_FLAGS_SHIFT: u32 = 8;
const HIDDEN: u64 = 1;
