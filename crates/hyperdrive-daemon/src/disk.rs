//! The store's directory, with an eye on what fails.
//!
//! Most writes are made while a peer's data is taken in, where nobody waits for the result: a full
//! disk would look like a peer that sends nothing. So the first failure is noted here, and whoever
//! waits for data learns of it.

use std::io;
use std::sync::Arc;

use hypercore_storage::{Lock, OpenMode, Stamp, Storage, StorageDir};
use tokio::sync::watch;

/// The first failure of a write, once there is one. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    first: watch::Sender<Option<Arc<io::Error>>>,
}

impl Failure {
    pub(crate) fn new() -> Self {
        Self {
            first: watch::Sender::new(None),
        }
    }

    /// Waits for the failure, for ever if there is none. Cancel-safe.
    pub(crate) async fn noted(&self) -> io::Error {
        let mut first = self.first.subscribe();
        // The sender is in `self`, so it cannot be gone.
        match first
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|first| first.clone())
        {
            Some(error) => again(&error),
            None => std::future::pending().await,
        }
    }

    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            self.first.send_if_modified(|first| {
                let is_first = first.is_none();
                first.get_or_insert_with(|| Arc::new(again(error)));
                is_first
            });
        }
        result
    }
}

/// The same error once more.
fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// A directory whose failures are noted.
#[derive(Debug)]
pub(crate) struct Disk {
    dir: Arc<dyn StorageDir>,
    failure: Failure,
}

impl Disk {
    pub(crate) fn new(dir: Arc<dyn StorageDir>, failure: Failure) -> Self {
        Self { dir, failure }
    }
}

impl StorageDir for Disk {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn Storage>> {
        let opened = self.dir.open(name, mode);
        // That a file is not there is an answer, not a failure.
        let opened = if mode == OpenMode::Create {
            self.failure.note(opened)
        } else {
            opened
        };
        Ok(Arc::new(File {
            file: opened?,
            failure: self.failure.clone(),
        }))
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
        self.failure.note(self.dir.sync())
    }

    fn lock(&self, name: &str) -> io::Result<Lock> {
        self.dir.lock(name)
    }

    fn subdir(&self, name: &str) -> Arc<dyn StorageDir> {
        Arc::new(Self::new(self.dir.subdir(name), self.failure.clone()))
    }
}

#[derive(Debug)]
struct File {
    file: Arc<dyn Storage>,
    failure: Failure,
}

impl Storage for File {
    fn read(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, buf)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.failure.note(self.file.write(offset, data))
    }

    fn write_vectored(&self, offset: u64, parts: &[&[u8]]) -> io::Result<()> {
        self.failure.note(self.file.write_vectored(offset, parts))
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.failure.note(self.file.truncate(len))
    }

    fn sync(&self) -> io::Result<()> {
        self.failure.note(self.file.sync())
    }

    fn discard(&self, offset: u64, len: u64) -> io::Result<()> {
        self.file.discard(offset, len)
    }
}

#[cfg(test)]
mod tests {
    use testkit::{Call, Fault, FaultyDir};

    use super::*;

    #[tokio::test]
    async fn the_first_failed_write_is_noted() {
        let faulty = Arc::new(FaultyDir::new());
        let failure = Failure::new();
        let disk = Disk::new(faulty.clone(), failure.clone());
        let file = disk
            .subdir("folder")
            .open("file", OpenMode::Create)
            .unwrap();
        file.write(0, b"fits").unwrap();
        assert!(disk.open("missing", OpenMode::Existing).is_err());
        assert!(failure.first.borrow().is_none());

        faulty.inject(Fault::new(io::ErrorKind::StorageFull).on(&[Call::Write]));
        file.write(4, b"does not").unwrap_err();
        assert_eq!(failure.noted().await.kind(), io::ErrorKind::StorageFull);
        file.write(4, b"fits again").unwrap();
        // Noted once and for all: what was lost may be missing somewhere.
        assert_eq!(failure.noted().await.kind(), io::ErrorKind::StorageFull);
    }
}
