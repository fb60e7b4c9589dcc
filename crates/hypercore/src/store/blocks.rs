use std::io;
use std::sync::Arc;

use hypercore_storage::{OpenMode, Storage, StorageDir};

/// The file `data`: all blocks, back to back. It comes into being with the first byte.
#[derive(Debug)]
pub(crate) struct BlockFile {
    dir: Arc<dyn StorageDir>,
    file: Option<Arc<dyn Storage>>,
    /// Whether the file was created here and its name may not survive a crash.
    unlisted: bool,
}

impl BlockFile {
    pub(crate) fn open(dir: Arc<dyn StorageDir>, read_only: bool) -> io::Result<Self> {
        let mode = if read_only {
            OpenMode::ReadOnly
        } else {
            OpenMode::Existing
        };
        let file = match dir.open(NAME, mode) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            opened => Some(opened?),
        };
        Ok(Self {
            dir,
            file,
            unlisted: false,
        })
    }

    /// Reads exactly `bytes` bytes; [`io::ErrorKind::UnexpectedEof`] if there are fewer.
    pub(crate) fn read(&self, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
        let mut out = vec![0; bytes];
        if bytes > 0 {
            let file = self.file.as_ref().ok_or(io::ErrorKind::UnexpectedEof)?;
            file.read(offset, &mut out)?;
        }
        Ok(out)
    }

    pub(crate) fn write(&mut self, offset: u64, parts: &[&[u8]]) -> io::Result<()> {
        match parts {
            [] | [[]] => Ok(()),
            [part] => self.file()?.write(offset, part),
            _ => self.file()?.write_vectored(offset, parts),
        }
    }

    /// Gives the space of a range back, if the storage can.
    pub(crate) fn discard(&self, offset: u64, bytes: u64) -> io::Result<()> {
        match &self.file {
            Some(file) => file.discard(offset, bytes),
            None => Ok(()),
        }
    }

    /// The file, if there is one.
    pub(crate) fn handle(&self) -> Option<Arc<dyn Storage>> {
        self.file.clone()
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), |file| file.sync())
    }

    /// Whether the directory has to be synced for the file to survive a crash.
    pub(crate) fn is_unlisted(&self) -> bool {
        self.unlisted
    }

    /// The directory was synced.
    pub(crate) fn set_listed(&mut self) {
        self.unlisted = false;
    }

    fn file(&mut self) -> io::Result<&dyn Storage> {
        if self.file.is_none() {
            self.unlisted = true;
            self.file = Some(self.dir.open(NAME, OpenMode::Create)?);
        }
        Ok(&**self.file.as_ref().expect("opened above"))
    }
}

const NAME: &str = "data";
