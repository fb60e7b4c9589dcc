use std::fs::{File, OpenOptions};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::pool::Slot;
use super::{Root, sys};
use crate::Storage;

/// One file on disk. Its descriptor comes and goes with the pool.
#[derive(Debug)]
pub(super) struct DiskFile {
    path: PathBuf,
    writable: bool,
    root: Arc<Root>,
    slot: Arc<Slot>,
    /// Which file it was when it was opened, where the system tells.
    identity: Option<sys::Identity>,
    /// The descriptor that holds the file's lock. Where locks bind (Windows) only it may be used.
    locked: Option<Arc<File>>,
}

impl DiskFile {
    /// A file opened with `file`.
    pub(super) fn new(
        root: Arc<Root>,
        path: PathBuf,
        writable: bool,
        file: File,
    ) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let slot = root.pool.slot(file);
        let identity = sys::identity(&metadata);
        Ok(Self {
            path,
            writable,
            root,
            slot,
            identity,
            locked: None,
        })
    }

    /// A file whose lock is held by `file`.
    pub(super) fn locked(root: Arc<Root>, path: PathBuf, writable: bool, file: Arc<File>) -> Self {
        let slot = root.pool.empty_slot();
        Self {
            path,
            writable,
            root,
            slot,
            identity: None,
            locked: Some(file),
        }
    }

    fn with<T>(&self, act: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        match &self.locked {
            Some(file) => act(file),
            None => self.root.pool.with(&self.slot, || self.reopen(), act),
        }
    }

    fn writing<T>(&self, act: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        if !self.writable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.with(|file| {
            self.slot.will_write();
            act(file)
        })
    }

    fn reopen(&self) -> io::Result<File> {
        let file = OpenOptions::new()
            .read(true)
            .write(self.writable)
            .open(&self.path)?;
        if sys::identity(&file.metadata()?) != self.identity {
            return Err(io::Error::other(
                "the file was replaced while it was in use",
            ));
        }
        Ok(file)
    }
}

impl Storage for DiskFile {
    fn read(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if buf.is_empty() {
            return Ok(());
        }
        // Beyond what the system can count there is nothing to read.
        check_range(offset, buf.len()).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        self.with(|file| sys::read_exact_at(file, offset, buf))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        check_range(offset, data.len())?;
        self.writing(|file| sys::write_all_at(file, offset, data))
    }

    fn write_vectored(&self, offset: u64, parts: &[&[u8]]) -> io::Result<()> {
        check_range(offset, parts.iter().map(|part| part.len()).sum())?;
        self.writing(|file| sys::write_all_vectored_at(file, offset, parts))
    }

    fn len(&self) -> io::Result<u64> {
        self.with(|file| Ok(file.metadata()?.len()))
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        check_range(len, 0)?;
        self.writing(|file| file.set_len(len))
    }

    fn sync(&self) -> io::Result<()> {
        self.with(|file| self.slot.sync(file))
    }

    fn discard(&self, offset: u64, len: u64) -> io::Result<()> {
        self.writing(|file| {
            // Beyond the end there is nothing to give back, and systems refuse absurd ranges.
            let len = len.min(file.metadata()?.len().saturating_sub(offset));
            if len == 0 {
                Ok(())
            } else {
                sys::punch_hole(file, offset, len)
            }
        })
    }
}

impl Drop for DiskFile {
    fn drop(&mut self) {
        self.root.pool.forget(&self.slot);
    }
}

fn check_range(offset: u64, len: usize) -> io::Result<()> {
    let end = offset
        .checked_add(len as u64)
        .filter(|end| *end <= sys::MAX_OFFSET);
    end.map(|_| ())
        .ok_or_else(|| io::ErrorKind::FileTooLarge.into())
}
