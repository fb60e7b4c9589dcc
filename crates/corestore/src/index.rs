//! What a walk over a store's folders found, kept so that the next one need not read every core again.
//!
//! A file of our own, described in `docs/formats/store.md`. It is believed as far as the stamps of
//! folders in it are those that the folders have, so whatever came or went meanwhile is seen,
//! whoever did it. Without the file, or with a damaged one, a walk reads everything.

use std::io;

use hypercore_crypto::{PublicKey, leaf_hash};
use hypercore_storage::{OpenMode, Stamp, StorageDir};

use crate::layout::INDEX;

/// The folders of a store down to those of cores, in the order of their names.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) first: Vec<Shard<Shard<CoreFolder>>>,
}

/// A folder named by a byte.
#[derive(Debug)]
pub(crate) struct Shard<T> {
    pub(crate) name: u8,
    /// What its entries are known by; `None` if they have to be listed.
    pub(crate) stamp: Option<Stamp>,
    pub(crate) below: Vec<T>,
}

/// A folder named by a discovery key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CoreFolder {
    pub(crate) name: [u8; 32],
    /// What the rest is known by; `None` if the folder has to be looked into.
    pub(crate) stamp: Option<Stamp>,
    pub(crate) core: Option<CoreFiles>,
}

/// What was found in a core's folder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct CoreFiles {
    pub(crate) key: PublicKey,
    pub(crate) named: bool,
    pub(crate) secret: bool,
}

impl Index {
    /// What was kept; nothing if that is not to be had.
    pub(crate) fn load(dir: &dyn StorageDir) -> Self {
        let stored = crate::identity::read(dir, INDEX, MAX_BYTES + 1);
        let stored = stored.ok().flatten();
        stored
            .and_then(|bytes| Self::decode(&bytes))
            .unwrap_or_default()
    }

    /// Keeps what was found. Not made durable: a file that a power cut leaves half-written is
    /// passed over.
    pub(crate) fn keep(&self, dir: &dyn StorageDir) -> io::Result<()> {
        let bytes = self.encode();
        if bytes.len() > MAX_BYTES {
            return Ok(());
        }
        let file = dir.open(INDEX, OpenMode::Create)?;
        file.write(0, &bytes)?;
        file.truncate(bytes.len() as u64)
    }

    pub(crate) fn first(&self, name: u8) -> Option<&Shard<Shard<CoreFolder>>> {
        find(&self.first, |shard| shard.name.cmp(&name))
    }

    pub(crate) fn second(&self, [first, second]: [u8; 2]) -> Option<&Shard<CoreFolder>> {
        find(&self.first(first)?.below, |shard| shard.name.cmp(&second))
    }

    pub(crate) fn core(&self, name: &[u8; 32]) -> Option<&CoreFolder> {
        find(&self.second([name[0], name[1]])?.below, |core| {
            core.name.cmp(name)
        })
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        for first in &self.first {
            put_shard(first, &mut out);
            for second in &first.below {
                put_shard(second, &mut out);
                for core in &second.below {
                    out.extend_from_slice(&core.name);
                    put_stamp(core.stamp, &mut out);
                    match core.core {
                        Some(CoreFiles { key, named, secret }) => {
                            out.push(1 | u8::from(named) << 1 | u8::from(secret) << 2);
                            out.extend_from_slice(key.as_bytes());
                        }
                        None => out.push(0),
                    }
                }
            }
        }
        let sum = leaf_hash(&out);
        out.extend_from_slice(sum.as_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, sum) = bytes.split_last_chunk::<32>()?;
        if bytes.len() > MAX_BYTES || leaf_hash(body).as_bytes() != sum {
            return None;
        }
        let mut rest = body.strip_prefix(MAGIC)?;
        let mut index = Self::default();
        while !rest.is_empty() {
            let first = take_shard(&mut rest, |rest| take_shard(rest, take_core))?;
            index.first.push(first);
        }
        Some(index)
    }
}

fn find<T>(sorted: &[T], order: impl Fn(&T) -> std::cmp::Ordering) -> Option<&T> {
    let at = sorted.binary_search_by(order).ok()?;
    sorted.get(at)
}

fn put_shard<T>(shard: &Shard<T>, out: &mut Vec<u8>) {
    out.push(shard.name);
    put_stamp(shard.stamp, out);
    let below = u32::try_from(shard.below.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&below.to_le_bytes());
}

fn put_stamp(stamp: Option<Stamp>, out: &mut Vec<u8>) {
    // No file has the number 0.
    let bytes = stamp.map_or([0; 16], Stamp::to_bytes);
    out.extend_from_slice(&bytes);
}

fn take_shard<T>(rest: &mut &[u8], below: impl Fn(&mut &[u8]) -> Option<T>) -> Option<Shard<T>> {
    let [name] = take(rest)?;
    let stamp = take_stamp(rest)?;
    let count = u32::from_le_bytes(take(rest)?);
    Some(Shard {
        name,
        stamp,
        below: (0..count).map(|_| below(rest)).collect::<Option<_>>()?,
    })
}

fn take_core(rest: &mut &[u8]) -> Option<CoreFolder> {
    let (name, stamp) = (take(rest)?, take_stamp(rest)?);
    let [kind] = take(rest)?;
    let core = match kind & 1 {
        0 => None,
        _ => Some(CoreFiles {
            key: PublicKey::from_bytes(take(rest)?),
            named: kind & 2 != 0,
            secret: kind & 4 != 0,
        }),
    };
    Some(CoreFolder { name, stamp, core })
}

fn take_stamp(rest: &mut &[u8]) -> Option<Option<Stamp>> {
    let bytes: [u8; 16] = take(rest)?;
    Some((bytes != [0; 16]).then(|| Stamp::from_bytes(bytes)))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}

const MAGIC: &[u8] = b"corestore index 1\n";

/// The largest index that is kept and read, in bytes: half a million cores. A larger store is walked.
const MAX_BYTES: usize = 64 << 20;
