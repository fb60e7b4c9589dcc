use std::fmt;

use futures_core::stream::BoxStream;

use super::place::Place;
use super::{MAX_MOUNT_DEPTH, MountableTrie, one_more, trimmed};
use crate::links::{put_varint, take_varint};
use crate::{Iter, IterOptions, Mount, Node, TrieError};

/// The nodes at and under a prefix, those of mounted tries included; made by
/// [`MountableTrie::iter`](super::MountableTrie::iter).
///
/// Keys are as seen from the outer trie. Cancel-safe. An error ends the iteration; it can be resumed
/// from its checkpoint.
pub struct MountedIter {
    view: MountableTrie,
    prefix: String,
    options: IterOptions,
    opened: bool,
    failed: bool,
    levels: Vec<Level>,
    /// The key of a mount that was come upon last, in the innermost level.
    entering: Option<String>,
    /// How many mounts were gone into.
    entered: usize,
}

struct Level {
    place: Place,
    iter: Iter,
    /// The key of what was gone into, in the trie that has the mount, and its record; `None` where
    /// the iteration began.
    entered: Option<(String, Mount)>,
}

impl MountedIter {
    pub(super) fn new(view: MountableTrie, prefix: &str, options: IterOptions) -> Self {
        Self {
            view,
            prefix: trimmed(prefix).to_owned(),
            options,
            opened: false,
            failed: false,
            levels: Vec::new(),
            entering: None,
            entered: 0,
        }
    }

    /// The next node; `None` at the end and after an error.
    pub async fn next(&mut self) -> Result<Option<Node>, TrieError> {
        if self.failed {
            return Ok(None);
        }
        let next = self.advance().await;
        self.failed = next.is_err();
        next
    }

    /// Where the iterator stands, for [`MountableTrie::resume_iter`](super::MountableTrie::resume_iter).
    /// `None` before the first node.
    ///
    /// As [`Iter::checkpoint`] it names blocks, those of mounted tries as well, and the mounts on the
    /// way to where it stands.
    pub fn checkpoint(&self) -> Option<Vec<u8>> {
        let mut entering = self.entering.as_deref();
        let mut levels = Vec::new();
        for level in &self.levels {
            match (level.iter.checkpoint(), &level.entered) {
                (Some(stands), _) => levels.push((level, stands)),
                // It was about to be gone into, and shall be again.
                (None, Some((key, _))) => {
                    entering = Some(key);
                    break;
                }
                (None, None) => return None,
            }
        }
        if !self.opened {
            return None;
        }
        let mut bytes = Vec::new();
        put_varint(levels.len() as u64, &mut bytes);
        for (level, stands) in levels {
            if let Some((key, mount)) = &level.entered {
                put_piece(key.as_bytes(), &mut bytes);
                put_varint(mount.version.unwrap_or(0), &mut bytes);
            }
            bytes.extend_from_slice(level.place.trie.feed().public_key().as_bytes());
            put_piece(&stands, &mut bytes);
        }
        put_piece(entering.unwrap_or("").as_bytes(), &mut bytes);
        Some(bytes)
    }

    /// An iterator that goes on where a checkpoint says.
    pub(super) async fn resume(
        view: MountableTrie,
        prefix: &str,
        options: IterOptions,
        mut checkpoint: &[u8],
    ) -> Result<Self, TrieError> {
        let mut iter = Self::new(view, prefix, options);
        let rest = &mut checkpoint;
        let levels = take_number(rest)?;
        if levels > MAX_MOUNT_DEPTH as u64 + 1 {
            return Err(TrieError::Checkpoint);
        }
        for _ in 0..levels {
            let (place, inner, entered) = match iter.levels.last() {
                None => {
                    let (place, inner) = iter.view.resolve(&iter.prefix, true).await?;
                    (place, inner, None)
                }
                Some(above) => {
                    let key = take_text(rest)?;
                    let version = Some(take_number(rest)?).filter(|version| *version > 0);
                    let mount = above.place.record(&key).await?;
                    let mount = mount
                        .filter(|mount| mount.version == version)
                        .ok_or(TrieError::Checkpoint)?;
                    let place = iter.view.enter(&above.place, &mount).await?;
                    if place.is_repeated() {
                        return Err(TrieError::Checkpoint);
                    }
                    let inner = place.inner(&place.at);
                    (place, inner, Some((key, mount)))
                }
            };
            // Whatever is mounted there by now, its blocks are not those that are named.
            if take_bytes(rest, 32)? != place.trie.feed().public_key().as_bytes() {
                return Err(TrieError::Checkpoint);
            }
            let stands = take_piece(rest)?;
            let options = options.gt(false);
            let walk = place.trie.resume_iter(&inner, options, stands)?;
            iter.levels.push(Level {
                place,
                iter: walk,
                entered,
            });
        }
        let entering = take_text(rest)?;
        iter.entering = Some(entering).filter(|key| !key.is_empty());
        iter.opened = true;
        match rest.is_empty() {
            true => Ok(iter),
            false => Err(TrieError::Checkpoint),
        }
    }

    /// The same nodes as a stream.
    pub fn into_stream(self) -> BoxStream<'static, Result<Node, TrieError>> {
        Box::pin(futures_util::stream::unfold(self, async |mut iter| {
            let next = iter.next().await.transpose()?;
            Some((next, iter))
        }))
    }

    async fn advance(&mut self) -> Result<Option<Node>, TrieError> {
        if !self.opened {
            let (place, inner) = self.view.resolve(&self.prefix, true).await?;
            self.push(place, &inner, None);
            self.opened = true;
        }
        loop {
            self.enter().await?;
            let Some(level) = self.levels.last_mut() else {
                return Ok(None);
            };
            let Some(node) = level.iter.next().await? else {
                self.levels.pop();
                continue;
            };
            // What is outside of the part of a trie that is mounted is none of ours.
            let Some(key) = level.place.outer(&node.key) else {
                continue;
            };
            if node.is_mount() && self.options.recursive && self.options.mounts {
                self.entering = Some(node.key.clone());
            }
            if !(self.options.gt && trimmed(&key) == self.prefix) {
                return Ok(Some(Node { key, ..node }));
            }
        }
    }

    /// Goes into the mount that was come upon, unless that would be a circle.
    async fn enter(&mut self) -> Result<(), TrieError> {
        let place = self.levels.last().map(|level| &level.place);
        let (Some(key), Some(place)) = (&self.entering, place) else {
            return Ok(());
        };
        // Node leaves the flag without a record, and records without the flag.
        if let Some(mount) = place.record(key).await? {
            let place = self.view.enter(place, &mount).await?;
            if !place.is_repeated() {
                self.entered = one_more(self.entered)?;
                let inner = place.inner(&place.at);
                self.push(place, &inner, Some((key.clone(), mount)));
            }
        }
        self.entering = None;
        Ok(())
    }

    fn push(&mut self, place: Place, inner: &str, entered: Option<(String, Mount)>) {
        // Whether the prefix itself is wanted is seen here: its entry may be a mount to go into.
        let options = self.options.gt(false);
        let iter = place.trie.iter(inner, options);
        self.levels.push(Level {
            place,
            iter,
            entered,
        });
    }
}

fn put_piece(piece: &[u8], out: &mut Vec<u8>) {
    put_varint(piece.len() as u64, out);
    out.extend_from_slice(piece);
}

fn take_number(rest: &mut &[u8]) -> Result<u64, TrieError> {
    take_varint(rest).map_err(|_| TrieError::Checkpoint)
}

fn take_bytes<'a>(rest: &mut &'a [u8], count: u64) -> Result<&'a [u8], TrieError> {
    let count = usize::try_from(count).map_err(|_| TrieError::Checkpoint)?;
    let (piece, tail) = rest.split_at_checked(count).ok_or(TrieError::Checkpoint)?;
    *rest = tail;
    Ok(piece)
}

fn take_piece<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], TrieError> {
    let count = take_number(rest)?;
    take_bytes(rest, count)
}

fn take_text(rest: &mut &[u8]) -> Result<String, TrieError> {
    let text = std::str::from_utf8(take_piece(rest)?);
    text.map(str::to_owned).map_err(|_| TrieError::Checkpoint)
}

impl fmt::Debug for MountedIter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MountedIter")
            .field("prefix", &self.prefix)
            .field("options", &self.options)
            .field("levels", &self.levels.len())
            .finish_non_exhaustive()
    }
}
