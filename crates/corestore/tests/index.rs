//! The index saves reading every core for a listing, and never says what the folders do not.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use corestore::{Corestore, Options, Stored};
use hypercore_crypto::KeyPair;
use hypercore_storage::{DiskDir, Lock, MemoryDir, OpenMode, Stamp, Storage, StorageDir};

const INDEX: &str = "corestore.index";

/// Enough to make an index worth its while.
const CORES: u32 = 100;

/// A store on disk with so many cores, all of which the index knows.
fn filled() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for n in 0..CORES {
        store.get_by_name(n.to_le_bytes()).unwrap();
    }
    store.close().unwrap();
    // What has changed within the last tick of the clock is not taken for known.
    let begin = Instant::now();
    while calls_of_a_listing(folder.path()) > FEW_CALLS {
        assert!(
            begin.elapsed() < Duration::from_secs(30),
            "the clock stands"
        );
        fs::remove_file(folder.path().join(INDEX)).unwrap();
        keys(&open(folder.path()));
    }
    folder
}

/// For the top, the index, and the file that tells the time.
const FEW_CALLS: usize = 3;

/// How often something is opened or listed.
fn calls_of_a_listing(folder: &Path) -> usize {
    let calls = Arc::new(AtomicUsize::new(0));
    let dir = Counting {
        dir: Arc::new(DiskDir::new(folder)),
        calls: calls.clone(),
    };
    let store = Corestore::open(Arc::new(dir), Options::new()).unwrap();
    calls.store(0, Ordering::Relaxed);
    keys(&store);
    calls.load(Ordering::Relaxed)
}

fn open(folder: &Path) -> Corestore {
    Corestore::open(Arc::new(DiskDir::new(folder)), Options::new()).unwrap()
}

fn keys(store: &Corestore) -> Vec<Stored> {
    store.list().map(Result::unwrap).collect()
}

/// What a walk over the folders of a copy finds: there is no index, and the copy has other stamps.
fn walked(folder: &Path) -> Vec<Stored> {
    fs::remove_file(folder.join(INDEX)).ok();
    let store = open(folder);
    let found = keys(&store);
    store.close().unwrap();
    found
}

fn core_folder(folder: &Path, core: &Stored) -> PathBuf {
    let id = hex::encode(core.discovery_key().as_bytes());
    folder.join(&id[..2]).join(&id[2..4]).join(id)
}

/// A directory that counts what is opened and listed in it.
#[derive(Debug)]
struct Counting {
    dir: Arc<dyn StorageDir>,
    calls: Arc<AtomicUsize>,
}

impl StorageDir for Counting {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn Storage>> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.dir.open(name, mode)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.dir.remove(name)
    }
    fn exists(&self, name: &str) -> io::Result<bool> {
        self.dir.exists(name)
    }
    fn list(&self, name: &str) -> io::Result<Vec<String>> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.dir.list(name)
    }
    fn stamp(&self, name: &str) -> io::Result<Option<Stamp>> {
        self.dir.stamp(name)
    }
    fn sync(&self) -> io::Result<()> {
        self.dir.sync()
    }
    fn lock(&self, name: &str) -> io::Result<Lock> {
        self.dir.lock(name)
    }
    fn subdir(&self, name: &str) -> Arc<dyn StorageDir> {
        Arc::new(Self {
            dir: self.dir.subdir(name),
            calls: self.calls.clone(),
        })
    }
}

#[test]
fn what_is_known_is_not_read_again() {
    let folder = filled();
    assert!(calls_of_a_listing(folder.path()) <= FEW_CALLS);
    let found = keys(&open(folder.path()));
    assert_eq!(found, walked(folder.path()));
    assert_eq!(found.len(), CORES as usize);
    assert!(
        found
            .iter()
            .all(|core| core.is_named() && core.is_writable())
    );
}

/// Folders of large stores are asked about on several threads.
#[test]
fn a_large_store_is_known_as_well() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..1500_u32 {
        // A core that was never opened here has nothing but its key.
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&n.to_le_bytes());
        let key = KeyPair::from_seed(&seed).public;
        let id = hex::encode(key.discovery_key().as_bytes());
        let core = folder.path().join(&id[..2]).join(&id[2..4]).join(id);
        fs::create_dir_all(&core).unwrap();
        fs::write(core.join("key"), key.as_bytes()).unwrap();
    }
    let before = walked(folder.path());
    assert_eq!(before.len(), 1500);
    let begin = Instant::now();
    while calls_of_a_listing(folder.path()) > FEW_CALLS {
        assert!(
            begin.elapsed() < Duration::from_secs(30),
            "the clock stands"
        );
        walked(folder.path());
    }
    assert_eq!(keys(&open(folder.path())), before);

    // What changes is seen in every part of the store, also while a listing is under way.
    let store = open(folder.path());
    let mut listing = store.list();
    assert_eq!(listing.next().unwrap().unwrap(), before[0]);
    for gone in [700, 1490] {
        fs::remove_dir_all(core_folder(folder.path(), &before[gone])).unwrap();
    }
    let rest: Vec<_> = listing.map(Result::unwrap).collect();
    assert!(!rest.contains(&before[1490]) && rest.len() >= 1497);
    assert_eq!(keys(&store).len(), 1498);
    drop(store);
    assert_eq!(walked(folder.path()).len(), 1498);
}

#[test]
fn small_stores_have_none() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for n in 0..10_u32 {
        store.get_by_name(n.to_le_bytes()).unwrap();
    }
    assert_eq!(keys(&store).len(), 10);
    store.close().unwrap();
    assert!(!folder.path().join(INDEX).exists());
}

/// Another program, or a person, changes folders while no store is open.
#[test]
fn what_came_and_went_meanwhile_is_seen() {
    let folder = filled();
    let before = keys(&open(folder.path()));

    // A core goes, with its shard or without.
    fs::remove_dir_all(core_folder(folder.path(), &before[3])).unwrap();
    let shard = core_folder(folder.path(), &before[50]);
    fs::remove_dir_all(shard.parent().unwrap()).unwrap();
    // A key is exchanged for one that does not fit.
    let broken = core_folder(folder.path(), &before[7]);
    fs::remove_file(broken.join("key")).unwrap();
    fs::write(broken.join("key"), [7; 32]).unwrap();
    // A name is lost.
    fs::remove_file(core_folder(folder.path(), &before[9]).join("name")).unwrap();
    // One comes into a shard that is there, one into a new one.
    let other = tempfile::tempdir().unwrap();
    let source = open(other.path());
    let pair = KeyPair::from_seed(&[1; 32]);
    source.get_by_key_pair(&pair).unwrap();
    let new = keys(&source).remove(0);
    source.close().unwrap();
    let to = core_folder(folder.path(), &new);
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::rename(core_folder(other.path(), &new), &to).unwrap();

    let found = keys(&open(folder.path()));
    assert_eq!(found, walked(folder.path()));
    assert_eq!(found.len(), CORES as usize - 2);
    let has = |core: &Stored| found.iter().any(|it| it.public_key() == core.public_key());
    assert!(has(&new) && !has(&before[3]) && !has(&before[50]) && !has(&before[7]));
    let nameless = found
        .iter()
        .find(|it| it.discovery_key() == before[9].discovery_key());
    assert!(!nameless.unwrap().is_writable());
}

#[test]
fn a_damaged_or_foreign_index_is_passed_over() {
    let folder = filled();
    let before = keys(&open(folder.path()));
    let index = folder.path().join(INDEX);
    let good = fs::read(&index).unwrap();
    for at in (0..good.len()).step_by(good.len() / 20) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&index, &bad).unwrap();
        assert_eq!(keys(&open(folder.path())), before, "byte {at}");
        fs::write(&index, &good[..at]).unwrap();
        assert_eq!(keys(&open(folder.path())), before, "cut at {at}");
    }
    // That of a store with other cores: none of its folders are these.
    let other = tempfile::tempdir().unwrap();
    let store = open(other.path());
    store.get_by_name("alone").unwrap();
    store.close().unwrap();
    fs::write(other.path().join(INDEX), &good).unwrap();
    assert_eq!(keys(&open(other.path())).len(), 1);
}

#[test]
fn a_walk_that_stops_half_way_keeps_nothing() {
    let folder = filled();
    let index = folder.path().join(INDEX);
    fs::remove_file(&index).unwrap();
    let store = open(folder.path());
    assert_eq!(store.list().take(50).count(), 50);
    assert!(!index.exists());
    assert_eq!(keys(&store).len(), CORES as usize);
    assert!(index.exists());
    // A store that was closed may be another program's by now.
    fs::remove_file(&index).unwrap();
    let late = store.list();
    store.close().unwrap();
    fs::remove_file(&index).ok();
    drop(late);
    assert_eq!(store.list().count(), CORES as usize);
    assert!(!index.exists());
}

/// Memory with a clock that stands until it is told to go on.
#[derive(Clone, Debug)]
struct Clocked {
    dir: Arc<dyn StorageDir>,
    clock: Arc<AtomicI64>,
    /// When each path changed last.
    changed: Arc<Mutex<std::collections::HashMap<String, i64>>>,
    prefix: String,
}

impl Clocked {
    fn path(&self, name: &str) -> String {
        match self.prefix.is_empty() {
            true => name.to_owned(),
            false => format!("{}/{name}", self.prefix),
        }
    }

    fn touch(&self, name: &str) {
        let path = self.path(name);
        let now = self.clock.load(Ordering::Relaxed);
        let mut changed = self.changed.lock().unwrap();
        let new = changed.insert(path.clone(), now).is_none();
        let mut rest = path.as_str();
        // A folder changes when what is in it comes, and so do those above while they come.
        while let (true, Some((above, _))) = (new, rest.rsplit_once('/')) {
            changed.insert(above.to_owned(), now);
            rest = above;
        }
    }
}

impl StorageDir for Clocked {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn Storage>> {
        if mode != OpenMode::ReadOnly {
            self.touch(name);
        }
        self.dir.open(name, mode)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.touch(name);
        self.changed.lock().unwrap().remove(&self.path(name));
        let now = self.clock.load(Ordering::Relaxed);
        self.changed
            .lock()
            .unwrap()
            .insert(self.prefix.clone(), now);
        self.dir.remove(name)
    }
    fn exists(&self, name: &str) -> io::Result<bool> {
        self.dir.exists(name)
    }
    fn list(&self, name: &str) -> io::Result<Vec<String>> {
        self.dir.list(name)
    }
    fn stamp(&self, name: &str) -> io::Result<Option<Stamp>> {
        let changed = self.changed.lock().unwrap();
        let changed = changed.get(&self.path(name));
        Ok(changed.map(|changed| Stamp::new(1, *changed)))
    }
    fn sync(&self) -> io::Result<()> {
        self.dir.sync()
    }
    fn lock(&self, name: &str) -> io::Result<Lock> {
        self.touch(name);
        self.dir.lock(name)
    }
    fn subdir(&self, name: &str) -> Arc<dyn StorageDir> {
        Arc::new(Self {
            dir: self.dir.subdir(name),
            prefix: self.path(name),
            ..self.clone()
        })
    }
}

/// Two changes within one tick of the clock leave the same stamp, so what changed in the tick of the
/// listing is not taken for known.
#[test]
fn changes_within_one_tick_are_seen() {
    let clocked = Clocked {
        dir: Arc::new(MemoryDir::new()),
        clock: Arc::new(AtomicI64::new(1_000_000_001)),
        changed: Arc::default(),
        prefix: String::new(),
    };
    let dir: Arc<dyn StorageDir> = Arc::new(clocked.clone());
    let store = Corestore::open(dir.clone(), Options::new()).unwrap();
    for n in 0..CORES {
        store.get_by_name(n.to_le_bytes()).unwrap();
    }
    assert_eq!(keys(&store).len(), CORES as usize);
    assert!(dir.exists(INDEX).unwrap());
    // In the same tick, in a folder that has just been listed.
    let core = keys(&store).remove(0);
    let id = hex::encode(core.discovery_key().as_bytes());
    let place = format!("{}/{}/{id}", &id[..2], &id[2..4]);
    dir.subdir(&place).remove("name").unwrap();
    assert!(!keys(&store)[0].is_named());
    // When the clock has ticked on, listing makes it known; what changes then has another stamp.
    clocked.clock.fetch_add(1_000_000_000, Ordering::Relaxed);
    keys(&store);
    let name = dir.subdir(&place).open("name", OpenMode::Create).unwrap();
    name.write(0, b"\x041234").unwrap();
    assert!(keys(&store)[0].is_named());
}
