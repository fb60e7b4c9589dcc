use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use self::claim::Claim;
pub use self::claim::LockLost;
use self::file::DiskFile;
pub use self::pool::FilePool;
use self::slot::{OneFile, Slot};
use crate::{Lock, OpenMode, Rest, Stamp, Storage, StorageDir, name};

mod claim;
mod file;
mod pool;
mod slot;
mod sys;

/// Files below a directory on disk. Clones share it.
///
/// Nothing is created before the first file is. What is created is the user's alone: folders have
/// mode 0700 and files 0600 (on Unix), since keys lie among them.
///
/// Its files share a [`FilePool`]; a file may lose its descriptor to another and opens it again.
/// That loses nothing: what is written belongs to the file, and a sync through any descriptor
/// covers all of it (on Linux the file's pages and its record of write errors both stay with the
/// inode). A file that was removed or replaced meanwhile then fails instead of being mistaken. Files
/// whose lock was let go of as its holder [rests](Lock::rest) are locked again before they are used,
/// and fail with [`LockLost`] if somebody else has changed one of them.
///
/// [`sync`](StorageDir::sync) covers folders in which this `DiskDir`, its clones and its subfolders
/// created or removed something. On Windows it does nothing.
#[derive(Clone, Debug)]
pub struct DiskDir {
    prefix: String,
    root: Arc<Root>,
}

impl DiskDir {
    /// The directory `path`, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::with_pool(path, FilePool::default())
    }

    /// The directory `path`, with its files' descriptors from `pool`.
    pub fn with_pool(path: impl Into<PathBuf>, pool: FilePool) -> Self {
        let root = Root {
            path: path.into(),
            pool,
            locked: Mutex::default(),
            touched: Mutex::default(),
            syncing: Mutex::default(),
        };
        Self {
            prefix: String::new(),
            root: Arc::new(root),
        }
    }

    /// Where the directory is on disk.
    pub fn path(&self) -> PathBuf {
        self.root.path.join(&self.prefix)
    }

    fn resolve(&self, name: &str) -> io::Result<PathBuf> {
        name::check(name)?;
        let name = name::join(&self.prefix, name);
        name::check(&name)?;
        Ok(self.root.path.join(name))
    }
}

impl StorageDir for DiskDir {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn Storage>> {
        let path = self.resolve(name)?;
        let writable = mode != OpenMode::ReadOnly;
        let (root, pool) = (&self.root, &self.root.pool);
        let slot = root.slot_of(&path).unwrap_or_else(|| pool.slot(None));
        let file = OneFile::new(path.clone(), writable);
        pool.add(&slot, &file, || {
            let opened = root.open(&path, writable, mode == OpenMode::Create)?;
            // Systems let folders be opened for reading.
            if !writable && opened.metadata()?.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            Ok(opened)
        })?;
        Ok(Arc::new(DiskFile::new(pool.clone(), slot, file)))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.resolve(name)?;
        fs::remove_file(&path)?;
        self.root.touch(&path);
        Ok(())
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        match fs::metadata(self.resolve(name)?) {
            Ok(found) => Ok(found.is_file()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn list(&self, name: &str) -> io::Result<Vec<String>> {
        let name = name::join(&self.prefix, name);
        name::check_folder(&name)?;
        let entries = match fs::read_dir(self.root.path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            // No name of ours is anything but UTF-8; what is not is somebody else's.
            names.extend(entry?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn stamp(&self, name: &str) -> io::Result<Option<Stamp>> {
        match fs::metadata(self.resolve(name)?) {
            Ok(found) => Ok(sys::stamp(&found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.root.sync()
    }

    fn lock(&self, name: &str) -> io::Result<Lock> {
        let path = self.resolve(name)?;
        let (root, pool) = (&self.root, &self.root.pool);
        let file = pool.with_room(|| root.open(&path, true, true))?;
        file.try_lock()?;
        let slot = pool.slot(Some(Claim::new(path.clone(), file)));
        root.lock(&path, &slot);
        Ok(Lock::resting(Held {
            root: self.root.clone(),
            path,
            slot,
        }))
    }

    fn subdir(&self, name: &str) -> Arc<dyn StorageDir> {
        // A bad name cannot be reported here; it stays in the prefix, and every call checks that.
        let name = if name.is_empty() { "." } else { name };
        Arc::new(Self {
            prefix: name::join(&self.prefix, name),
            root: self.root.clone(),
        })
    }
}

#[derive(Debug)]
struct Root {
    path: PathBuf,
    pool: FilePool,
    /// The locks that are held, by folder.
    locked: Mutex<HashMap<PathBuf, Vec<Locked>>>,
    /// Folders with entries that were created or removed since they were last synced.
    touched: Mutex<BTreeSet<PathBuf>>,
    /// Held while folders are synced, so that a second caller returns only when they are.
    syncing: Mutex<()>,
}

impl Root {
    /// The slot that a file belongs to: that of its lock, or of the lock on another file in its folder.
    fn slot_of(&self, path: &Path) -> Option<Arc<Slot>> {
        let locked = self.locked.lock().unwrap_or_else(PoisonError::into_inner);
        let locks = locked.get(path.parent()?)?;
        // The newest: those before it rest, or it could not have been taken.
        let own = locks
            .iter()
            .rfind(|lock| Some(&*lock.name) == path.file_name());
        own.or_else(|| locks.last())?.slot.upgrade()
    }

    fn lock(&self, path: &Path, slot: &Arc<Slot>) {
        if let (Some(folder), Some(name)) = (path.parent(), path.file_name()) {
            let mut locked = self.locked.lock().unwrap_or_else(PoisonError::into_inner);
            let locks = locked.entry(folder.to_owned()).or_default();
            locks.push(Locked {
                name: name.to_owned(),
                slot: Arc::downgrade(slot),
            });
        }
    }

    fn unlock(&self, path: &Path, slot: &Arc<Slot>) {
        if let Some(folder) = path.parent() {
            let mut locked = self.locked.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(locks) = locked.get_mut(folder) {
                locks.retain(|lock| lock.slot.as_ptr() != Arc::as_ptr(slot));
                if locks.is_empty() {
                    locked.remove(folder);
                }
            }
        }
    }

    fn open(&self, path: &Path, writable: bool, create: bool) -> io::Result<File> {
        match sys::open(path, writable) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && create => self.create(path),
            opened => opened,
        }
    }

    /// Creates a file and the folders above it.
    fn create(&self, path: &Path) -> io::Result<File> {
        if let Some(folder) = path.parent() {
            self.create_folder(folder)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = sys::private_file(&mut options).open(path)?;
        self.touch(path);
        Ok(file)
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        let missing: Vec<&Path> = folder
            .ancestors()
            .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
            .collect();
        sys::private_folder().recursive(true).create(folder)?;
        for path in missing {
            self.touch(path);
        }
        Ok(())
    }

    /// Notes that the entry `path` came or went.
    fn touch(&self, path: &Path) {
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        if !touched.contains(folder) {
            touched.insert(folder.to_owned());
        }
    }

    fn sync(&self) -> io::Result<()> {
        let _alone = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        let touched = || self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        let mut folders = std::mem::take(&mut *touched());
        while let Some(folder) = folders.pop_first() {
            match sys::sync_folder(&folder) {
                // Removed meanwhile, by somebody else: its own entry is not ours to keep.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    folders.insert(folder);
                    touched().append(&mut folders);
                    return Err(error);
                }
                Ok(()) => {}
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Locked {
    name: OsString,
    slot: Weak<Slot>,
}

/// A held lock.
#[derive(Debug)]
struct Held {
    root: Arc<Root>,
    path: PathBuf,
    slot: Arc<Slot>,
}

impl Rest for Held {
    fn rest(&self) {
        self.root.pool.rest(&self.slot);
    }

    fn hold(&self) -> io::Result<()> {
        self.root.pool.hold(&self.slot)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.root.unlock(&self.path, &self.slot);
        self.root.pool.unlock(&self.slot);
    }
}
