use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hypercore_storage::{Lock, OpenMode, Storage, StorageDir};

pub use self::crash::Keep;
use self::crash::Snapshot;
pub use self::fault::{Call, Fault};

mod crash;
mod fault;

/// A directory in memory that records every change, fails when told to, and can be seen as a
/// crash at any point would leave it. Clones share it.
///
/// What a crash may leave is what the traits [`Storage`] and [`StorageDir`] allow, which is worse
/// than any one filesystem: of the changes that were not synced any subset survives, down to
/// single sectors; a file whose directory was not synced may be missing altogether, even if the
/// file itself was synced.
#[derive(Clone, Debug, Default)]
pub struct FaultyDir {
    prefix: String,
    world: Arc<Mutex<World>>,
}

impl FaultyDir {
    /// An empty directory.
    pub fn new() -> Self {
        Self::default()
    }

    /// A directory with these files, durable.
    pub fn with_files(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let dir = Self::new();
        {
            let mut world = dir.world();
            for (name, bytes) in files {
                let id = world.add(bytes);
                world.names.insert(name, id);
            }
            world.start = world.snapshot();
        }
        dir
    }

    /// Makes a coming call fail.
    pub fn inject(&self, fault: Fault) {
        self.world().faults.push(fault);
    }

    /// Takes back every fault.
    pub fn heal(&self) {
        self.world().faults.clear();
    }

    /// How many calls of these kinds were made so far. Failed ones count.
    pub fn calls(&self, kinds: &[Call]) -> u64 {
        let world = self.world();
        kinds
            .iter()
            .map(|kind| world.calls.get(kind).copied().unwrap_or(0))
            .sum()
    }

    /// The changes and syncs made so far, oldest first.
    pub fn log(&self) -> Vec<Change> {
        self.world()
            .log
            .iter()
            .map(|(_, change)| change.clone())
            .collect()
    }

    /// How many changes and syncs were made so far: the latest point for a crash.
    pub fn log_len(&self) -> usize {
        self.world().log.len()
    }

    /// The files as a running program sees them.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.world().files()
    }

    /// How many pieces of unsynced changes a crash after the first `at` entries of the log could
    /// keep or lose, each on its own.
    pub fn pieces(&self, at: usize) -> usize {
        self.world().replay(at).pieces()
    }

    /// The directory that a crash after the first `at` entries of the log leaves behind, with what
    /// `keep` says of the unsynced pieces. The result has a log of its own, so recovering can
    /// crash too.
    pub fn crash(&self, at: usize, keep: Keep) -> Self {
        Self::with_files(self.world().replay(at).survivors(keep))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn resolve(&self, name: &str) -> io::Result<String> {
        let name = format!("{}{name}", self.prefix);
        let plain = |part: &str| !matches!(part, "" | "." | "..");
        if name.split('/').all(plain) && !name.contains(['\0', '\\', ':']) {
            Ok(name)
        } else {
            Err(io::ErrorKind::InvalidInput.into())
        }
    }
}

/// A change to a [`FaultyDir`], or what makes changes durable.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// An empty file came to be.
    Create {
        /// Its name.
        name: String,
    },
    /// A name was taken away.
    Remove {
        /// The name.
        name: String,
    },
    /// Bytes were written.
    Write {
        /// The file's name when it was opened.
        name: String,
        /// Where the bytes went.
        offset: u64,
        /// The bytes.
        data: Vec<u8>,
    },
    /// A file's length was set.
    Truncate {
        /// The file's name when it was opened.
        name: String,
        /// The new length in bytes.
        len: u64,
    },
    /// A range was given back.
    Discard {
        /// The file's name when it was opened.
        name: String,
        /// Where the range starts.
        offset: u64,
        /// The range's length in bytes.
        len: u64,
    },
    /// A file's content became durable.
    Sync {
        /// The file's name when it was opened.
        name: String,
    },
    /// The names became durable.
    SyncDir,
}

impl StorageDir for FaultyDir {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn Storage>> {
        let name = self.resolve(name)?;
        let mut world = self.world();
        world.call(Call::Open, &name)?;
        let id = match world.names.get(&name) {
            Some(id) => *id,
            None if mode == OpenMode::Create => world.create(&name)?,
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        let writable = mode != OpenMode::ReadOnly;
        Ok(Arc::new(FaultyStorage {
            id,
            name,
            writable,
            world: self.world.clone(),
        }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let name = self.resolve(name)?;
        let mut world = self.world();
        world.call(Call::Remove, &name)?;
        let id = world.names.remove(&name).ok_or(io::ErrorKind::NotFound)?;
        world.log.push((id, Change::Remove { name }));
        Ok(())
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        let name = self.resolve(name)?;
        let mut world = self.world();
        world.call(Call::Exists, &name)?;
        Ok(world.names.contains_key(&name))
    }

    fn list(&self, name: &str) -> io::Result<Vec<String>> {
        let folder = if name.is_empty() {
            self.prefix.clone()
        } else {
            format!("{}/", self.resolve(name)?)
        };
        let mut world = self.world();
        world.call(Call::List, &folder)?;
        let below = world
            .names
            .keys()
            .filter_map(|path| path.strip_prefix(&folder));
        let names: BTreeSet<_> = below.filter_map(|rest| rest.split('/').next()).collect();
        Ok(names.into_iter().map(str::to_owned).collect())
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = self.world();
        world.call(Call::SyncDir, "")?;
        world.log.push((0, Change::SyncDir));
        Ok(())
    }

    fn lock(&self, name: &str) -> io::Result<Lock> {
        let name = self.resolve(name)?;
        let mut world = self.world();
        world.call(Call::Lock, &name)?;
        if !world.names.contains_key(&name) {
            world.create(&name)?;
        }
        if !world.locked.insert(name.clone()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Lock::new(Held {
            name,
            world: self.world.clone(),
        }))
    }

    fn subdir(&self, name: &str) -> Arc<dyn StorageDir> {
        Arc::new(Self {
            prefix: format!("{}{name}/", self.prefix),
            world: self.world.clone(),
        })
    }
}

/// One file of a [`FaultyDir`].
#[derive(Debug)]
struct FaultyStorage {
    id: usize,
    name: String,
    writable: bool,
    world: Arc<Mutex<World>>,
}

impl FaultyStorage {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies and records a change, or, of a write that is to fail, the part that is done first.
    fn change(&self, call: Call, change: Change) -> io::Result<()> {
        if !self.writable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let mut world = self.world();
        let failed = world.call_partly(call, &self.name);
        let change = match (change, &failed) {
            (change, Ok(())) => change,
            (
                Change::Write {
                    name,
                    offset,
                    mut data,
                },
                Err((done, _)),
            ) if *done > 0 => {
                data.truncate(*done);
                Change::Write { name, offset, data }
            }
            (_, Err(_)) => return failed.map_err(|(_, error)| error),
        };
        crash::apply(&mut world.contents[self.id], &change)?;
        world.log.push((self.id, change));
        failed.map_err(|(_, error)| error)
    }
}

impl Storage for FaultyStorage {
    fn read(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let mut world = self.world();
        world.call(Call::Read, &self.name)?;
        if buf.is_empty() {
            return Ok(());
        }
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = start
            .checked_add(buf.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        let bytes = world.contents[self.id].get(start..end);
        buf.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let name = self.name.clone();
        self.change(
            Call::Write,
            Change::Write {
                name,
                offset,
                data: data.to_vec(),
            },
        )
    }

    fn len(&self) -> io::Result<u64> {
        let mut world = self.world();
        world.call(Call::Len, &self.name)?;
        Ok(world.contents[self.id].len() as u64)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.change(
            Call::Truncate,
            Change::Truncate {
                name: self.name.clone(),
                len,
            },
        )
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = self.world();
        world.call(Call::Sync, &self.name)?;
        world.log.push((
            self.id,
            Change::Sync {
                name: self.name.clone(),
            },
        ));
        Ok(())
    }

    fn discard(&self, offset: u64, len: u64) -> io::Result<()> {
        self.change(
            Call::Discard,
            Change::Discard {
                name: self.name.clone(),
                offset,
                len,
            },
        )
    }
}

#[derive(Debug, Default)]
struct World {
    /// The files as they were before the first entry of the log, all durable.
    start: Snapshot,
    /// Which file has a name; several files may have had it in turn.
    names: BTreeMap<String, usize>,
    contents: Vec<Vec<u8>>,
    /// Changes with the file that they are about.
    log: Vec<(usize, Change)>,
    locked: BTreeSet<String>,
    faults: Vec<Fault>,
    calls: BTreeMap<Call, u64>,
}

impl World {
    fn add(&mut self, bytes: Vec<u8>) -> usize {
        self.contents.push(bytes);
        self.contents.len() - 1
    }

    fn create(&mut self, name: &str) -> io::Result<usize> {
        self.call(Call::Create, name)?;
        let id = self.add(Vec::new());
        self.names.insert(name.to_owned(), id);
        self.log.push((
            id,
            Change::Create {
                name: name.to_owned(),
            },
        ));
        Ok(id)
    }

    fn call(&mut self, call: Call, name: &str) -> io::Result<()> {
        self.call_partly(call, name).map_err(|(_, error)| error)
    }

    /// Counts a call. If it is to fail: how many bytes of it are done nevertheless, and how.
    fn call_partly(&mut self, call: Call, name: &str) -> Result<(), (usize, io::Error)> {
        *self.calls.entry(call).or_default() += 1;
        let mut failed = Ok(());
        for fault in &mut self.faults {
            if let Some(failure) = fault.meets(call, name) {
                failed = failed.and(Err(failure));
            }
        }
        failed
    }

    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.names
            .iter()
            .map(|(name, id)| (name.clone(), self.contents[*id].clone()))
            .collect()
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            names: self.names.clone(),
            contents: self.contents.clone(),
        }
    }

    fn replay(&self, at: usize) -> crash::Replay<'_> {
        crash::Replay::new(&self.start, &self.log[..at.min(self.log.len())])
    }
}

struct Held {
    name: String,
    world: Arc<Mutex<World>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.world
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .locked
            .remove(&self.name);
    }
}
