use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use hypertrie::{GetOptions, IterOptions, Node, TrieError};

use crate::lookup::{self, Entry};
use crate::{Drive, DriveError, Stat, path};

impl Drive {
    /// Lists a directory: what is in it, or with `recursive` what is below it, in the order of the
    /// trie, which is that of hashes. A symlink at the path is followed, symlinks in the list are
    /// not. Mounts are listed, not entered.
    ///
    /// A missing path and a file are errors, unlike in the reference, which lists nothing.
    pub async fn read_dir(&self, path: &str, recursive: bool) -> Result<ReadDir, DriveError> {
        let dir = self.entry(path, true).await?;
        if dir.stat.mount.is_some() {
            return Err(DriveError::Mounted {
                path: path::shown(&dir.key),
            });
        }
        if !dir.stat.is_dir() {
            return Err(DriveError::NotADirectory {
                path: path::shown(&dir.key),
            });
        }
        Ok(ReadDir::new(self.clone(), dir.key, recursive))
    }

    /// Lists everything below a clean key that is a directory.
    pub(crate) fn read_key(&self, key: &str) -> ReadDir {
        ReadDir::new(self.clone(), key.to_owned(), true)
    }
}

/// One entry of a directory.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DirEntry {
    /// The entry's path below the listed directory, without a leading slash: a name, or several with
    /// slashes between them in a recursive listing.
    ///
    /// Whoever wrote the drive chose it: `..`, empty names and control characters are possible.
    pub name: String,
    /// The entry's path from the root of the drive.
    pub path: String,
    /// What the entry is.
    pub stat: Stat,
    /// Whether it is a directory only because there are entries in it.
    pub implied: bool,
}

/// The entries of a directory as a stream; made by [`Drive::read_dir`].
///
/// An error of the kind [`DriveError::BadEntry`] concerns one entry, and the list goes on after it;
/// after any other one it ends. Memory does not grow with the number of entries.
pub struct ReadDir {
    /// `None` at the end.
    entries: Option<BoxStream<'static, Result<DirEntry, DriveError>>>,
}

impl ReadDir {
    fn new(drive: Drive, dir: String, recursive: bool) -> Self {
        let nodes = drive
            .trie
            .iter(&dir, IterOptions::new().recursive(recursive).gt(true));
        let entries = if recursive {
            nodes.map(move |node| whole(node?, &dir)).boxed()
        } else {
            let children = nodes.map(move |node| child(drive.clone(), node, dir.clone()));
            children.buffered(LOOKUPS).boxed()
        };
        Self {
            entries: Some(entries),
        }
    }

    /// The next entry; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<DirEntry, DriveError>> {
        StreamExt::next(self).await
    }

    /// Gathers the entries that are left, sorted by name. Fails at the first error.
    pub async fn sorted(mut self) -> Result<Vec<DirEntry>, DriveError> {
        let mut entries = Vec::new();
        while let Some(entry) = self.next().await {
            entries.push(entry?);
        }
        entries.sort_by(|a: &DirEntry, b| a.name.cmp(&b.name));
        Ok(entries)
    }
}

impl Stream for ReadDir {
    type Item = Result<DirEntry, DriveError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(entries) = &mut self.entries else {
            return Poll::Ready(None);
        };
        let entry = ready!(entries.as_mut().poll_next(cx));
        if !matches!(entry, Some(Ok(_) | Err(DriveError::BadEntry { .. }))) {
            self.entries = None;
        }
        Poll::Ready(entry)
    }
}

impl fmt::Debug for ReadDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadDir")
    }
}

/// The entry that a node holds, in a recursive listing.
fn whole(node: Node, dir: &str) -> Result<DirEntry, DriveError> {
    let entry = lookup::decode(node.key.clone(), &node)?;
    Ok(dir_entry(entry, dir))
}

/// The child of a directory that a node stands for: the node itself, or the directory it is in.
async fn child(
    drive: Drive,
    node: Result<Node, TrieError>,
    dir: String,
) -> Result<DirEntry, DriveError> {
    let node = node?;
    let start = if dir.is_empty() { 0 } else { dir.len() + 1 };
    let below = node.key.get(start..).unwrap_or_default();
    let Some(slash) = below.find('/').filter(|slash| slash + 1 < below.len()) else {
        return whole(node, &dir);
    };
    let key = &node.key[..start + slash];
    // The directory may have an entry all the same, which the iteration has no reason to give.
    let entry = match drive.trie.get_with(key, GetOptions::new()).await? {
        Some(own) => lookup::decode(key.to_owned(), &own)?,
        None => Entry {
            key: key.to_owned(),
            stat: lookup::implied_directory(&node),
            flags: None,
        },
    };
    Ok(dir_entry(entry, &dir))
}

fn dir_entry(entry: Entry, dir: &str) -> DirEntry {
    let name = entry.key.strip_prefix(dir).unwrap_or(&entry.key);
    DirEntry {
        name: name.strip_prefix('/').unwrap_or(name).to_owned(),
        path: path::shown(&entry.key),
        implied: entry.flags.is_none(),
        stat: entry.stat,
    }
}

/// How many children are looked up at once.
const LOOKUPS: usize = 16;
