use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::claim::Claim;
use super::slot::{OneFile, Slot};
use super::sys;

/// How many file descriptors the files of one or more directories may take. Clones share it.
///
/// A file whose descriptor was closed to make room opens it again when it is next used, so any
/// number of files can be in use at once. Descriptors with nothing unsynced go first; when all
/// hold something, one is synced before it is closed. Nothing would be lost without that, as a
/// later sync covers the file and not the descriptor, but a failure to write could then go
/// unnoticed.
///
/// The files of a folder that is [locked](crate::StorageDir::lock) are closed together. Once the
/// lock's holder [rests](crate::Lock::rest) the lock goes with them, and nothing has to be synced: so
/// there is a second, lower limit for what rests.
///
/// Not counted: the descriptors of locks whose holders do not rest, which must stay open, and calls
/// under way, at most one for each thread. The files of one folder that is locked may all be open,
/// also where these alone are more than the limit.
#[derive(Clone, Debug)]
pub struct FilePool {
    inner: Arc<Inner>,
}

impl FilePool {
    /// The limit of a pool that is not told another. A process may usually have 1024 descriptors,
    /// and needs some for sockets and locks.
    pub const DEFAULT_LIMIT: usize = 512;

    /// The limit for what rests, unless it is told: the files of about ten logs.
    pub const RESTING_LIMIT: usize = 48;

    /// A pool of at most `limit` descriptors (at least one), of which no more than
    /// [`RESTING_LIMIT`](Self::RESTING_LIMIT) rest.
    pub fn new(limit: usize) -> Self {
        Self::with_resting(limit, Self::RESTING_LIMIT)
    }

    /// A pool of at most `limit` descriptors (at least one), of which no more than `resting` rest.
    /// Logs that are only read rest too: more of these make reading from many at once faster.
    pub fn with_resting(limit: usize, resting: usize) -> Self {
        let inner = Inner {
            limit: limit.max(1),
            resting: resting.max(1),
            next: AtomicU64::new(0),
            ring: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// How many descriptors are open now that may be closed to make room.
    pub fn open_files(&self) -> usize {
        self.inner.ring().open_files()
    }

    /// A slot without files, of a folder that `claim` locks if there is one.
    pub(super) fn slot(&self, claim: Option<Claim>) -> Arc<Slot> {
        let id = self.inner.next.fetch_add(1, Ordering::Relaxed);
        Arc::new(Slot::new(id, claim))
    }

    /// Takes a file that `open` opens into a slot.
    pub(super) fn add(
        &self,
        slot: &Arc<Slot>,
        file: &Arc<OneFile>,
        open: impl Fn() -> io::Result<File>,
    ) -> io::Result<()> {
        self.with_room(|| slot.add(file, &open))?;
        self.admit(slot);
        Ok(())
    }

    /// Calls `act` with a file's descriptor, which is opened if it is closed.
    pub(super) fn with<T>(
        &self,
        slot: &Arc<Slot>,
        file: &Arc<OneFile>,
        act: impl FnOnce(&File) -> io::Result<T>,
    ) -> io::Result<T> {
        let state = slot.read();
        if let Some(descriptor) = state.descriptor(file) {
            slot.set_used();
            return act(descriptor);
        }
        drop(state);
        let state = self.with_room(|| slot.reopen(file))?;
        let done = match state.descriptor(file) {
            Some(descriptor) => act(descriptor),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        drop(state);
        self.admit(slot);
        done
    }

    /// Calls what opens files, holding no slot; when the process is out of descriptors, closes some of
    /// the pool's and calls it again.
    pub(super) fn with_room<T>(&self, open: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match open() {
            Err(error) if sys::out_of_descriptors(&error) => {
                let room = self.open_files() / 2;
                self.shrink(room, None);
                open()
            }
            opened => opened,
        }
    }

    /// Forgets a file that is no longer used.
    pub(super) fn forget(&self, slot: &Arc<Slot>, file: &Arc<OneFile>) {
        slot.remove(file);
        self.settle(slot);
    }

    /// Whoever holds the lock of a slot's folder has nothing unfinished.
    pub(super) fn rest(&self, slot: &Arc<Slot>) {
        slot.rest();
        self.admit(slot);
    }

    /// Takes the lock of a slot's folder again, to be kept.
    pub(super) fn hold(&self, slot: &Arc<Slot>) -> io::Result<()> {
        if !slot.is_held() {
            self.with_room(|| slot.hold())?;
            self.settle(slot);
        }
        Ok(())
    }

    /// Ends the lock of a slot's folder.
    pub(super) fn unlock(&self, slot: &Arc<Slot>) {
        slot.unlock();
        self.settle(slot);
    }

    /// Keeps a slot in the ring as long as it has descriptors to close.
    fn settle(&self, slot: &Arc<Slot>) {
        let mut ring = self.inner.ring();
        match slot.weight() {
            0 => ring.open.remove(&slot.id),
            _ => ring.open.insert(slot.id, slot.clone()),
        };
    }

    fn admit(&self, slot: &Arc<Slot>) {
        slot.set_used();
        self.settle(slot);
        self.shrink(self.inner.limit, Some(slot.id));
    }

    /// Closes descriptors until at most `limit` are open, and of those that rest no more than may, but
    /// not those of `keep`, which is about to be used again.
    ///
    /// No slot is locked while the ring is, and nobody waits for a slot while holding another one
    /// that is in the ring.
    fn shrink(&self, limit: usize, keep: Option<u64>) {
        loop {
            let mut ring = self.inner.ring();
            let victim = if ring.open_files() > limit {
                ring.evict(keep, false)
            } else if ring.resting_files() > self.inner.resting {
                ring.evict(keep, true)
            } else {
                None
            };
            drop(ring);
            match victim {
                Some(slot) => slot.close(),
                None => return,
            }
        }
    }
}

/// A pool of [`FilePool::DEFAULT_LIMIT`] descriptors.
impl Default for FilePool {
    fn default() -> Self {
        Self::new(Self::DEFAULT_LIMIT)
    }
}

#[derive(Debug)]
struct Inner {
    limit: usize,
    resting: usize,
    next: AtomicU64,
    ring: Mutex<Ring>,
}

impl Inner {
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The open slots, and a hand that goes round over them (the clock algorithm).
#[derive(Debug, Default)]
struct Ring {
    open: BTreeMap<u64, Arc<Slot>>,
    hand: u64,
}

impl Ring {
    fn open_files(&self) -> usize {
        self.open.values().map(|slot| slot.weight()).sum()
    }

    fn resting_files(&self) -> usize {
        let resting = self.open.values().filter(|slot| slot.is_resting());
        resting.map(|slot| slot.weight()).sum()
    }

    /// Takes out a slot: one that was not used lately and holds nothing that has to be synced, else
    /// one that holds nothing, else, unless only those that rest are meant, the next.
    fn evict(&mut self, keep: Option<u64>, resting: bool) -> Option<Arc<Slot>> {
        let other = |slot: &Slot| Some(slot.id) != keep && (slot.is_resting() || !resting);
        let clean = |slot: &Slot| other(slot) && slot.is_clean();
        let idle = |slot: &Slot| clean(slot) && !slot.take_used();
        let id = self
            .scan(idle)
            .or_else(|| self.scan(clean))
            .or_else(|| self.scan(other))?;
        self.open.remove(&id)
    }

    /// Moves the hand on to the first slot that fits, at most once round.
    fn scan(&mut self, fits: impl Fn(&Slot) -> bool) -> Option<u64> {
        let ahead = self.open.range((Excluded(self.hand), Unbounded));
        let behind = self.open.range(..=self.hand);
        let found = ahead
            .chain(behind)
            .find(|(_, slot)| fits(slot))
            .map(|(id, _)| *id)?;
        self.hand = found;
        Some(found)
    }
}
