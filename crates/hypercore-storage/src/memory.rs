use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::{Lock, OpenMode, Storage, StorageDir};

/// Files in memory. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryDir {
    prefix: String,
    files: Arc<Mutex<BTreeMap<String, Arc<Memory>>>>,
    locks: Arc<Mutex<BTreeSet<String>>>,
}

impl MemoryDir {
    /// An empty directory.
    pub fn new() -> Self {
        Self::default()
    }
}

impl StorageDir for MemoryDir {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn Storage>> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("{}{name}", self.prefix);
        match files.get(&name) {
            Some(file) => Ok(file.clone()),
            None if mode == OpenMode::Create => {
                let file = Arc::new(Memory::default());
                files.insert(name, file.clone());
                Ok(file)
            }
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        match files.remove(&format!("{}{name}", self.prefix)) {
            Some(_) => Ok(()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(files.contains_key(&format!("{}{name}", self.prefix)))
    }

    fn list(&self, name: &str) -> io::Result<Vec<String>> {
        let mut prefix = format!("{}{name}", self.prefix);
        if !name.is_empty() {
            prefix.push('/');
        }
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let names: BTreeSet<&str> = files
            .keys()
            .filter_map(|path| path.strip_prefix(&prefix))
            .map(|rest| rest.split('/').next().unwrap_or(rest))
            .collect();
        Ok(names.into_iter().map(str::to_owned).collect())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, name: &str) -> io::Result<Lock> {
        self.open(name, OpenMode::Create)?;
        let name = format!("{}{name}", self.prefix);
        let mut held = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.insert(name.clone()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Lock::new(Held {
            name,
            locks: self.locks.clone(),
        }))
    }

    fn subdir(&self, name: &str) -> Arc<dyn StorageDir> {
        Arc::new(Self {
            prefix: format!("{}{name}/", self.prefix),
            ..self.clone()
        })
    }
}

#[derive(Debug)]
struct Held {
    name: String,
    locks: Arc<Mutex<BTreeSet<String>>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.locks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.name);
    }
}

#[derive(Debug, Default)]
struct Memory(RwLock<Vec<u8>>);

impl Storage for Memory {
    fn read(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let bytes = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let range = start
            .checked_add(buf.len())
            .and_then(|end| bytes.get(start..end));
        buf.copy_from_slice(range.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut bytes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let end = start
            .checked_add(data.len())
            .ok_or(io::ErrorKind::FileTooLarge)?;
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[start..end].copy_from_slice(data);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.read().unwrap_or_else(PoisonError::into_inner).len() as u64)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .resize(len, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
