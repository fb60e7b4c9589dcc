use std::convert::Infallible;
use std::fmt;
use std::iter::repeat_n;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;

use crate::links::{Links, put_varint, take_varint};
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

/// A block decoded, as the trie's walks need it. Cloning is cheap.
///
/// All but the seq lies in one piece of memory, the count of those who hold it included: many of these
/// are kept, and a walk that comes by one waits for memory once.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) seq: u64,
    /// The [`Outset`], the hashes of the key's components, the key, the pointers, the value.
    data: Arc<[u8]>,
}

/// What a node's memory begins with.
#[derive(Clone, Copy, Debug)]
struct Outset {
    flags: u64,
    hidden: bool,
    has_value: bool,
    /// Where the first three parts end.
    ends: [usize; 3],
}

impl Outset {
    fn put(self, data: &mut [u8]) {
        data[..8].copy_from_slice(&self.flags.to_le_bytes());
        for (place, end) in data[8..].as_chunks_mut::<4>().0.iter_mut().zip(self.ends) {
            // No block of a log is as large as that.
            *place = u32::try_from(end).unwrap_or(u32::MAX).to_le_bytes();
        }
        data[20] = u8::from(self.hidden) | u8::from(self.has_value) << 1;
    }
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
        let lengths = parts.map(<[u8]>::len);
        let fill = |data: &mut [u8], [hash, key, links]: [usize; 3]| {
            let places = [OUTSET_BYTES..hash, hash..key, key..links, links..data.len()];
            for (place, part) in places.into_iter().zip(parts) {
                data[place].copy_from_slice(part);
            }
            Ok(())
        };
        let outset = (flags, path.hidden(), value.is_some());
        Self::build(seq, outset, lengths, fill).unwrap_or_else(|never: Infallible| match never {})
    }

    /// A node whose parts have these lengths, filled in by whoever knows them.
    fn build<E>(
        seq: u64,
        (flags, hidden, has_value): (u64, bool, bool),
        lengths: [usize; 4],
        fill: impl FnOnce(&mut [u8], [usize; 3]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let [hash, key, links, value] = lengths;
        let ends = [hash, hash + key, hash + key + links].map(|end| OUTSET_BYTES + end);
        let mut data: Arc<[u8]> = repeat_n(0, ends[2] + value).collect();
        // Nobody else has it yet.
        if let Some(data) = Arc::get_mut(&mut data) {
            let outset = Outset {
                flags,
                hidden,
                has_value,
                ends,
            };
            outset.put(data);
            fill(data, ends)?;
        }
        Ok(Self { seq, data })
    }

    /// Decodes block `seq`.
    pub(crate) fn decode(seq: u64, block: &[u8], hash: ComponentHash) -> Result<Self, NodeError> {
        match Parts::usual(block) {
            Some(parts) => Self::of(seq, parts, hash),
            None => {
                let message = schema::Node::decode(block)
                    .map_err(|error| NodeError::Message(error.to_string()))?;
                Self::of(seq, Parts::of(&message), hash)
            }
        }
    }

    fn of(seq: u64, parts: Parts<'_>, hash: ComponentHash) -> Result<Self, NodeError> {
        let key = parts.key.ok_or(NodeError::NoKey)?;
        if key.len() > MAX_KEY_BYTES {
            return Err(NodeError::KeyTooLong { bytes: key.len() });
        }
        let hidden = parts.flags & HIDDEN != 0;
        let key = std::str::from_utf8(key)
            .map_err(|error| NodeError::Message(error.to_string()))
            .map(decoded)?;
        let links = parts.links.unwrap_or(NO_LINKS);
        let value = parts.value.unwrap_or(&[]);
        let lengths = [hash_bytes(key), key.len(), links.len(), value.len()];
        let flags = parts.flags >> USER_FLAGS_SHIFT;
        let outset = (flags, hidden, parts.value.is_some());
        let node = Self::build(
            seq,
            outset,
            lengths,
            |data, [hash_end, key_end, links_end]| {
                let digits = &mut data[OUTSET_BYTES..hash_end];
                put_hash(key, hash, digits);
                let path = Path::from_parts(key.as_bytes(), hidden, digits);
                Links::check(links, seq, path.len(), |index| match is_check(index) {
                    true => u32::MAX,
                    // Only where names are compared can a digit have several branches, its own included.
                    false => ((1 << DIGITS) - 1) & !(1 << path.digit(index)),
                })?;
                data[hash_end..key_end].copy_from_slice(key.as_bytes());
                data[key_end..links_end].copy_from_slice(links);
                data[links_end..].copy_from_slice(value);
                Ok(())
            },
        )?;
        // The one key whose second digit is the terminator is the empty one, which stands for an
        // empty trie. The reference writes such a pointer when a batch empties the trie and goes on,
        // and its iterator crashes on it.
        if node.links().bucket(1).get(TERMINATOR).is_none() {
            return Ok(node);
        }
        let links = node.links().without(1, TERMINATOR);
        Ok(Self::new(seq, node.path(), parts.value, flags, &links))
    }

    /// The block's bytes. The key is given apart, as it may have a slash that readers strip.
    pub(crate) fn encode(&self, key: &str) -> Encoded {
        let links = self.links_bytes();
        let fields = [
            (KEY, Some(key.as_bytes())),
            (VALUE, self.value_bytes()),
            (LINKS, Some(links)),
        ];
        let fields = fields.into_iter().filter_map(|(tag, it)| Some((tag, it?)));
        let bytes: usize = fields.clone().map(|(_, it)| it.len() + 6).sum();
        let mut block = Vec::with_capacity(bytes + 20);
        for (tag, field) in fields {
            block.push(tag);
            put_varint(field.len() as u64, &mut block);
            block.extend_from_slice(field);
        }
        block.push(SEQ);
        put_varint(self.seq, &mut block);
        block.push(FLAGS);
        let flags = self.flags() << USER_FLAGS_SHIFT | u64::from(self.hidden());
        put_varint(flags, &mut block);
        Encoded {
            block,
            links_bytes: links.len(),
        }
    }

    pub(crate) fn path(&self) -> Path<'_> {
        let [hash, key, _] = self.ends();
        let digits = &self.data[OUTSET_BYTES..hash];
        Path::from_parts(&self.data[hash..key], self.hidden(), digits)
    }

    pub(crate) fn links(&self) -> Links<'_> {
        Links::new(self.links_bytes())
    }

    fn links_bytes(&self) -> &[u8] {
        let [_, key, links] = self.ends();
        &self.data[key..links]
    }

    pub(crate) fn value_bytes(&self) -> Option<&[u8]> {
        let [.., links] = self.ends();
        (self.data[20] & 2 != 0).then(|| &self.data[links..])
    }

    /// The value; a long one shares the node's memory.
    pub(crate) fn value(&self) -> Option<Bytes> {
        let value = self.value_bytes()?;
        if value.len() <= COPIED_BYTES {
            return Some(Bytes::copy_from_slice(value));
        }
        let start = self.data.len() - value.len();
        Some(Bytes::from_owner(Memory(Arc::clone(&self.data))).slice(start..))
    }

    pub(crate) fn flags(&self) -> u64 {
        let (flags, _) = self.data.split_first_chunk().unwrap_or((&[0; 8], &[]));
        u64::from_le_bytes(*flags)
    }

    fn hidden(&self) -> bool {
        self.data[20] & 1 != 0
    }

    fn ends(&self) -> [usize; 3] {
        let end = |at: usize| {
            let end = self.data[at..].first_chunk().copied().unwrap_or_default();
            u32::from_le_bytes(end) as usize
        };
        [end(8), end(12), end(16)]
    }

    /// Whether the node stands for an empty trie.
    pub(crate) fn is_reset(&self) -> bool {
        let [hash, key, _] = self.ends();
        hash == key
    }

    /// What users see of the node.
    pub(crate) fn to_node(&self) -> Node {
        Node {
            seq: self.seq,
            key: self.path().key().to_owned(),
            value: self.value(),
            flags: self.flags(),
            hidden: self.hidden(),
        }
    }

    /// Approximate size in memory, in bytes, with what the allocator adds.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + self.data.len() + 32
    }
}

/// The fields of a block that matter.
#[derive(Debug, Default)]
struct Parts<'a> {
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    links: Option<&'a [u8]>,
    flags: u64,
}

impl<'a> Parts<'a> {
    /// Those of a block as writers write it: nothing but these fields. `None` for others, which may
    /// be good all the same.
    fn usual(mut block: &'a [u8]) -> Option<Self> {
        let mut parts = Self::default();
        while let [tag, rest @ ..] = block {
            block = rest;
            let number = take_varint(&mut block).ok()?;
            let place = match *tag {
                KEY => &mut parts.key,
                VALUE => &mut parts.value,
                LINKS => &mut parts.links,
                SEQ => continue,
                FLAGS => {
                    parts.flags = number;
                    continue;
                }
                _ => return None,
            };
            let (field, rest) = block.split_at_checked(usize::try_from(number).ok()?)?;
            *place = Some(field);
            block = rest;
        }
        Some(parts)
    }

    fn of(message: &'a schema::Node) -> Self {
        Self {
            key: message.key.as_deref(),
            value: message.value.as_deref(),
            links: message.links.as_deref(),
            flags: message.flags.unwrap_or(0),
        }
    }
}

/// A node's memory, which a value keeps.
struct Memory(Arc<[u8]>);

impl AsRef<[u8]> for Memory {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// A node's block, and how much of it the pointers take.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) block: Vec<u8>,
    pub(crate) links_bytes: usize,
}

/// Decodes a block as a node, wherever in a log it may stand; for fuzzing.
#[doc(hidden)]
pub fn decode_node(block: &[u8]) -> Result<Node, NodeError> {
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

/// The longest value that is copied out of a node; to share a longer one takes no longer.
const COPIED_BYTES: usize = 512;

/// How much an [`Outset`] takes.
const OUTSET_BYTES: usize = 24;

/// The fields of a block, each with its kind, as they stand before it.
const KEY: u8 = 0x0a;
const VALUE: u8 = 0x12;
const LINKS: u8 = 0x1a;
const SEQ: u8 = 0x20;
const FLAGS: u8 = 0x28;

const USER_FLAGS_SHIFT: u32 = 8;
const HIDDEN: u64 = 1;
