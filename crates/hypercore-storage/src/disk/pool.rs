use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// How many file descriptors the files of one or more directories may take. Clones share it.
///
/// A file whose descriptor was closed to make room opens it again when it is next used, so any
/// number of files can be in use at once. Descriptors with nothing unsynced go first; when all
/// hold something, one is synced before it is closed. Nothing would be lost without that, as a
/// later sync covers the file and not the descriptor, but a failure to write could then go
/// unnoticed.
///
/// Not counted: the descriptors of held locks, which must stay open, and calls under way, at most
/// one for each thread.
#[derive(Clone, Debug)]
pub struct FilePool {
    inner: Arc<Inner>,
}

impl FilePool {
    /// The limit of a pool that is not told another. A process may usually have 1024 descriptors,
    /// and needs some for sockets and locks.
    pub const DEFAULT_LIMIT: usize = 512;

    /// A pool of at most `limit` descriptors (at least one).
    pub fn new(limit: usize) -> Self {
        let inner = Inner {
            limit: limit.max(1),
            next: AtomicU64::new(0),
            ring: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// How many descriptors are open now.
    pub fn open_files(&self) -> usize {
        self.inner.ring().open.len()
    }

    /// A slot for a file, already open with `file`.
    pub(super) fn slot(&self, file: File) -> Arc<Slot> {
        let slot = self.empty_slot();
        *slot.file.write().unwrap_or_else(PoisonError::into_inner) = Some(file);
        self.admit(&slot);
        slot
    }

    /// A slot for a file that is not open.
    pub(super) fn empty_slot(&self) -> Arc<Slot> {
        Arc::new(Slot {
            id: self.inner.next.fetch_add(1, Ordering::Relaxed),
            file: RwLock::new(None),
            used: AtomicBool::new(true),
            unsynced: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        })
    }

    /// Calls `act` with the slot's descriptor, which `open` opens if it is closed.
    pub(super) fn with<T>(
        &self,
        slot: &Arc<Slot>,
        open: impl Fn() -> io::Result<File>,
        act: impl FnOnce(&File) -> io::Result<T>,
    ) -> io::Result<T> {
        // Held during the call, so that the descriptor is not closed, nor found synced, under it.
        if let Some(file) = &*slot.file.read().unwrap_or_else(PoisonError::into_inner) {
            slot.used.store(true, Ordering::Relaxed);
            return act(file);
        }
        let mut place = slot.file.write().unwrap_or_else(PoisonError::into_inner);
        let reopened = place.is_none();
        if reopened {
            *place = Some(self.open(open)?);
        }
        let done = act(place.as_ref().expect("opened above"));
        drop(place);
        if reopened {
            self.admit(slot);
        }
        done
    }

    /// Opens a file; when the process is out of descriptors, closes some of the pool's first.
    pub(super) fn open(&self, open: impl Fn() -> io::Result<File>) -> io::Result<File> {
        match open() {
            Err(error) if super::sys::out_of_descriptors(&error) => {
                let room = self.open_files() / 2;
                self.shrink(room, None);
                open()
            }
            opened => opened,
        }
    }

    /// Forgets a slot whose file is no longer used.
    pub(super) fn forget(&self, slot: &Slot) {
        self.inner.ring().open.remove(&slot.id);
    }

    fn admit(&self, slot: &Arc<Slot>) {
        slot.used.store(true, Ordering::Relaxed);
        self.inner.ring().open.insert(slot.id, slot.clone());
        self.shrink(self.inner.limit, Some(slot.id));
    }

    /// Closes descriptors until at most `limit` are open, but not that of `keep`, which is about to
    /// be used again.
    ///
    /// No slot is locked while the ring is, and nobody waits for a slot while holding another one
    /// that is in the ring.
    fn shrink(&self, limit: usize, keep: Option<u64>) {
        loop {
            let mut ring = self.inner.ring();
            if ring.open.len() <= limit {
                return;
            }
            let victim = ring.evict(keep);
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

/// A file's place in the pool.
#[derive(Debug)]
pub(super) struct Slot {
    id: u64,
    file: RwLock<Option<File>>,
    /// Used since the hand last passed.
    used: AtomicBool,
    unsynced: AtomicBool,
    failed: AtomicBool,
}

impl Slot {
    /// Notes that the file is about to be written.
    pub(super) fn will_write(&self) {
        self.unsynced.store(true, Ordering::Relaxed);
    }

    /// Syncs the file. Once that failed it fails for good: the system has dropped what it could
    /// not write, and would report success the next time.
    pub(super) fn sync(&self, file: &File) -> io::Result<()> {
        if self.failed.load(Ordering::Relaxed) {
            return Err(io::Error::other(
                "an earlier write to the file could not be made durable",
            ));
        }
        // Cleared first: a write that comes in meanwhile sets it again.
        self.unsynced.store(false, Ordering::Relaxed);
        file.sync_data()
            .inspect_err(|_| self.failed.store(true, Ordering::Relaxed))
    }

    /// Closes the descriptor, syncing first what was not.
    fn close(&self) {
        let mut place = self.file.write().unwrap_or_else(PoisonError::into_inner);
        if let (Some(file), true) = (&*place, self.unsynced.load(Ordering::Relaxed)) {
            // The error is kept, and the file's own sync reports it.
            let _ = self.sync(file);
        }
        *place = None;
    }
}

#[derive(Debug)]
struct Inner {
    limit: usize,
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
    /// Takes out a slot: one that was not used lately and holds nothing unsynced, else one that
    /// holds nothing unsynced, else the next.
    fn evict(&mut self, keep: Option<u64>) -> Option<Arc<Slot>> {
        let other = |slot: &Slot| Some(slot.id) != keep;
        let clean = |slot: &Slot| other(slot) && !slot.unsynced.load(Ordering::Relaxed);
        let idle = |slot: &Slot| clean(slot) && !slot.used.swap(false, Ordering::Relaxed);
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
