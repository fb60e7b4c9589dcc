use std::io;
use std::sync::Arc;

use hypercore_storage::{Lock, OpenMode, Stamp, Storage, StorageDir};

use crate::master_key::StoreLock;

/// A core's folder, which stays locked, and the store with it, for as long as the core is open.
#[derive(Debug)]
pub(crate) struct HeldDir {
    dir: Arc<dyn StorageDir>,
    _core: Lock,
    _store: Arc<StoreLock>,
}

impl HeldDir {
    pub(crate) fn new(dir: Arc<dyn StorageDir>, core: Lock, store: Arc<StoreLock>) -> Self {
        Self {
            dir,
            _core: core,
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
        self.dir.lock(name)
    }

    fn subdir(&self, name: &str) -> Arc<dyn StorageDir> {
        self.dir.subdir(name)
    }
}
