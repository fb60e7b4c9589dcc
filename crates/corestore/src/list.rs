use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::thread;

use hypercore_crypto::{DiscoveryKey, PublicKey};
use hypercore_storage::{Stamp, StorageDir};

use crate::identity::{self, Name};
use crate::index::{CoreFiles, CoreFolder, Index, Shard};
use crate::layout::{self, KEY, SECRET_KEY};

/// A core found in a store's directory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stored {
    public_key: PublicKey,
    discovery_key: DiscoveryKey,
    named: bool,
    secret: bool,
}

impl Stored {
    /// Who signs it.
    pub fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// What may be said aloud to find it.
    pub fn discovery_key(&self) -> DiscoveryKey {
        self.discovery_key
    }

    /// Whether its key pair is derived from a name that is stored with it.
    pub fn is_named(&self) -> bool {
        self.named
    }

    /// Whether what is needed to write it is stored: its name, or its secret key.
    pub fn is_writable(&self) -> bool {
        self.named || self.secret
    }
}

/// The cores in a store's directory, in the order of their discovery keys, read as it goes.
///
/// Folders that hold no public key fitting their name are passed over: Node leaves such behind
/// when a peer asks for a core that is not here.
///
/// Folders that are as an earlier listing found them are not read again; see
/// `docs/formats/store.md`, "The index".
#[derive(Debug)]
pub struct StoredCores {
    dir: Arc<dyn StorageDir>,
    /// Folders still to look into, the next one last.
    ahead: Vec<Folder>,
    /// What an earlier walk found.
    known: Index,
    /// What this one finds.
    found: Index,
    /// The time, as it were, when the walk began; `None` if what it finds is not to be kept.
    began: Option<Stamp>,
    /// Stamps that were asked for ahead of the walk, and the first shard for which they were not.
    stamps: HashMap<Folder, Stamp>,
    unasked: u16,
    /// How many folders were read that might have been known.
    read: usize,
}

/// A folder of the tree of shards.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Folder {
    Top,
    First(u8),
    Second([u8; 2]),
    Core([u8; 32]),
}

impl Folder {
    fn path(self) -> String {
        match self {
            Self::Top => String::new(),
            Self::First(name) => layout::hex(&[name]),
            Self::Second([first, second]) => {
                format!("{}/{}", layout::hex(&[first]), layout::hex(&[second]))
            }
            Self::Core(name) => layout::folder(&DiscoveryKey::from_bytes(name)),
        }
    }
}

impl StoredCores {
    /// A walk that reads every folder.
    pub(crate) fn new(dir: Arc<dyn StorageDir>) -> Self {
        Self {
            dir,
            ahead: vec![Folder::Top],
            known: Index::default(),
            found: Index::default(),
            began: None,
            stamps: HashMap::new(),
            unasked: 0,
            read: 0,
        }
    }

    /// A walk that believes what an earlier one kept, as far as it still holds, and keeps what it
    /// finds. `now` is the stamp of something that has just been written.
    pub(crate) fn with_index(dir: Arc<dyn StorageDir>, now: Option<Stamp>) -> Self {
        let known = match now {
            Some(_) => Index::load(&*dir),
            None => Index::default(),
        };
        Self {
            known,
            began: now,
            ..Self::new(dir)
        }
    }

    /// Looks into one folder: puts those below it ahead, or gives the core in it.
    fn visit(&mut self, folder: Folder) -> io::Result<Option<Stored>> {
        match folder {
            Folder::Top => {
                let shards: Vec<[u8; 1]> = self.list("", &[])?;
                self.ahead
                    .extend(shards.into_iter().rev().map(|[name]| Folder::First(name)));
            }
            Folder::First(name) => {
                if u16::from(name) >= self.unasked {
                    self.look_ahead(name);
                }
                let path = folder.path();
                let stamp = self.stamp(folder)?;
                let known = self.known.first(name);
                let below: Vec<u8> = match known.filter(|it| is_same(it.stamp, stamp)) {
                    Some(known) => known.below.iter().map(|shard| shard.name).collect(),
                    None => {
                        self.read += 1;
                        let listed: Vec<[u8; 1]> = self.list(&path, &[])?;
                        listed.into_iter().map(|[name]| name).collect()
                    }
                };
                let below = below.into_iter().rev();
                self.ahead
                    .extend(below.map(|second| Folder::Second([name, second])));
                let stamp = self.settled(stamp);
                let below = Vec::new();
                self.found.first.push(Shard { name, stamp, below });
            }
            Folder::Second(shard) => {
                let path = folder.path();
                let stamp = self.stamp(folder)?;
                let known = self.known.second(shard);
                let below = match known.filter(|it| is_same(it.stamp, stamp)) {
                    Some(known) => known.below.iter().map(|core| core.name).collect(),
                    None => {
                        self.read += 1;
                        self.list(&path, &shard)?
                    }
                };
                self.ahead.extend(below.into_iter().rev().map(Folder::Core));
                let stamp = self.settled(stamp);
                if let Some(first) = self.found.first.last_mut() {
                    let (name, below) = (shard[1], Vec::new());
                    first.below.push(Shard { name, stamp, below });
                }
            }
            Folder::Core(name) => return self.core(name),
        }
        Ok(None)
    }

    fn core(&mut self, name: [u8; 32]) -> io::Result<Option<Stored>> {
        let discovery_key = DiscoveryKey::from_bytes(name);
        let stamp = self.stamp(Folder::Core(name))?;
        let known = self.known.core(&name);
        let core = match known.filter(|it| is_same(it.stamp, stamp)) {
            Some(known) => known.core,
            None => {
                self.read += 1;
                read(
                    &*self.dir.subdir(&layout::folder(&discovery_key)),
                    &discovery_key,
                )?
            }
        };
        let stamp = self.settled(stamp);
        let first = self.found.first.last_mut();
        if let Some(second) = first.and_then(|first| first.below.last_mut()) {
            second.below.push(CoreFolder { name, stamp, core });
        }
        Ok(core.map(|CoreFiles { key, named, secret }| Stored {
            public_key: key,
            discovery_key,
            named,
            secret,
        }))
    }

    /// The mark of a folder, taken before it is looked into, so that what changes meanwhile is not
    /// missed. None where nothing is kept.
    fn stamp(&mut self, folder: Folder) -> io::Result<Option<Stamp>> {
        match (self.began, self.stamps.remove(&folder)) {
            (Some(_), None) => self.dir.stamp(&folder.path()),
            (_, stamp) => Ok(stamp),
        }
    }

    /// Asks for the marks of what is known of the next shards, on several threads: little else is to be
    /// done for folders that have not changed, and each of them makes one wait for the system.
    fn look_ahead(&mut self, first: u8) {
        self.unasked = u16::from(first) + SHARDS_AHEAD;
        self.stamps.clear();
        let mut folders = Vec::new();
        let shards = self.known.first.iter();
        for shard in
            shards.filter(|shard| (u16::from(first)..self.unasked).contains(&shard.name.into()))
        {
            folders.push(Folder::First(shard.name));
            for second in &shard.below {
                folders.push(Folder::Second([shard.name, second.name]));
                let cores = second.below.iter();
                folders.extend(cores.map(|core| Folder::Core(core.name)));
            }
        }
        let threads =
            thread::available_parallelism().map_or(1, |count| count.get().min(MAX_THREADS));
        if self.began.is_none() || threads == 1 || folders.len() < WORTH_THREADS {
            return;
        }
        let dir = &self.dir;
        // What cannot be told here is asked for again in its turn.
        let stamps = |folders: &[Folder]| -> Vec<(Folder, Stamp)> {
            let stamp = |folder: &Folder| Some((*folder, dir.stamp(&folder.path()).ok()??));
            folders.iter().filter_map(stamp).collect()
        };
        let parts = folders.chunks(folders.len().div_ceil(threads));
        self.stamps = thread::scope(|scope| {
            let stamps = &stamps;
            let running = parts.filter_map(|part| {
                let thread = thread::Builder::new();
                thread.spawn_scoped(scope, move || stamps(part)).ok()
            });
            let running: Vec<_> = running.collect();
            let ended = running.into_iter().filter_map(|it| it.join().ok());
            ended.flatten().collect()
        });
    }

    /// A mark that can be kept.
    fn settled(&self, stamp: Option<Stamp>) -> Option<Stamp> {
        let began = self.began?;
        stamp.filter(|stamp| stamp.is_settled(began))
    }

    /// The folders below one that are named by so many bytes in hexadecimal digits, which begin with
    /// these.
    fn list<const N: usize>(&self, path: &str, prefix: &[u8]) -> io::Result<Vec<[u8; N]>> {
        let names = self.dir.list(path)?;
        let names = names.iter().filter_map(|name| from_hex(name));
        Ok(names.filter(|name| name.starts_with(prefix)).collect())
    }

    /// Keeps what was found, if that saves the next walk more than it costs.
    fn finish(&mut self) {
        if self.began.take().is_some() && self.read >= WORTH_KEEPING {
            // Whoever lists cares for the cores; without the index the next listing takes longer.
            let _ = self.found.keep(&*self.dir);
        }
        self.known = Index::default();
        self.found = Index::default();
        self.stamps = HashMap::new();
    }
}

impl Iterator for StoredCores {
    type Item = io::Result<Stored>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(folder) = self.ahead.pop() {
            match self.visit(folder) {
                Ok(None) => {}
                Ok(Some(found)) => return Some(Ok(found)),
                Err(error) => {
                    // What is not known whole is not kept.
                    self.began = None;
                    return Some(Err(error));
                }
            }
        }
        self.finish();
        None
    }
}

fn is_same(known: Option<Stamp>, found: Option<Stamp>) -> bool {
    known.is_some() && known == found
}

fn from_hex<const N: usize>(name: &str) -> Option<[u8; N]> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = name.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let mut bytes = [0; N];
    if pairs.len() != N {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(bytes)
}

fn read(dir: &dyn StorageDir, discovery_key: &DiscoveryKey) -> io::Result<Option<CoreFiles>> {
    let Some(key) = identity::read(dir, KEY, 32)? else {
        return Ok(None);
    };
    let Ok(key) = <[u8; 32]>::try_from(key.as_slice()) else {
        return Ok(None);
    };
    let key = PublicKey::from_bytes(key);
    if key.discovery_key() != *discovery_key {
        return Ok(None);
    }
    let named = matches!(Name::read(dir)?, Name::Is(_));
    let secret = dir.exists(SECRET_KEY)?;
    Ok(Some(CoreFiles { key, named, secret }))
}

/// How many of the 256 shards are looked at ahead of the walk.
const SHARDS_AHEAD: u16 = 64;

/// The most threads that do so, and the fewest folders that are worth them.
const MAX_THREADS: usize = 4;
const WORTH_THREADS: usize = 512;

/// After how many folders that had to be read the index is written anew.
pub(crate) const WORTH_KEEPING: usize = 64;
