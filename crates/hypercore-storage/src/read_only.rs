use std::io;
use std::sync::Arc;

use crate::{Lock, OpenMode, Stamp, Storage, StorageDir};

/// Another directory, of which nothing can be changed.
///
/// Files open whatever mode is asked for, if they are there; opening one that is not, writing,
/// removing and locking fail with [`io::ErrorKind::PermissionDenied`].
#[derive(Clone, Debug)]
pub struct ReadOnlyDir(Arc<dyn StorageDir>);

impl ReadOnlyDir {
    /// The files of `dir`, for reading only.
    pub fn new(dir: Arc<dyn StorageDir>) -> Self {
        Self(dir)
    }
}

impl StorageDir for ReadOnlyDir {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn Storage>> {
        match self.0.open(name, OpenMode::ReadOnly) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && mode == OpenMode::Create => {
                Err(io::ErrorKind::PermissionDenied.into())
            }
            opened => opened,
        }
    }

    fn remove(&self, _name: &str) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        self.0.exists(name)
    }

    fn list(&self, name: &str) -> io::Result<Vec<String>> {
        self.0.list(name)
    }

    fn stamp(&self, name: &str) -> io::Result<Option<Stamp>> {
        self.0.stamp(name)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _name: &str) -> io::Result<Lock> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn subdir(&self, name: &str) -> Arc<dyn StorageDir> {
        Arc::new(Self(self.0.subdir(name)))
    }
}
