//! The one door for looking paths up: exact entries, directories that only their contents imply,
//! and symlinks anywhere in a path.

use std::future::Future;

use hypertrie::{Batch, GetOptions, Node, Trie, TrieError};

use crate::{Drive, DriveError, EntryFault, FileType, Stat, path};

/// What a path leads to.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The key, with every symlink on the way resolved.
    pub(crate) key: String,
    pub(crate) stat: Stat,
    /// The trie's flags of the entry; `None` if it has none of its own and is a directory because
    /// there are entries in it.
    pub(crate) flags: Option<u64>,
}

/// Where a path leads, whether something is there or not.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "one at a time, on the stack")]
pub(crate) enum Place {
    Taken(Entry),
    Free { key: String },
}

/// Where trie nodes are looked up: in a trie, or in a batch of writes to it.
pub(crate) trait Nodes: Sync {
    fn node(
        &self,
        key: &str,
        options: GetOptions,
    ) -> impl Future<Output = Result<Option<Node>, TrieError>> + Send;
}

impl Nodes for Trie {
    fn node(
        &self,
        key: &str,
        options: GetOptions,
    ) -> impl Future<Output = Result<Option<Node>, TrieError>> + Send {
        self.get_with(key, options)
    }
}

impl Nodes for Batch {
    fn node(
        &self,
        key: &str,
        options: GetOptions,
    ) -> impl Future<Output = Result<Option<Node>, TrieError>> + Send {
        self.get_with(key, options)
    }
}

impl Drive {
    /// What is at a path. The last component is not followed if it is a symlink; those before it
    /// are.
    ///
    /// A directory that has no entry of its own, but entries in it, is found with mode 0755, and
    /// owner and times of one of these. The root is always there.
    pub async fn lstat(&self, path: &str) -> Result<Stat, DriveError> {
        Ok(self.entry(path, false).await?.stat)
    }

    /// What is at a path, following symlinks to their end.
    pub async fn stat(&self, path: &str) -> Result<Stat, DriveError> {
        Ok(self.entry(path, true).await?.stat)
    }

    /// Whether there is something at a path, following symlinks.
    pub async fn exists(&self, path: &str) -> Result<bool, DriveError> {
        match self.entry(path, true).await {
            Ok(_) => Ok(true),
            Err(DriveError::NotFound { .. } | DriveError::NotADirectory { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What a symlink points to, as it was written.
    pub async fn read_link(&self, path: &str) -> Result<String, DriveError> {
        let entry = self.entry(path, false).await?;
        if !entry.stat.is_symlink() {
            return Err(DriveError::NotASymlink {
                path: path::shown(&entry.key),
            });
        }
        target(&entry).map(str::to_owned)
    }

    /// The path that a path leads to once every symlink in it is followed.
    pub async fn real_path(&self, path: &str) -> Result<String, DriveError> {
        Ok(path::shown(&self.entry(path, true).await?.key))
    }

    pub(crate) async fn entry(&self, path: &str, follow: bool) -> Result<Entry, DriveError> {
        let clean = path::clean(path);
        match place(&self.trie, &clean, follow).await? {
            Place::Taken(entry) => Ok(entry),
            Place::Free { .. } => {
                if let Some(key) = path::legacy(path, &clean)
                    && let Some(entry) = find(&self.trie, &key).await?
                {
                    return Ok(entry);
                }
                Err(DriveError::NotFound {
                    path: path::shown(&clean),
                })
            }
        }
    }
}

/// Follows a clean key to its place. The last component is followed if `follow` says so.
pub(crate) async fn place(
    nodes: &impl Nodes,
    key: &str,
    follow: bool,
) -> Result<Place, DriveError> {
    let mut key = key.to_owned();
    let mut hops = 0;
    loop {
        if let Some(entry) = find(nodes, &key).await? {
            if !(follow && entry.stat.is_symlink()) {
                return Ok(Place::Taken(entry));
            }
            key = path::resolve(path::parent(&entry.key), target(&entry)?);
        } else {
            match find_link(nodes, &key).await? {
                Some(redirected) => key = redirected,
                None => return Ok(Place::Free { key }),
            }
        }
        hops += 1;
        if hops > MAX_LINKS || key.len() > path::MAX_PATH_BYTES {
            return Err(DriveError::TooManyLinks {
                path: path::shown(&shorten(key)),
            });
        }
    }
}

/// What is at a key itself: its entry, or a directory that the entries below it imply.
pub(crate) async fn find(nodes: &impl Nodes, key: &str) -> Result<Option<Entry>, DriveError> {
    if key.is_empty() {
        let stat = Stat::new(FileType::Directory, 0o755);
        return Ok(Some(Entry {
            key: String::new(),
            stat,
            flags: None,
        }));
    }
    if let Some(node) = nodes.node(key, GetOptions::new()).await? {
        return decode(key.to_owned(), &node).map(Some);
    }
    let below = nodes.node(key, GetOptions::new().prefix(true)).await?;
    Ok(below.map(|node| Entry {
        key: key.to_owned(),
        stat: implied_directory(&node),
        flags: None,
    }))
}

/// The entry that a node holds.
pub(crate) fn decode(key: String, node: &Node) -> Result<Entry, DriveError> {
    let stat = match &node.value {
        Some(value) => Stat::decode(value).map_err(EntryFault::from),
        None => Err(EntryFault::NoStat),
    };
    match stat {
        Ok(stat) => Ok(Entry {
            key,
            stat,
            flags: Some(node.flags),
        }),
        Err(fault) => Err(DriveError::BadEntry {
            path: path::shown(&key),
            fault,
        }),
    }
}

/// The directory that an entry below it implies: with the entry's owner and times.
pub(crate) fn implied_directory(below: &Node) -> Stat {
    let mut stat = Stat::new(FileType::Directory, 0o755);
    if let Some(below) = below
        .value
        .as_ref()
        .and_then(|value| Stat::decode(value).ok())
    {
        (stat.uid, stat.gid) = (below.uid, below.gid);
        (stat.mtime, stat.ctime) = (below.mtime, below.ctime);
    }
    stat
}

/// Looks for what is in the way of a key that is not there: if one of its parents is a symlink,
/// where the key is to be looked for instead. A parent that is a file, or another drive, is an
/// error.
async fn find_link(nodes: &impl Nodes, key: &str) -> Result<Option<String>, DriveError> {
    for parent in path::ancestors(key).take(MAX_PARENTS) {
        let Some(node) = nodes.node(parent, GetOptions::new()).await? else {
            continue;
        };
        let entry = decode(parent.to_owned(), &node)?;
        if entry.stat.mount.is_some() {
            return Err(DriveError::Mounted {
                path: path::shown(key),
            });
        }
        match entry.stat.file_type() {
            FileType::Directory => {}
            FileType::Symlink => {
                let target = path::resolve(path::parent(parent), target(&entry)?);
                return Ok(Some(
                    format!("{target}{}", &key[parent.len()..])
                        .trim_start_matches('/')
                        .to_owned(),
                ));
            }
            _ => {
                return Err(DriveError::NotADirectory {
                    path: path::shown(parent),
                });
            }
        }
    }
    Ok(None)
}

fn target(link: &Entry) -> Result<&str, DriveError> {
    link.stat
        .linkname
        .as_deref()
        .ok_or_else(|| DriveError::BadEntry {
            path: path::shown(&link.key),
            fault: EntryFault::NoTarget,
        })
}

/// The start of a key, for a message.
fn shorten(mut key: String) -> String {
    let end = (0..=key.len().min(200))
        .rev()
        .find(|&end| key.is_char_boundary(end))
        .unwrap_or(0);
    key.truncate(end);
    key
}

/// How many symlinks are followed before the path is given up. As in Linux.
const MAX_LINKS: usize = 40;

/// How many parents of a missing path are looked at.
const MAX_PARENTS: usize = path::MAX_PATH_BYTES / 2;
