use std::fmt;

use bytes::Bytes;
use prost::Message;

use crate::node::MOUNT_FLAG;
use crate::path::{PathBuf, components, normalize};
use crate::reader::Found;
use crate::{Batch, GetOptions, Node, PutOptions, Trie, TrieError, schema};

/// A trie mounted in another one: which, and where.
///
/// It is stored twice, in one append: as the value of a hidden node at `mounts/<path>`, and as a
/// visible node at the path itself, whose value is the application's. Both have flag 1.
#[derive(Clone, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Mount {
    /// The public key of the mounted trie's log.
    pub key: [u8; 32],
    /// Where it is mounted, without a leading slash.
    pub path: String,
    /// The version mounted. `None` is the newest one at any time.
    pub version: Option<u64>,
    /// What part of the mounted trie is meant. The reference stores it and then looks for keys in
    /// the wrong place, so better do without.
    pub remote_path: Option<String>,
}

impl Mount {
    /// The newest version of a trie, mounted at `path`.
    pub fn new(path: &str, key: [u8; 32]) -> Self {
        Self {
            key,
            path: normalize(path).to_owned(),
            version: None,
            remote_path: None,
        }
    }

    /// One version of a trie. 0 means the newest one.
    #[must_use]
    pub fn at_version(mut self, version: u64) -> Self {
        self.version = Some(version).filter(|version| *version > 0);
        self
    }

    /// Reads the value of a hidden node at `mounts/<path>`.
    pub fn decode(record: &[u8]) -> Result<Self, MountError> {
        let record = schema::Mount::decode(record)
            .map_err(|error| MountError::Message(error.to_string()))?;
        let key = record.key.unwrap_or_default();
        let key = <[u8; 32]>::try_from(&*key).map_err(|_| MountError::Key { bytes: key.len() })?;
        Ok(Self {
            key,
            path: record.local_path.ok_or(MountError::NoPath)?,
            version: record.version.filter(|version| *version > 0),
            remote_path: record.remote_path.filter(|path| !path.is_empty()),
        })
    }

    /// The value of a hidden node at `mounts/<path>`.
    pub fn encode(&self) -> Vec<u8> {
        let record = schema::Mount {
            key: Some(Bytes::copy_from_slice(&self.key)),
            local_path: Some(self.path.clone()),
            version: self.version,
            remote_path: self.remote_path.clone(),
        };
        record.encode_to_vec()
    }

    /// The rest of `path` if it is at or under the mount's.
    pub fn strip<'a>(&self, path: &'a str) -> Option<&'a str> {
        let rest = normalize(path).strip_prefix(&*self.path)?;
        if rest.is_empty() {
            return Some(rest);
        }
        rest.strip_prefix('/')
    }
}

impl fmt::Debug for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.key;
        f.debug_struct("Mount")
            .field("key", &format_args!("{a:02x}{b:02x}{c:02x}{d:02x}…"))
            .field("path", &self.path)
            .field("version", &self.version)
            .field("remote_path", &self.remote_path)
            .finish()
    }
}

/// Why bytes are no record of a mount. The fault of who wrote the log.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MountError {
    /// Not a mount message.
    #[error("it is not a mount message: {0}")]
    Message(String),
    /// The key is missing or not one.
    #[error("its key has {bytes} bytes instead of 32")]
    Key {
        /// Size of what stands for a key, in bytes.
        bytes: usize,
    },
    /// The path is missing.
    #[error("it has no path")]
    NoPath,
}

impl Node {
    /// Whether another trie is mounted at this key: flag 1 is set, and no other.
    pub fn is_mount(&self) -> bool {
        self.flags == MOUNT_FLAG
    }

    /// What is mounted, if this is the hidden record of a mount.
    pub fn mount(&self) -> Result<Option<Mount>, TrieError> {
        let is_record = self.is_mount() && self.hidden && self.key.starts_with(RECORDS);
        let Some(record) = self.value.as_ref().filter(|_| is_record) else {
            return Ok(None);
        };
        let seq = self.seq;
        let mount = Mount::decode(record).map_err(|source| TrieError::Mount { seq, source })?;
        Ok(Some(mount))
    }
}

impl Trie {
    /// Mounts another trie. `value` is what the application stores at the path.
    ///
    /// Mounts within mounts belong into the mounted trie; this one only knows its own.
    pub async fn mount(&self, mount: &Mount, value: Bytes) -> Result<(), TrieError> {
        let mut batch = self.begin().await?;
        batch.mount(mount, value).await?;
        batch.commit()?;
        Ok(())
    }

    /// Ends a mount at exactly this path. False if there is none.
    pub async fn unmount(&self, path: &str) -> Result<bool, TrieError> {
        let mut batch = self.begin().await?;
        let unmounted = batch.unmount(path).await?;
        batch.commit()?;
        Ok(unmounted)
    }

    /// The mount of this trie at or above a path, if any: the one nearest to the path.
    pub async fn mount_above(&self, path: &str) -> Result<Option<Mount>, TrieError> {
        mount_above(Records::of(Source::Trie(self)), path).await
    }
}

/// The records of mounts, looked for within the limit of one lookup.
struct Records<'a> {
    source: Source<'a>,
    reads: u32,
}

enum Source<'a> {
    Trie(&'a Trie),
    Batch(&'a Batch),
}

impl<'a> Records<'a> {
    fn of(source: Source<'a>) -> Self {
        Self { source, reads: 0 }
    }

    async fn get(&mut self, path: &str, options: GetOptions) -> Result<Option<Node>, TrieError> {
        let (key, options) = (record_key(path), options.hidden(true));
        match self.source {
            Source::Trie(trie) => trie.get_after(&key, options, &mut self.reads).await,
            Source::Batch(batch) => batch.get_after(&key, options, &mut self.reads).await,
        }
    }
}

async fn mount_above(mut records: Records<'_>, path: &str) -> Result<Option<Mount>, TrieError> {
    let path = normalize(path);
    let record = records.get(path, GetOptions::new().closest(true)).await?;
    let Some(found) = record else { return Ok(None) };
    if let Some(mount) = found.mount()?.filter(|mount| mount.strip(path).is_some()) {
        return Ok(Some(mount));
    }
    // Some other record is in the way if the reference mounted over a folder with mounts in it.
    let Some(found) = found.key.strip_prefix(RECORDS) else {
        return Ok(None);
    };
    let names = components(found).zip(components(path));
    let names: Vec<_> = names
        .take_while(|(found, wanted)| found == wanted)
        .map(|(found, _)| found)
        .collect();
    for depth in (1..=names.len()).rev() {
        let path = names[..depth].join("/");
        if let Some(record) = records.get(&path, GetOptions::new()).await?
            && let Some(mount) = record.mount()?
        {
            return Ok(Some(mount));
        }
    }
    Ok(None)
}

impl Batch {
    /// The mount at or above a path, this batch's writes included; see [`Trie::mount_above`].
    pub async fn mount_above(&self, path: &str) -> Result<Option<Mount>, TrieError> {
        mount_above(Records::of(Source::Batch(self)), path).await
    }

    /// Mounts another trie. `value` is what the application stores at the path.
    ///
    /// The path must have nothing under it: mounted keys would hide behind what is there, or the
    /// other way round, depending on their hashes.
    pub async fn mount(&mut self, mount: &Mount, value: Bytes) -> Result<(), TrieError> {
        if self.has_children(&mount.path).await? {
            return Err(TrieError::NotEmpty);
        }
        let options = PutOptions::new().flags(MOUNT_FLAG);
        let record = Bytes::from(mount.encode());
        self.put_with(&record_key(&mount.path), record, options.hidden(true))
            .await?;
        self.put_with(&mount.path, value, options).await?;
        Ok(())
    }

    /// Ends a mount at exactly this path. False if there is none.
    pub async fn unmount(&mut self, path: &str) -> Result<bool, TrieError> {
        let path = normalize(path);
        let record = self
            .del_with(&record_key(path), PutOptions::new().hidden(true))
            .await?;
        let entry = self.get(path).await?.is_some_and(|node| node.is_mount());
        let entry = entry && self.del(path).await?;
        Ok(record || entry)
    }

    /// Whether there is any visible key under a path.
    async fn has_children(&self, path: &str) -> Result<bool, TrieError> {
        let Some(head) = self.head() else {
            return Ok(false);
        };
        let path = PathBuf::new(normalize(path), false, self.shared().hash);
        let path = path.get();
        let end = path.len() - 1;
        Ok(match self.reader().find(head, path, end).await? {
            // A node's pointers for its last digit lead to what is under it.
            Found::At(node) => {
                node.path().len() > path.len() || !node.links().bucket(end).is_empty()
            }
            Found::Stuck(_) => false,
        })
    }
}

/// The key of a mount's record.
pub(crate) fn record_key(path: &str) -> String {
    format!("{RECORDS}{path}")
}

/// What is stored in a hidden node at or under `mounts/<path>`.
#[derive(Debug)]
pub(crate) struct MountRecord;

impl MountRecord {
    /// The value of a record whose mount moves to `path`. What is no record stays as it is.
    pub(crate) fn moved(node: &Node, path: &str) -> Result<Option<Bytes>, TrieError> {
        Ok(match node.mount()? {
            Some(mut mount) => {
                mount.path = normalize(path).to_owned();
                Some(mount.encode().into())
            }
            None => node.value.clone(),
        })
    }
}

/// Where the records of mounts are, among the hidden keys.
pub(crate) const RECORDS: &str = "mounts/";
