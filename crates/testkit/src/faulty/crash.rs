//! What a crash leaves behind.

use std::collections::BTreeMap;
use std::io;

use super::Change;
use crate::Rng;

/// Which pieces of what was not synced survive a crash. A piece is a sector's part of a write, or
/// any other change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Keep {
    /// None of them.
    Nothing,
    /// All of them: a program that was killed.
    All,
    /// All but the last change, of which, if it is a write, so many bytes survive.
    Torn(usize),
    /// Each with even chances, by this seed.
    Seed(u64),
    /// Those whose bit is set, the oldest piece at the lowest bit; none beyond the 64th.
    Mask(u64),
}

/// Files at one point in time.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    pub(super) names: BTreeMap<String, usize>,
    pub(super) contents: Vec<Vec<u8>>,
}

/// A log split into what is durable and what is not.
pub(super) struct Replay<'a> {
    durable: Snapshot,
    /// Changes that no sync covers, in order.
    loose: Vec<&'a (usize, Change)>,
}

impl<'a> Replay<'a> {
    pub(super) fn new(start: &Snapshot, log: &'a [(usize, Change)]) -> Self {
        let mut durable = start.clone();
        let mut loose: Vec<&(usize, Change)> = Vec::new();
        for entry in log {
            let (id, change) = entry;
            if let Change::Sync { .. } | Change::SyncDir = change {
                let names = *change == Change::SyncDir;
                loose.retain(|entry| {
                    let covered = is_about_names(&entry.1) == names && (names || entry.0 == *id);
                    if covered {
                        durable.take(entry.0, &entry.1);
                    }
                    !covered
                });
            } else {
                loose.push(entry);
            }
        }
        Self { durable, loose }
    }

    pub(super) fn pieces(&self) -> usize {
        self.loose
            .iter()
            .map(|(_, change)| split(change).len())
            .sum()
    }

    pub(super) fn survivors(mut self, keep: Keep) -> BTreeMap<String, Vec<u8>> {
        let mut rng = Rng::new(if let Keep::Seed(seed) = keep { seed } else { 0 });
        let mut nth = 0_u32;
        let last = self.loose.len().checked_sub(1);
        for (at, (id, change)) in std::mem::take(&mut self.loose).into_iter().enumerate() {
            if let (Keep::Torn(bytes), true) = (keep, Some(at) == last) {
                if let Change::Write { name, offset, data } = change {
                    let data = data[..bytes.min(data.len())].to_vec();
                    let change = Change::Write {
                        name: name.clone(),
                        offset: *offset,
                        data,
                    };
                    self.durable.take(*id, &change);
                }
                continue;
            }
            for piece in split(change) {
                let survives = match keep {
                    Keep::Nothing => false,
                    Keep::All | Keep::Torn(_) => true,
                    Keep::Seed(_) => rng.one_in(2),
                    Keep::Mask(mask) => mask.checked_shr(nth).is_some_and(|mask| mask & 1 == 1),
                };
                nth += 1;
                if survives {
                    self.durable.take(*id, &piece);
                }
            }
        }
        let Snapshot {
            names,
            mut contents,
        } = self.durable;
        let content = |(name, id)| (name, contents.get_mut(id).map(std::mem::take));
        names
            .into_iter()
            .map(content)
            .map(|(name, bytes)| (name, bytes.unwrap_or_default()))
            .collect()
    }
}

impl Snapshot {
    fn take(&mut self, id: usize, change: &Change) {
        if self.contents.len() <= id {
            self.contents.resize(id + 1, Vec::new());
        }
        match change {
            Change::Create { name } => {
                self.names.insert(name.clone(), id);
            }
            // A later file of the same name stays.
            Change::Remove { name } if self.names.get(name) == Some(&id) => {
                self.names.remove(name);
            }
            change => apply(&mut self.contents[id], change)
                .expect("a change that was recorded can be made again"),
        }
    }
}

/// Makes a change to a file's content.
pub(super) fn apply(bytes: &mut Vec<u8>, change: &Change) -> io::Result<()> {
    match change {
        Change::Write { offset, data, .. } => {
            let start = in_memory(*offset)?;
            let end = in_memory(offset.saturating_add(data.len() as u64))?;
            if bytes.len() < end && !data.is_empty() {
                bytes.resize(end, 0);
            }
            if let Some(range) = bytes.get_mut(start..end) {
                range.copy_from_slice(data);
            }
        }
        Change::Truncate { len, .. } => bytes.resize(in_memory(*len)?, 0),
        Change::Discard { offset, len, .. } => {
            let end = offset.saturating_add(*len).min(bytes.len() as u64);
            let start = in_memory((*offset).min(end))?;
            bytes[start..in_memory(end)?].fill(0);
        }
        Change::Create { .. } | Change::Remove { .. } | Change::Sync { .. } | Change::SyncDir => {}
    }
    Ok(())
}

/// Splits a change into what a disk does at once.
fn split(change: &Change) -> Vec<Change> {
    let Change::Write { name, offset, data } = change else {
        return vec![change.clone()];
    };
    let mut pieces = Vec::new();
    let (mut offset, mut rest) = (*offset, &data[..]);
    while !rest.is_empty() {
        let room = usize::try_from(SECTOR_BYTES - offset % SECTOR_BYTES).unwrap_or(usize::MAX);
        let (data, after) = rest.split_at(room.min(rest.len()));
        pieces.push(Change::Write {
            name: name.clone(),
            offset,
            data: data.to_vec(),
        });
        (offset, rest) = (offset + data.len() as u64, after);
    }
    pieces
}

fn is_about_names(change: &Change) -> bool {
    matches!(change, Change::Create { .. } | Change::Remove { .. })
}

/// An offset as a length in memory, within [`MAX_FILE_BYTES`].
fn in_memory(offset: u64) -> io::Result<usize> {
    let fits = usize::try_from(offset)
        .ok()
        .filter(|_| offset <= MAX_FILE_BYTES);
    fits.ok_or_else(|| io::ErrorKind::FileTooLarge.into())
}

/// What a disk writes at once.
const SECTOR_BYTES: u64 = 512;

/// Files here are plain memory, holes included.
const MAX_FILE_BYTES: u64 = 1 << 30;
