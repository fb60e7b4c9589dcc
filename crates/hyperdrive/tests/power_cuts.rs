//! What a power cut leaves of a drive: the state after one of its changes, and no file of another's
//! bytes in any version.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use corestore::Corestore;
use futures_lite::future::block_on;
use hyperdrive::{Attributes, Drive, DriveError, Durability, Mount, Options};
use testkit::{Call, Fault, FaultyDir, Keep, Rng};

/// Paths and contents; of folders the word itself.
type Tree = BTreeMap<String, Vec<u8>>;

/// Blocks so small that files have several.
const BLOCK: usize = 100;

async fn open(dir: &FaultyDir, durability: Durability) -> Drive {
    let options = corestore::Options::new().master_key([3; 32]);
    let store = Corestore::open(Arc::new(dir.clone()), options).unwrap();
    let options = Options::new().block_size(BLOCK).durability(durability);
    Drive::create(&store, options).await.unwrap()
}

async fn tree(drive: &Drive) -> Result<Tree, DriveError> {
    let mut tree = Tree::new();
    for entry in drive.read_dir("/", true).await?.sorted().await? {
        let content = match entry.stat.is_dir() {
            true => b"folder".to_vec(),
            false => drive.read_file(&entry.path).await?.to_vec(),
        };
        tree.insert(entry.path, content);
    }
    Ok(tree)
}

/// A drive, and what it looked like after each change.
struct Recording {
    dir: FaultyDir,
    drive: Drive,
    durability: Durability,
    rng: Rng,
    /// Where the directory's log ended after each change, and the state.
    states: Vec<(usize, Tree)>,
    /// After how many changes each flush began, and where the directory's log ended.
    flushes: Vec<(usize, usize)>,
    contents: BTreeSet<Vec<u8>>,
}

impl Recording {
    async fn new(durability: Durability, seed: u64) -> Self {
        println!("seed {seed}");
        let dir = FaultyDir::new();
        let drive = open(&dir, durability).await;
        let mut recording = Self {
            drive,
            durability,
            rng: Rng::new(seed),
            states: vec![(dir.log_len(), Tree::new())],
            flushes: Vec::new(),
            contents: BTreeSet::new(),
            dir,
        };
        recording.flush();
        recording
    }

    /// Bytes that no other file has.
    fn content(&mut self) -> Vec<u8> {
        let len = [0, 1, BLOCK, 3 * BLOCK + 7][usize::try_from(self.rng.below(4)).unwrap()];
        let content = self.rng.bytes(len);
        self.contents.insert(content.clone());
        content
    }

    fn path(&mut self) -> String {
        format!("/{}/{}", self.rng.below(2), self.rng.below(4))
    }

    fn flush(&mut self) {
        let changes = self.states.len();
        self.drive.flush().unwrap();
        self.flushes.push((changes, self.dir.log_len()));
    }

    /// One change, seen by readers at once.
    async fn change(&mut self) {
        let plain = Attributes::new();
        let (path, other) = (self.path(), self.path());
        let drive = self.drive.clone();
        match self.rng.below(9) {
            0 => drop(drive.unlink(&path).await),
            1 => drop(drive.rename(&path, &other).await),
            2 => drop(drive.copy(&path, &other).await),
            3 => drop(drive.set_mode(&path, 0o600).await),
            4 => {
                let mut batch = drive.batch().await.unwrap();
                for place in 0..3 {
                    let path = format!("/batch/{place}");
                    let content = self.content();
                    batch.write_file(&path, content, &plain).await.unwrap();
                }
                batch.commit().await.unwrap();
            }
            5 => {
                // Given up: its blocks stay, and belong to nothing.
                let mut writer = drive.writer(&path, &plain).await.unwrap();
                let lost = self.rng.bytes(1100 * BLOCK);
                writer.write(lost).await.unwrap();
            }
            _ => {
                let content = self.content();
                drive.write_file(&path, content, &plain).await.unwrap();
            }
        }
        let now = tree(&drive).await.unwrap();
        self.states.push((self.dir.log_len(), now));
    }

    /// Cuts the power, and looks at what is left.
    async fn check(&self, at: usize, keep: Keep) {
        let after = self.dir.crash(at, keep);
        let drive = open(&after, self.durability).await;
        let found = tree(&drive).await.expect("every file can be read");
        let durable = match self.durability {
            Durability::EachAppend => self.states.partition_point(|(ended, _)| *ended <= at),
            _ => {
                let flushed = self.flushes.iter().rfind(|(_, ended)| *ended <= at);
                flushed.map_or(1, |(changes, _)| *changes)
            }
        };
        let states = &self.states[durable - 1..];
        assert!(
            states.iter().any(|(_, state)| *state == found),
            "{keep:?} at {at}: {:?}",
            found.keys()
        );
        // Whatever is written next goes where lost blocks were.
        let mut rng = Rng::new(at as u64);
        let new = rng.bytes(40 * BLOCK);
        let plain = Attributes::new();
        drive.write_file("/new", new.clone(), &plain).await.unwrap();
        let mut expected = found;
        expected.insert("/new".to_owned(), new.clone());
        assert_eq!(tree(&drive).await.unwrap(), expected);
        for version in 1..drive.version() {
            let old = drive.checkout(version);
            for entry in old
                .read_dir("/", true)
                .await
                .unwrap()
                .sorted()
                .await
                .unwrap()
            {
                match old.read_file(&entry.path).await {
                    Ok(content) => assert!(self.contents.contains(&content[..])),
                    Err(DriveError::BadEntry { .. } | DriveError::IsADirectory { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
        // And once more, while that was mended.
        drop(drive);
        let mut rng = Rng::new(at as u64 + 1);
        let at = usize::try_from(rng.below(after.log_len() as u64 + 1)).unwrap();
        let again = after.crash(at, Keep::Seed(rng.next_u64()));
        let drive = open(&again, self.durability).await;
        let mut found = tree(&drive).await.expect("every file can be read");
        assert!(found.remove("/new").is_none_or(|content| content == new));
        assert!(states.iter().any(|(_, state)| *state == found));
    }
}

fn cut_everywhere(durability: Durability, seed: u64) {
    block_on(async {
        let mut recording = Recording::new(durability, seed).await;
        let began = recording.dir.log_len();
        for step in 0..14 {
            recording.change().await;
            if step % 5 == 4 {
                recording.flush();
            }
        }
        let points = recording.dir.log_len() - began;
        let tries = match std::env::var("CRASH_POINTS") {
            Ok(text) => text.parse().expect("CRASH_POINTS is a number"),
            Err(_) => 250,
        };
        let mut rng = Rng::new(seed);
        for n in 0..tries {
            let at = began + (points * n / tries).min(points);
            let keep = match rng.below(4) {
                0 => Keep::Nothing,
                1 => Keep::All,
                _ => Keep::Seed(rng.next_u64()),
            };
            recording.check(at, keep).await;
        }
        recording
            .check(recording.dir.log_len(), Keep::Nothing)
            .await;
    });
}

#[test]
fn fault_d4_power_cut_between_flushes() {
    for seed in [1, 2] {
        cut_everywhere(Durability::OnFlush, seed);
    }
}

#[test]
fn fault_d4_power_cut_after_each_durable_change() {
    cut_everywhere(Durability::EachAppend, 3);
}

/// Without syncs between appends the disk may keep the later one alone.
async fn content_is_lost_and_the_paths_are_not(paths_are_flushed_meanwhile: bool) {
    let dir = FaultyDir::new();
    let drive = open(&dir, Durability::OnFlush).await;
    let plain = Attributes::new();
    drive.write_file("/a", "first", &plain).await.unwrap();
    drive.flush().unwrap();
    let flushed = dir.files();
    drive.write_file("/a", "second", &plain).await.unwrap();
    drive.mkdir("/folder", &plain).await.unwrap();
    let lost = drive.version();
    let content = drive.content_now().unwrap().discovery_key();
    let of_content = |name: &str| name.contains(&content.to_string());
    let kept = dir
        .files()
        .into_iter()
        .filter(|(name, _)| !of_content(name));
    let before = flushed.into_iter().filter(|(name, _)| of_content(name));
    let dir = FaultyDir::with_files(kept.chain(before));
    if paths_are_flushed_meanwhile {
        let options = corestore::Options::new().master_key([3; 32]);
        let store = Corestore::open(Arc::new(dir.clone()), options).unwrap();
        store.get(&drive.key()).unwrap().flush().unwrap();
        store.close().unwrap();
    }

    for _ in 0..2 {
        let drive = open(&dir, Durability::OnFlush).await;
        assert_eq!(drive.read_file("/a").await.unwrap(), "first");
        assert!(!drive.exists("/folder").await.unwrap());
        assert_eq!(drive.version(), lost + 1, "mended once");
        // The version that lost its content does not get another's.
        let error = drive.checkout(lost).read_file("/a").await.unwrap_err();
        assert!(matches!(error, DriveError::BadEntry { .. }), "{error}");
    }
    let drive = open(&dir, Durability::OnFlush).await;
    drive.write_file("/b", "third!", &plain).await.unwrap();
    let error = drive.checkout(lost).read_file("/a").await.unwrap_err();
    assert!(matches!(error, DriveError::BadEntry { .. }), "{error}");
}

#[test]
fn fault_d4_content_is_lost_and_its_paths_are_not() {
    block_on(content_is_lost_and_the_paths_are_not(false));
}

#[test]
fn fault_d4_content_is_lost_and_its_paths_are_durable() {
    block_on(content_is_lost_and_the_paths_are_not(true));
}

#[test]
fn fault_d4_a_full_disk_between_content_and_path_leaves_the_old_file() {
    block_on(async {
        let dir = FaultyDir::new();
        let drive = open(&dir, Durability::OnFlush).await;
        let plain = Attributes::new();
        drive.write_file("/a", "old", &plain).await.unwrap();
        drive.flush().unwrap();
        for nth in 0.. {
            let full = Fault::new(std::io::ErrorKind::StorageFull);
            dir.inject(full.on(&[Call::Write]).after(nth));
            let failed = drive.write_file("/a", vec![7; 3 * BLOCK], &plain).await;
            dir.heal();
            if failed.is_ok() {
                assert!(nth > 4, "{nth}");
                return;
            }
            assert_eq!(drive.read_file("/a").await.unwrap(), "old");
            drive.write_file("/b", "goes on", &plain).await.unwrap();
            assert_eq!(drive.read_file("/b").await.unwrap(), "goes on");
        }
    });
}

#[test]
fn one_flush_covers_both_logs_and_a_put_costs_none() {
    block_on(async {
        let dir = FaultyDir::new();
        let drive = open(&dir, Durability::OnFlush).await;
        let plain = Attributes::new();
        drive.write_file("/a", "a", &plain).await.unwrap();
        drive.flush().unwrap();
        let syncs = || dir.calls(&[Call::Sync, Call::SyncDir]);
        let before = syncs();
        drive.write_file("/b", "b", &plain).await.unwrap();
        assert_eq!(syncs(), before);
        // Whoever connects the paths to peers flushes them alone.
        drive.metadata().flush().unwrap();
        assert!(!drive.content_now().unwrap().needs_flush());
        let drive = open(
            &dir.crash(dir.log_len(), Keep::Nothing),
            Durability::OnFlush,
        )
        .await;
        assert_eq!(drive.read_file("/b").await.unwrap(), "b");
    });
}

#[test]
fn durable_changes_cost_a_sync_for_each_log() {
    block_on(async {
        let dir = FaultyDir::new();
        let drive = open(&dir, Durability::EachAppend).await;
        let plain = Attributes::new();
        drive.write_file("/a", "a", &plain).await.unwrap();
        let before = dir.calls(&[Call::Sync, Call::SyncDir]);
        drive.write_file("/b", "b", &plain).await.unwrap();
        drive.mkdir("/c", &plain).await.unwrap();
        assert_eq!(dir.calls(&[Call::Sync, Call::SyncDir]) - before, 3);
    });
}

#[test]
fn a_flush_covers_mounted_drives() {
    block_on(async {
        let dir = FaultyDir::new();
        let options = corestore::Options::new().master_key([3; 32]);
        let store = Corestore::open(Arc::new(dir.clone()), options.clone()).unwrap();
        let other = store.namespace("other");
        let inner = Drive::create(&other, Options::new()).await.unwrap();
        let outer = Drive::create(&store, Options::new()).await.unwrap();
        let plain = Attributes::new();
        let mount = Mount::drive(inner.key());
        outer.mount("/inner", mount, &plain).await.unwrap();
        outer.write_file("/inner/a", "a", &plain).await.unwrap();
        drop((inner, other));
        outer.flush().unwrap();
        let after = dir.crash(dir.log_len(), Keep::Nothing);
        let store = Corestore::open(Arc::new(after), options).unwrap();
        let outer = Drive::create(&store, Options::new()).await.unwrap();
        assert_eq!(outer.read_file("/inner/a").await.unwrap(), "a");
    });
}
