use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use hypercore_storage::{Lock, OpenMode, Stamp, Storage, StorageDir};

use crate::layout::BITFIELD;
use crate::master_key::StoreLock;

/// A core's folder, which keeps the store locked for as long as the core is open. The core's own lock
/// was taken before its keys were looked at, and goes to the log.
#[derive(Debug)]
pub(crate) struct HeldDir {
    dir: Arc<dyn StorageDir>,
    core: Mutex<Option<Lock>>,
    _store: Arc<StoreLock>,
}

impl HeldDir {
    pub(crate) fn new(dir: Arc<dyn StorageDir>, core: Lock, store: Arc<StoreLock>) -> Self {
        Self {
            dir,
            core: Mutex::new(Some(core)),
            _store: store,
        }
    }
}

impl StorageDir for HeldDir {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn Storage>> {
        self.dir.open(name, mode)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.dir.remove(name)
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        self.dir.exists(name)
    }

    fn list(&self, name: &str) -> io::Result<Vec<String>> {
        self.dir.list(name)
    }

    fn stamp(&self, name: &str) -> io::Result<Option<Stamp>> {
        self.dir.stamp(name)
    }

    fn sync(&self) -> io::Result<()> {
        self.dir.sync()
    }

    fn lock(&self, name: &str) -> io::Result<Lock> {
        let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        match core.take_if(|_| name == BITFIELD) {
            Some(lock) => Ok(lock),
            None => self.dir.lock(name),
        }
    }

    fn subdir(&self, name: &str) -> Arc<dyn StorageDir> {
        self.dir.subdir(name)
    }
}
