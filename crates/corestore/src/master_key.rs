//! The store's secret, and the lock on it.

use std::io;
use std::sync::Arc;

use hypercore_storage::{Lock, OpenMode, Stamp, StorageDir};
use zeroize::Zeroizing;

use crate::layout::{HOLDER, MASTER_KEY};
use crate::list::StoredCores;
use crate::{OpenError, Options};

/// Takes the store's lock and finds its master key, making one if the store is new.
pub(crate) fn open(
    dir: &Arc<dyn StorageDir>,
    options: &Options,
) -> Result<(StoreLock, Zeroizing<[u8; 32]>), OpenError> {
    let lock = StoreLock::take(dir.clone())?;
    let key = match &options.master_key {
        Some(key) => key.clone(),
        None => read_or_create(dir)?,
    };
    Ok((lock, key))
}

/// The store's lock, held until dropped.
#[derive(Debug)]
pub(crate) struct StoreLock {
    dir: Arc<dyn StorageDir>,
    _lock: Lock,
}

impl StoreLock {
    pub(crate) fn take(dir: Arc<dyn StorageDir>) -> Result<Self, OpenError> {
        let lock = match dir.lock(MASTER_KEY) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(OpenError::Locked {
                    holder: holder(&*dir),
                });
            }
            lock => lock?,
        };
        let file = dir.open(HOLDER, OpenMode::Create)?;
        file.truncate(0)?;
        file.write(0, holder_line().as_bytes())?;
        Ok(Self { dir, _lock: lock })
    }

    /// The stamp of something that has just been written in the directory; `None` where there are no
    /// stamps.
    pub(crate) fn now(&self) -> Option<Stamp> {
        self.dir.stamp(HOLDER).ok()??;
        let file = self.dir.open(HOLDER, OpenMode::Existing).ok()?;
        file.write(0, holder_line().as_bytes()).ok()?;
        self.dir.stamp(HOLDER).ok()?
    }
}

impl Drop for StoreLock {
    fn drop(&mut self) {
        // A file that stays behind misleads nobody: it is only read while the lock is held.
        let _ = self.dir.remove(HOLDER);
    }
}

fn holder(dir: &dyn StorageDir) -> Option<u32> {
    let text = crate::identity::read(dir, HOLDER, MAX_HOLDER_BYTES).ok()??;
    std::str::from_utf8(&text)
        .ok()?
        .strip_suffix('\n')?
        .parse()
        .ok()
}

fn holder_line() -> String {
    format!("{}\n", std::process::id())
}

/// A process id in decimal and a line feed.
const MAX_HOLDER_BYTES: usize = 16;

/// Puts a master key into a directory that has none, or has this one.
pub(crate) fn restore(dir: &Arc<dyn StorageDir>, key: &[u8; 32]) -> Result<(), OpenError> {
    let file = dir.open(MASTER_KEY, OpenMode::Create)?;
    let mut stored = Zeroizing::new([0; 32]);
    if file.len()? >= 32 {
        file.read(0, &mut stored[..])?;
        if *stored == *key {
            return Ok(());
        }
        if *stored != [0; 32] {
            return Err(OpenError::OtherMasterKey);
        }
    }
    file.write(0, key)?;
    file.sync()?;
    Ok(dir.sync()?)
}

fn read_or_create(dir: &Arc<dyn StorageDir>) -> Result<Zeroizing<[u8; 32]>, OpenError> {
    let file = dir.open(MASTER_KEY, OpenMode::Create)?;
    let size = file.len()?;
    let mut key = Zeroizing::new([0; 32]);
    if size >= 32 {
        file.read(0, &mut key[..])?;
        if *key != [0; 32] {
            return Ok(key);
        }
    }
    // There is no key yet; or one that a crash cut short or left blank before anything was derived
    // from it, since it is made durable below before it is used.
    for core in StoredCores::new(dir.clone()) {
        if core?.is_named() {
            return Err(OpenError::MasterKey { size });
        }
    }
    getrandom::fill(&mut key[..]).map_err(io::Error::other)?;
    file.write(0, &key[..])?;
    file.sync()?;
    dir.sync()?;
    Ok(key)
}
