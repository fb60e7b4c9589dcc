//! The stores of those who read beside the holder: kept, so that what was fetched is fetched once, and
//! bounded, since nobody else ever looks after them.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::Root;

/// How much is kept in the stores of readers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Stores, those that are open included.
    stores: usize,
    /// Bytes on disk in all of them together.
    bytes: u64,
}

/// What is kept unless more stores are open at the same time.
pub(crate) const BOUNDS: Bounds = Bounds {
    stores: 4,
    bytes: 1 << 30,
};

/// Removes the stores that were used longest ago until the rest is within bounds. One that is open is
/// never removed, nor is anything that is no store. What cannot be read or removed stays.
pub(crate) fn tidy(root: &Root, bounds: Bounds) {
    let mut stores = stores(&root.readers());
    stores.sort_by_key(|store| store.used);
    let mut count = stores.len();
    let mut bytes: u64 = stores.iter().map(|store| store.bytes).sum();
    for store in &stores {
        if count <= bounds.stores && bytes <= bounds.bytes {
            return;
        }
        if let Ok(true) = store.remove() {
            count -= 1;
            bytes -= store.bytes;
        }
    }
}

/// A store of readers.
#[derive(Debug)]
struct Store {
    path: PathBuf,
    /// When it was last opened or closed, either of which makes or removes a file in it.
    used: SystemTime,
    bytes: u64,
}

impl Store {
    /// False if it is open.
    fn remove(&self) -> io::Result<bool> {
        let key = self.path.join("master_key");
        let lock = File::options().read(true).write(true).open(key)?;
        if lock.try_lock().is_err() {
            return Ok(false);
        }
        // Another process may take the number from here on, and makes a store of its own.
        let mut gone = self.path.clone().into_os_string();
        gone.push(format!(".{}.gone", std::process::id()));
        fs::rename(&self.path, &gone)?;
        fs::remove_dir_all(gone)?;
        Ok(true)
    }
}

fn stores(readers: &Path) -> Vec<Store> {
    let Ok(entries) = fs::read_dir(readers) else {
        return Vec::new();
    };
    let store = |entry: fs::DirEntry| {
        let path = entry.path();
        let name = entry.file_name();
        name.to_str()?.parse::<u32>().ok()?;
        let used = entry.metadata().ok()?.modified().ok()?;
        let bytes = size(&path);
        Some(Store { path, used, bytes })
    };
    entries.flatten().filter_map(store).collect()
}

/// The bytes that a folder takes on disk, as far as it can be read.
fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => taken(&metadata),
        Err(_) => 0,
    });
    sizes.sum()
}

/// Logs are files with holes where blocks are missing.
#[cfg(unix)]
fn taken(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(metadata).saturating_mul(512)
}

#[cfg(not(unix))]
fn taken(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Stores of 64 KiB each, the first one used longest ago.
    fn readers(count: u32) -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::new(dir.path());
        for number in 0..count {
            let store = root.reader(number);
            fs::create_dir_all(store.join("ab/cd")).unwrap();
            fs::write(store.join("master_key"), [7; 32]).unwrap();
            fs::write(store.join("ab/cd/data"), vec![7; 64 << 10]).unwrap();
            let used = SystemTime::now() - Duration::from_secs(3600 - u64::from(number));
            File::open(&store).unwrap().set_modified(used).unwrap();
        }
        (dir, root)
    }

    fn left(root: &Root) -> Vec<String> {
        let entries = fs::read_dir(root.readers()).unwrap().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let (_dir, root) = readers(6);
        let plenty = u64::MAX;
        let bounds = |stores| Bounds {
            stores,
            bytes: plenty,
        };
        tidy(&root, bounds(6));
        assert_eq!(left(&root), ["0", "1", "2", "3", "4", "5"]);
        tidy(&root, bounds(4));
        assert_eq!(left(&root), ["2", "3", "4", "5"]);
    }

    #[test]
    fn the_oldest_go_when_they_take_too_much_room() {
        let (_dir, root) = readers(4);
        let all = size(&root.readers());
        let one = size(&root.reader(0));
        assert!(one >= 64 << 10);
        let bounds = |bytes| Bounds { stores: 9, bytes };
        tidy(&root, bounds(all));
        assert_eq!(left(&root).len(), 4);
        tidy(&root, bounds(all - 1));
        assert_eq!(left(&root), ["1", "2", "3"]);
        tidy(&root, bounds(one));
        assert_eq!(left(&root), ["3"]);
        tidy(&root, bounds(0));
        assert!(left(&root).is_empty());
    }

    #[test]
    fn what_is_open_or_no_store_stays() {
        let (_dir, root) = readers(3);
        let key = root.reader(0).join("master_key");
        let open = File::options().write(true).read(true).open(key).unwrap();
        open.try_lock().unwrap();
        fs::create_dir(root.readers().join("notes")).unwrap();
        let none = Bounds {
            stores: 0,
            bytes: 0,
        };
        tidy(&root, none);
        assert_eq!(left(&root), ["0", "notes"]);
    }
}
