use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use hypertrie::{GetOptions, IterOptions, Node, TrieError};

use crate::lookup::{self, Entry};
use crate::walk::{self, Walk, WalkEntry};
use crate::{Drive, DriveError, Holder, Stat, path};

impl Drive {
    /// Lists a directory: what is in it, or with `recursive` what is below it, in the order of the
    /// trie, which is that of hashes. A symlink at the path is followed, symlinks in the list are
    /// not. Mounted drives are listed in place.
    ///
    /// A missing path and a file are errors, unlike in the reference, which lists nothing.
    pub async fn read_dir(&self, path: &str, recursive: bool) -> Result<ReadDir, DriveError> {
        let options = ReadDirOptions::new().recursive(recursive);
        self.read_dir_with(path, options).await
    }

    /// Lists a directory in the manner that the options say.
    pub async fn read_dir_with(
        &self,
        path: &str,
        options: ReadDirOptions,
    ) -> Result<ReadDir, DriveError> {
        let dir = self.directory(path).await?;
        if !dir.entry.stat.is_dir() {
            return Err(DriveError::NotADirectory { path: dir.shown() });
        }
        Ok(ReadDir::new(dir.holder, dir.entry.key, options))
    }

    /// Lists everything below a clean key of this drive that is a directory, without what is
    /// mounted.
    pub(crate) fn read_key(&self, key: &str) -> ReadDir {
        let holder = Holder::new(self.clone(), String::new());
        let options = ReadDirOptions::new().recursive(true).mounts(false);
        ReadDir::new(holder, key.to_owned(), options)
    }
}

/// How to list a directory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReadDirOptions {
    recursive: bool,
    mounts: bool,
}

impl ReadDirOptions {
    /// What is in the directory itself.
    pub fn new() -> Self {
        Self {
            recursive: false,
            mounts: true,
        }
    }

    /// Whether to list all that is below the directory (default: false).
    #[must_use]
    pub fn recursive(mut self, recursive: bool) -> Self {
        self.recursive = recursive;
        self
    }

    /// Whether a recursive listing goes into mounted drives (default: true). Mounts themselves are
    /// listed in any case.
    ///
    /// No drive is gone into twice on one way down, at most
    /// [`MAX_MOUNT_DEPTH`](hypertrie::MAX_MOUNT_DEPTH) lie within each other, and there are at most
    /// [`ReadDir::MAX_MOUNTS`] in one listing.
    #[must_use]
    pub fn mounts(mut self, mounts: bool) -> Self {
        self.mounts = mounts;
        self
    }
}

impl Default for ReadDirOptions {
    fn default() -> Self {
        Self::new()
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
    /// The drive that holds the entry.
    pub holder: Arc<Holder>,
}

impl DirEntry {
    /// The entry's path from the root of the drive that holds it.
    pub fn inner_path(&self) -> String {
        path::shown(path::below(&self.path[1..], self.holder.at()).unwrap_or_default())
    }
}

/// The entries of a directory as a stream; made by [`Drive::read_dir`].
///
/// Errors of the kinds [`DriveError::BadEntry`] and [`DriveError::BadMount`] concern one entry, or
/// what is mounted at one, and the list goes on after them; after any other one it ends. Memory does
/// not grow with the number of entries.
pub struct ReadDir {
    /// `None` at the end.
    entries: Option<BoxStream<'static, Result<DirEntry, DriveError>>>,
}

impl ReadDir {
    /// The most mounted drives that one listing goes into. Whoever mounts a few drives in each other
    /// many times over could make it endless otherwise. More are
    /// [`DriveError::TooManyMounts`], which ends the list.
    pub const MAX_MOUNTS: usize = walk::MAX_MOUNTS;

    /// A list of nothing.
    pub(crate) fn empty() -> Self {
        Self { entries: None }
    }

    pub(crate) fn new(holder: Holder, dir: String, options: ReadDirOptions) -> Self {
        let holder = Arc::new(holder);
        let outer = holder.outer(&dir);
        let entries = if options.recursive {
            Walk::new(holder, &dir, options.mounts)
                .into_stream()
                .map(move |entry| {
                    let WalkEntry { holder, entry } = entry?;
                    Ok(dir_entry(entry, holder, &outer))
                })
                .boxed()
        } else {
            let options = IterOptions::new().recursive(false).gt(true);
            let nodes = holder.drive().trie.iter(&dir, options);
            let children = nodes.map(move |node| {
                let (holder, dir, outer) = (Arc::clone(&holder), dir.clone(), outer.clone());
                async move {
                    let entry = child(holder.drive(), node, &dir).await;
                    let entry = entry.map_err(|error| error.below(holder.at()))?;
                    Ok(dir_entry(entry, holder, &outer))
                }
            });
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
        crate::versions::poll_until_failure(&mut self.entries, cx)
    }
}

impl fmt::Debug for ReadDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadDir")
    }
}

/// The child of a directory that a node stands for: the node itself, or the directory it is in.
async fn child(
    drive: &Drive,
    node: Result<Node, TrieError>,
    dir: &str,
) -> Result<Entry, DriveError> {
    let node = node?;
    let start = if dir.is_empty() { 0 } else { dir.len() + 1 };
    let below = node.key.get(start..).unwrap_or_default();
    let Some(slash) = below.find('/').filter(|slash| slash + 1 < below.len()) else {
        return lookup::decode(node.key.clone(), &node);
    };
    let key = &node.key[..start + slash];
    // The directory may have an entry all the same, which the iteration has no reason to give.
    Ok(match drive.trie.get_with(key, GetOptions::new()).await? {
        Some(own) => lookup::decode(key.to_owned(), &own)?,
        None => Entry {
            key: key.to_owned(),
            stat: lookup::implied_directory(&node),
            flags: None,
        },
    })
}

fn dir_entry(entry: Entry, holder: Arc<Holder>, dir: &str) -> DirEntry {
    let key = holder.outer(&entry.key);
    let name = key.strip_prefix(dir).unwrap_or(&key);
    DirEntry {
        name: name.strip_prefix('/').unwrap_or(name).to_owned(),
        path: path::shown(&key),
        implied: entry.flags.is_none(),
        stat: entry.stat,
        holder,
    }
}

/// How many children are looked up at once.
const LOOKUPS: usize = 16;
