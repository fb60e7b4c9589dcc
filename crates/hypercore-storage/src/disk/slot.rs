use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::claim::{Claim, Print};
use super::sys;

/// What the pool closes at once: the files of a folder that is locked, and the lock; or one file of a
/// folder that is not.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: u64,
    state: RwLock<State>,
    /// Used since the hand last passed.
    used: AtomicBool,
    /// Whether the lock stays: something was written since its holder came to rest.
    busy: AtomicBool,
    /// How many files have something unsynced.
    unsynced: AtomicUsize,
    /// How many files have a descriptor of their own.
    open: AtomicUsize,
    /// Whether the folder is locked, as far as others are concerned, and whether it is now.
    claimed: AtomicBool,
    locked: AtomicBool,
}

/// What is open, and what is known of what is not.
#[derive(Debug, Default)]
pub(super) struct State {
    entries: Vec<Entry>,
    claim: Option<Claim>,
}

#[derive(Debug)]
struct Entry {
    file: Arc<OneFile>,
    descriptor: Option<File>,
    /// What the file was when its descriptor was closed.
    print: Option<Print>,
}

/// One file, whether it has a descriptor or not.
#[derive(Debug)]
pub(super) struct OneFile {
    path: PathBuf,
    writable: bool,
    unsynced: AtomicBool,
    failed: AtomicBool,
}

impl OneFile {
    pub(super) fn new(path: PathBuf, writable: bool) -> Arc<Self> {
        Arc::new(Self {
            path,
            writable,
            unsynced: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        })
    }

    pub(super) fn is_writable(&self) -> bool {
        self.writable
    }
}

impl State {
    /// The descriptor to use for a file: where locks bind, only that of the lock may be.
    pub(super) fn descriptor(&self, file: &Arc<OneFile>) -> Option<&File> {
        match self.claim.as_ref().filter(|claim| claim.is_on(&file.path)) {
            Some(claim) => claim.descriptor(),
            None => self.entry(file)?.descriptor.as_ref(),
        }
    }

    fn entry(&self, file: &Arc<OneFile>) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| Arc::ptr_eq(&entry.file, file))
    }

    /// Takes the lock again if it was let go of. All files must be as they were then.
    fn retake(&mut self) -> io::Result<()> {
        let Some(claim) = &mut self.claim else {
            return Ok(());
        };
        let entries = self.entries.iter();
        let known = entries.filter_map(|entry| Some((&*entry.file.path, entry.print.as_ref()?)));
        claim.retake(known)
    }

    /// Whether another file than that of the lock has a descriptor.
    fn open(&self) -> usize {
        let open = self.entries.iter();
        open.filter(|entry| entry.descriptor.is_some()).count()
    }
}

impl Slot {
    /// An empty slot, of a folder that `claim` locks if there is one.
    pub(super) fn new(id: u64, claim: Option<Claim>) -> Self {
        let locked = claim.is_some();
        let state = State {
            entries: Vec::new(),
            claim,
        };
        Self {
            id,
            state: RwLock::new(state),
            used: AtomicBool::new(true),
            busy: AtomicBool::new(locked),
            unsynced: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            claimed: AtomicBool::new(locked),
            locked: AtomicBool::new(locked),
        }
    }

    /// How many descriptors closing it would free.
    pub(super) fn weight(&self) -> usize {
        let lock = self.locked.load(Ordering::Relaxed) && !self.busy.load(Ordering::Relaxed);
        self.open.load(Ordering::Relaxed) + usize::from(lock)
    }

    /// Whether the lock's holder has nothing unfinished.
    pub(super) fn is_resting(&self) -> bool {
        self.claimed.load(Ordering::Relaxed) && !self.busy.load(Ordering::Relaxed)
    }

    /// Whether it can be closed without a sync.
    pub(super) fn is_clean(&self) -> bool {
        self.is_resting() || self.unsynced.load(Ordering::Relaxed) == 0
    }

    pub(super) fn set_used(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    /// Whether it was used since this was last asked.
    pub(super) fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    /// Held during a call, so that a descriptor is not closed, nor found synced, under it.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a file that `open` opens.
    pub(super) fn add(
        &self,
        file: &Arc<OneFile>,
        open: impl FnOnce() -> io::Result<File>,
    ) -> io::Result<()> {
        let mut state = self.write();
        let locked = state.claim.as_ref();
        let descriptor = match locked.is_some_and(|claim| claim.is_on(&file.path)) {
            true => None,
            false => {
                state.retake()?;
                Some(open()?)
            }
        };
        state.entries.push(Entry {
            file: file.clone(),
            descriptor,
            print: None,
        });
        self.count(&state);
        Ok(())
    }

    /// Opens a file's descriptor if it is closed, and the lock before it.
    pub(super) fn reopen(&self, file: &Arc<OneFile>) -> io::Result<RwLockWriteGuard<'_, State>> {
        let mut state = self.write();
        if state.descriptor(file).is_none() {
            state.retake()?;
        }
        if state.descriptor(file).is_none() {
            let entries = &mut state.entries;
            let entry = entries
                .iter_mut()
                .find(|entry| Arc::ptr_eq(&entry.file, file));
            let entry = entry.ok_or(io::ErrorKind::NotFound)?;
            let descriptor = sys::open(&file.path, file.writable)?;
            if let Some(print) = &entry.print
                && !print.is_of_same_file(&descriptor.metadata()?)
            {
                return Err(io::Error::other(
                    "the file was replaced while it was in use",
                ));
            }
            entry.descriptor = Some(descriptor);
        }
        self.count(&state);
        Ok(state)
    }

    /// Forgets a file that nobody uses any longer.
    pub(super) fn remove(&self, file: &Arc<OneFile>) {
        let mut state = self.write();
        state
            .entries
            .retain(|entry| !Arc::ptr_eq(&entry.file, file));
        self.set_synced(file);
        self.count(&state);
    }

    /// Ends the lock. Files that are still used go on without.
    pub(super) fn unlock(&self) {
        let mut state = self.write();
        let Some((path, descriptor)) = state.claim.take().and_then(Claim::end) else {
            self.count(&state);
            return;
        };
        // Whoever uses that file goes on with the descriptor that held the lock.
        let mut entries = state.entries.iter_mut();
        if let Some(entry) = entries.find(|entry| entry.file.path == path) {
            entry.descriptor = Some(descriptor);
        }
        self.count(&state);
    }

    /// Whoever holds the lock has nothing unfinished: from now until something is written the lock
    /// may be let go of.
    pub(super) fn rest(&self) {
        self.busy.store(false, Ordering::Relaxed);
    }

    /// Whether the lock is held and stays.
    pub(super) fn is_held(&self) -> bool {
        self.locked.load(Ordering::Relaxed) && self.busy.load(Ordering::Relaxed)
    }

    /// The lock stays from now on.
    pub(super) fn hold(&self) -> io::Result<()> {
        let mut state = self.write();
        state.retake()?;
        self.busy.store(true, Ordering::Relaxed);
        self.count(&state);
        Ok(())
    }

    /// Notes that a file is about to be written.
    pub(super) fn will_write(&self, file: &OneFile) {
        self.busy.store(true, Ordering::Relaxed);
        if !file.unsynced.swap(true, Ordering::Relaxed) {
            self.unsynced.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Syncs a file. Once that failed it fails for good: the system has dropped what it could not
    /// write, and would report success the next time.
    pub(super) fn sync(&self, file: &OneFile, descriptor: &File) -> io::Result<()> {
        if file.failed.load(Ordering::Relaxed) {
            return Err(io::Error::other(
                "an earlier write to the file could not be made durable",
            ));
        }
        // Cleared first: a write that comes in meanwhile sets it again.
        self.set_synced(file);
        descriptor
            .sync_data()
            .inspect_err(|_| file.failed.store(true, Ordering::Relaxed))
    }

    fn set_synced(&self, file: &OneFile) {
        if file.unsynced.swap(false, Ordering::Relaxed) {
            self.unsynced.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Closes all descriptors. What is unfinished is synced before; else the lock goes too.
    pub(super) fn close(&self) {
        let mut state = self.write();
        let State { entries, claim } = &mut *state;
        let busy = claim.is_none() || self.busy.load(Ordering::Relaxed);
        for at in 0..entries.len() {
            let entry = &mut entries[at];
            let locked = claim.as_ref().and_then(|claim| claim.of(&entry.file.path));
            let Some(descriptor) = entry.descriptor.as_ref().or(locked) else {
                continue;
            };
            if busy && entry.file.unsynced.load(Ordering::Relaxed) {
                // The error is kept, and the file's own sync reports it.
                let _ = self.sync(&entry.file, descriptor);
            }
            entry.print = Print::of(descriptor);
            entry.descriptor = None;
            // What another handle on the same file knows is older.
            for other in 0..entries.len() {
                let [one, other] = match entries.get_disjoint_mut([at, other]) {
                    Ok(pair) => pair,
                    Err(_) => continue,
                };
                if other.print.is_some() && other.file.path == one.file.path {
                    other.print.clone_from(&one.print);
                }
            }
        }
        let known = entries.iter().all(|entry| entry.print.is_some());
        if known
            && !busy
            && let Some(claim) = claim
        {
            claim.rest();
        }
        self.count(&state);
    }

    fn count(&self, state: &State) {
        let lock = state.claim.as_ref().and_then(Claim::descriptor);
        self.open.store(state.open(), Ordering::Relaxed);
        self.locked.store(lock.is_some(), Ordering::Relaxed);
        self.claimed.store(state.claim.is_some(), Ordering::Relaxed);
    }
}
