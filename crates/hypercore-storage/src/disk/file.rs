use std::fs::File;
use std::io;
use std::sync::Arc;

use super::slot::{OneFile, Slot};
use super::{FilePool, sys};
use crate::Storage;

/// One file on disk. Its descriptor comes and goes with the pool.
#[derive(Debug)]
pub(super) struct DiskFile {
    pool: FilePool,
    slot: Arc<Slot>,
    file: Arc<OneFile>,
}

impl DiskFile {
    /// A file that is in a slot of the pool.
    pub(super) fn new(pool: FilePool, slot: Arc<Slot>, file: Arc<OneFile>) -> Self {
        Self { pool, slot, file }
    }

    fn with<T>(&self, act: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        self.pool.with(&self.slot, &self.file, act)
    }

    fn writing<T>(&self, act: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        if !self.file.is_writable() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.with(|file| {
            self.slot.will_write(&self.file);
            act(file)
        })
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
        self.with(|file| self.slot.sync(&self.file, file))
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
        self.pool.forget(&self.slot, &self.file);
    }
}

fn check_range(offset: u64, len: usize) -> io::Result<()> {
    let end = offset
        .checked_add(len as u64)
        .filter(|end| *end <= sys::MAX_OFFSET);
    end.map(|_| ())
        .ok_or_else(|| io::ErrorKind::FileTooLarge.into())
}
