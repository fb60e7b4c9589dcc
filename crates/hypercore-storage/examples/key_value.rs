//! A storage of one's own: files as pages in a key-value store, which here is a map in memory.
//!
//! It passes the same tests as the storages of this crate (`tests/every_storage.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hypercore_storage::{Lock, OpenMode, Storage, StorageDir};

/// Files in a key-value store: an entry for each file's length, and one for each of its pages.
#[derive(Clone, Debug, Default)]
pub struct KeyValueDir {
    prefix: String,
    database: Arc<Mutex<Database>>,
}

/// What a real key-value store would keep in two tables.
#[derive(Debug, Default)]
struct Database {
    lengths: BTreeMap<String, u64>,
    pages: BTreeMap<(String, u64), [u8; PAGE]>,
    locked: BTreeSet<String>,
}

impl KeyValueDir {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn name(&self, name: &str) -> io::Result<String> {
        let name = format!("{}{name}", self.prefix);
        // The contract refuses names that would leave a directory or differ between systems.
        let plain = |part: &str| !matches!(part, "" | "." | "..");
        if name.split('/').all(plain) && !name.contains(['\0', '\\', ':']) {
            Ok(name)
        } else {
            Err(io::ErrorKind::InvalidInput.into())
        }
    }
}

impl StorageDir for KeyValueDir {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn Storage>> {
        let name = self.name(name)?;
        let mut database = lock(&self.database);
        if !database.lengths.contains_key(&name) {
            if mode != OpenMode::Create {
                return Err(io::ErrorKind::NotFound.into());
            }
            database.lengths.insert(name.clone(), 0);
        }
        let writable = mode != OpenMode::ReadOnly;
        Ok(Arc::new(KeyValueFile {
            name,
            writable,
            database: self.database.clone(),
        }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let name = self.name(name)?;
        let mut database = lock(&self.database);
        database
            .lengths
            .remove(&name)
            .ok_or(io::ErrorKind::NotFound)?;
        database.pages.retain(|(file, _), _| *file != name);
        Ok(())
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        let name = self.name(name)?;
        Ok(lock(&self.database).lengths.contains_key(&name))
    }

    fn list(&self, name: &str) -> io::Result<Vec<String>> {
        let below = match name {
            "" => self.prefix.clone(),
            name => format!("{}/", self.name(name)?),
        };
        let database = lock(&self.database);
        let inside = database
            .lengths
            .keys()
            .filter_map(|path| path.strip_prefix(&below));
        let names: BTreeSet<&str> = inside.filter_map(|rest| rest.split('/').next()).collect();
        Ok(names.into_iter().map(str::to_owned).collect())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(()) // a real one commits
    }

    fn lock(&self, name: &str) -> io::Result<Lock> {
        self.open(name, OpenMode::Create)?;
        let name = self.name(name)?;
        if !lock(&self.database).locked.insert(name.clone()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Lock::new(Held {
            name,
            database: self.database.clone(),
        }))
    }

    fn subdir(&self, name: &str) -> Arc<dyn StorageDir> {
        let prefix = format!("{}{name}/", self.prefix);
        Arc::new(Self {
            prefix,
            database: self.database.clone(),
        })
    }
}

#[derive(Debug)]
struct KeyValueFile {
    name: String,
    writable: bool,
    database: Arc<Mutex<Database>>,
}

impl KeyValueFile {
    /// The database, and the file's length in it.
    fn open(&self) -> io::Result<(MutexGuard<'_, Database>, u64)> {
        let database = lock(&self.database);
        let len = *database
            .lengths
            .get(&self.name)
            .ok_or(io::ErrorKind::NotFound)?;
        Ok((database, len))
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.writable {
            Ok(())
        } else {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
}

impl Storage for KeyValueFile {
    fn read(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let (database, len) = self.open()?;
        let end = offset.saturating_add(buf.len() as u64);
        if end > len && !buf.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (at, byte) in (offset..end).zip(buf) {
            let page = database.pages.get(&(self.name.clone(), at / PAGE as u64));
            *byte = page.map_or(0, |page| page[within_page(at)]);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check_writable()?;
        let end = offset
            .checked_add(data.len() as u64)
            .filter(|end| *end <= MAX_LEN);
        let end = end.ok_or(io::ErrorKind::FileTooLarge)?;
        let (mut database, len) = self.open()?;
        if data.is_empty() {
            return Ok(());
        }
        for (at, byte) in (offset..end).zip(data) {
            let key = (self.name.clone(), at / PAGE as u64);
            database.pages.entry(key).or_insert([0; PAGE])[within_page(at)] = *byte;
        }
        database.lengths.insert(self.name.clone(), len.max(end));
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        self.open().map(|(_, len)| len)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.check_writable()?;
        if len > MAX_LEN {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let (mut database, _) = self.open()?;
        database.lengths.insert(self.name.clone(), len);
        let (last, keep) = (len / PAGE as u64, within_page(len));
        database
            .pages
            .retain(|(file, page), _| *file != self.name || *page <= last);
        if let Some(page) = database.pages.get_mut(&(self.name.clone(), last)) {
            page[keep..].fill(0);
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(()) // a real one commits
    }
}

struct Held {
    name: String,
    database: Arc<Mutex<Database>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        lock(&self.database).locked.remove(&self.name);
    }
}

fn lock(database: &Mutex<Database>) -> MutexGuard<'_, Database> {
    database.lock().unwrap_or_else(PoisonError::into_inner)
}

fn within_page(at: u64) -> usize {
    usize::try_from(at % PAGE as u64).expect("a page fits into memory")
}

const PAGE: usize = 512;

/// No file is longer, on whatever storage.
const MAX_LEN: u64 = i64::MAX as u64;

#[allow(dead_code)] // the tests use this file as a module
fn main() -> io::Result<()> {
    let dir = KeyValueDir::new();
    let file = dir.subdir("notes").open("data", OpenMode::Create)?;
    file.write(1000, b"hello")?;
    let mut read = [0; 5];
    file.read(1000, &mut read)?;
    println!(
        "{:?} holds {:?}",
        dir.list("notes")?,
        String::from_utf8_lossy(&read)
    );
    Ok(())
}
