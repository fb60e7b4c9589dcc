use std::fs::File;
use std::io;

use crate::Storage;
use crate::disk::sys;

/// One file on disk.
#[derive(Debug)]
pub(crate) struct DiskFile {
    file: File,
    writable: bool,
}

impl DiskFile {
    pub(crate) fn new(file: File, writable: bool) -> Self {
        Self { file, writable }
    }

    fn for_writing(&self) -> io::Result<&File> {
        if self.writable {
            Ok(&self.file)
        } else {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
}

impl Storage for DiskFile {
    fn read(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        sys::read_exact_at(&self.file, offset, buf)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        sys::write_all_at(self.for_writing()?, offset, data)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.for_writing()?.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn discard(&self, offset: u64, len: u64) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        sys::punch_hole(self.for_writing()?, offset, len)
    }
}
