//! The one door for looking paths up: exact entries, directories that only their contents imply,
//! and symlinks anywhere in a path.

use std::future::Future;

use hypertrie::{Batch, GetOptions, Mount, Node, Trie, TrieError};

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
        Ok(self.entry(path, false).await?.entry.stat)
    }

    /// What is at a path, following symlinks to their end.
    pub async fn stat(&self, path: &str) -> Result<Stat, DriveError> {
        Ok(self.entry(path, true).await?.entry.stat)
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
        let found = self.entry(path, false).await?;
        if !found.entry.stat.is_symlink() {
            return Err(DriveError::NotASymlink {
                path: found.shown(),
            });
        }
        found.seen(target(&found.entry).map(str::to_owned))
    }

    /// The path that a path leads to once every symlink in it is followed.
    pub async fn real_path(&self, path: &str) -> Result<String, DriveError> {
        Ok(self.entry(path, true).await?.shown())
    }
}

/// Follows a clean key to its place in one drive. The last component is followed if `follow` says
/// so. A mount on the way is an error.
pub(crate) async fn place(
    nodes: &impl Nodes,
    key: &str,
    follow: bool,
) -> Result<Place, DriveError> {
    let mut key = key.to_owned();
    let mut links = Links::default();
    loop {
        match step(nodes, &key, follow).await? {
            Step::Arrived(place) => return Ok(place),
            Step::Link(link) => key = links.follow(&key, "", &link)?,
            Step::Mount(_) => {
                return Err(DriveError::Mounted {
                    path: path::shown(&key),
                });
            }
        }
    }
}

/// What a key leads to in one drive, up to where it goes on elsewhere.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one at a time, on the stack")]
pub(crate) enum Step {
    Arrived(Place),
    /// A symlink at the key or on the way to it.
    Link(LinkAt),
    /// Another drive is mounted on the way.
    Mount(Mount),
}

/// A symlink that was come upon.
#[derive(Debug)]
pub(crate) struct LinkAt {
    key: String,
    target: String,
}

/// The symlinks that were followed on the way to one entry.
#[derive(Debug, Default)]
pub(crate) struct Links {
    followed: usize,
}

impl Links {
    /// Where a key is to be looked for instead. The link is in the drive that is mounted at `at`;
    /// it may lead out of there.
    pub(crate) fn follow(
        &mut self,
        key: &str,
        at: &str,
        link: &LinkAt,
    ) -> Result<String, DriveError> {
        let link_key = path::join(at, &link.key);
        let target = path::resolve(path::parent(&link_key), &link.target);
        let key = path::join(&target, key[link_key.len()..].trim_start_matches('/'));
        self.followed += 1;
        if self.followed > MAX_LINKS || key.len() > path::MAX_PATH_BYTES {
            return Err(DriveError::TooManyLinks {
                path: path::shown(&shorten(key)),
            });
        }
        Ok(key)
    }
}

/// Looks for a key in one drive.
pub(crate) async fn step(nodes: &impl Nodes, key: &str, follow: bool) -> Result<Step, DriveError> {
    let Some(entry) = find(nodes, key).await? else {
        return match look_above(nodes, key).await? {
            Some(step) => Ok(step),
            None => Ok(Step::Arrived(Place::Free {
                key: key.to_owned(),
            })),
        };
    };
    if follow && entry.stat.is_symlink() {
        return Ok(Step::Link(LinkAt {
            target: target(&entry)?.to_owned(),
            key: entry.key,
        }));
    }
    Ok(Step::Arrived(Place::Taken(entry)))
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

/// Looks for what is in the way of a key that is not there: a parent that is a symlink, or that
/// another drive is mounted at. One that is a file is an error.
async fn look_above(nodes: &impl Nodes, key: &str) -> Result<Option<Step>, DriveError> {
    for parent in path::ancestors(key).take(MAX_PARENTS) {
        let Some(node) = nodes.node(parent, GetOptions::new()).await? else {
            continue;
        };
        let entry = decode(parent.to_owned(), &node)?;
        match entry.stat.file_type() {
            FileType::Directory => {
                if let Some(mount) = mount_at(nodes, parent, entry.flags).await? {
                    return Ok(Some(Step::Mount(mount)));
                }
            }
            FileType::Symlink => {
                let target = target(&entry)?.to_owned();
                let key = entry.key;
                return Ok(Some(Step::Link(LinkAt { key, target })));
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

/// What is mounted at a node. Both of its traces have to be there: the reference leaves the hidden
/// one behind when the other is removed or replaced.
pub(crate) async fn mount_at(
    nodes: &impl Nodes,
    key: &str,
    flags: Option<u64>,
) -> Result<Option<Mount>, DriveError> {
    if flags != Some(MOUNT_FLAG) {
        return Ok(None);
    }
    let record = nodes
        .node(&record(key), GetOptions::new().hidden(true))
        .await?;
    let mount = record.as_ref().map(Node::mount).transpose()?.flatten();
    if mount
        .as_ref()
        .is_some_and(|mount| mount.remote_path.is_some())
    {
        return Err(DriveError::BadEntry {
            path: path::shown(key),
            fault: EntryFault::PartOfDrive,
        });
    }
    // Where the record says that it is does not matter.
    Ok(mount.map(|mut mount| {
        mount.path = key.to_owned();
        mount
    }))
}

/// The hidden key of a mount, or of all mounts below a path.
pub(crate) fn record(key: &str) -> String {
    match key {
        "" => "mounts".to_owned(),
        key => format!("mounts/{key}"),
    }
}

/// The trie's flag of a mount.
pub(crate) const MOUNT_FLAG: u64 = 1;

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
