//! Drives as trees of files: making one from another, and bringing changes from one to another.

use std::collections::BTreeSet;

use hyperdrive_url::Link;

use crate::batch::Batch;
use crate::manifest::{Manifest, PATH};
use crate::{Attributes, DirEntry, Drive, DriveError, FileType, Stat, path};

/// How two trees are compared, and one merged into the other.
#[derive(Clone, Debug, Default)]
pub struct MergeOptions {
    keep: bool,
    trust_times: bool,
    ignored: BTreeSet<String>,
}

impl MergeOptions {
    /// Everything is compared, by its content, and what only the target has is removed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to leave alone what only the target has (default: no).
    #[must_use]
    pub fn keep(mut self, keep: bool) -> Self {
        self.keep = keep;
        self
    }

    /// Whether files of the same size and time count as the same, unread (default: no).
    #[must_use]
    pub fn trust_times(mut self, trust: bool) -> Self {
        self.trust_times = trust;
        self
    }

    /// Leaves out a path, relative to the trees, and what is below it.
    #[must_use]
    pub fn ignore(mut self, path: &str) -> Self {
        self.ignored.insert(path::clean(path));
        self
    }

    fn ignores(&self, key: &str) -> bool {
        self.ignored.contains(key) || path::ancestors(key).any(|above| self.ignored.contains(above))
    }
}

/// How an entry differs between two trees.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Difference {
    /// Only the source has it.
    Added,
    /// Both have it, and it is not the same.
    Changed,
    /// Only the target has it.
    Removed,
}

/// What a fork or a merge did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Merged {
    /// Entries that were added.
    pub added: u64,
    /// Entries that were replaced.
    pub changed: u64,
    /// Entries that were removed.
    pub removed: u64,
    /// Entries that could not be read, and were left as they are in the target.
    pub skipped: u64,
}

impl Drive {
    /// Tells how a directory of another drive (the source) differs from one of this drive (the
    /// target), entry by entry, with paths relative to both. `told` is called for each difference,
    /// what is to be removed last and what is in a directory before it. Gives how many entries of
    /// the source cannot be read; they are taken for the same.
    ///
    /// Files are compared byte by byte if they have the same size. Permissions, times and metadata
    /// make no difference. What is mounted is one entry, and the same if it is the same drive in the
    /// same version. Memory grows with the number of entries to be removed only.
    pub async fn compare_trees(
        &self,
        target: &str,
        (source_drive, source): (&Self, &str),
        options: &MergeOptions,
        mut told: impl FnMut(&str, Difference),
    ) -> Result<u64, DriveError> {
        let mut skipped = 0;
        let ours = self.tree(target).await?;
        let theirs = source_drive.tree(source).await?;
        let mut entries = theirs.list();
        while let Some(entry) = entries.next().await {
            let Some(entry) = theirs.readable(entry, &mut skipped)? else {
                continue;
            };
            if options.ignores(&entry.name) {
                continue;
            }
            match ours.find(&entry.name).await? {
                None => told(&entry.name, Difference::Added),
                Some(other) => match theirs.same(&entry, &ours, &other, options).await {
                    Ok(true) => {}
                    Ok(false) => told(&entry.name, Difference::Changed),
                    Err(DriveError::BadEntry { .. }) => skipped += 1,
                    Err(error) => return Err(error),
                },
            }
        }
        if options.keep {
            return Ok(skipped);
        }
        let mut gone = BTreeSet::new();
        let mut entries = ours.list();
        let mut unread = 0;
        while let Some(entry) = entries.next().await {
            // What cannot be read here is left alone.
            let Some(entry) = ours.readable(entry, &mut unread)? else {
                continue;
            };
            if !options.ignores(&entry.name) && theirs.find(&entry.name).await?.is_none() {
                gone.insert(entry.name);
            }
        }
        for name in gone.iter().rev() {
            told(name, Difference::Removed);
        }
        Ok(skipped)
    }

    /// Makes a directory of this drive (the target) like one of another drive (the source): copies
    /// what differs and removes what only the target has. Permissions, times and metadata of what is
    /// copied come with it; mounts become mounts. The target need not exist.
    ///
    /// Dropping the future leaves a part of the changes made, each of them whole.
    pub async fn merge_tree(
        &self,
        target: &str,
        (source_drive, source): (&Self, &str),
        options: &MergeOptions,
    ) -> Result<Merged, DriveError> {
        let mut changes = Vec::new();
        let source_drive = match source_drive.checked_out() {
            Some(_) => source_drive.clone(),
            None => source_drive.snapshot(),
        };
        let skipped = self
            .compare_trees(target, (&source_drive, source), options, |name, change| {
                changes.push((name.to_owned(), change));
            })
            .await?;
        let (ours, theirs) = (self.tree(target).await?, source_drive.tree(source).await?);
        let mut merged = Merged {
            skipped,
            ..Merged::default()
        };
        let mut batch = ours.drive.batch().await?;
        // What goes makes room for what comes.
        let (gone, new): (Vec<_>, Vec<_>) = changes
            .into_iter()
            .partition(|(_, change)| *change == Difference::Removed);
        for (name, _) in gone {
            merged.removed += 1;
            ours.remove(&mut batch, &name).await?;
        }
        for (name, change) in new {
            let Some(stat) = theirs.find(&name).await? else {
                continue;
            };
            if change == Difference::Changed {
                ours.remove(&mut batch, &name).await?;
            }
            match theirs.copy(&mut batch, &name, &stat, &ours).await {
                Ok(()) if change == Difference::Added => merged.added += 1,
                Ok(()) => merged.changed += 1,
                Err(DriveError::BadEntry { .. } | DriveError::BadMount { .. }) => {
                    merged.skipped += 1;
                }
                Err(error) => return Err(error),
            }
        }
        batch.commit().await?;
        Ok(merged)
    }

    /// Fills this drive, which should be new, with the files of another one: all but `/.dat`, `/.git`
    /// and the manifest, of which a new one is made. It says where the drive was forked from, unless
    /// `detached`, and does not name the author of the other one. Fields of `changes` replace those
    /// of the other manifest.
    pub async fn fork_from(
        &self,
        source: &Self,
        changes: &Manifest,
        detached: bool,
    ) -> Result<Merged, DriveError> {
        let options = MergeOptions::new().keep(true);
        let options = options.ignore(".dat").ignore(".git").ignore(PATH);
        let merged = self.merge_tree("/", (source, "/"), &options).await?;
        let mut manifest = match source.manifest().await {
            Ok(manifest) => manifest.unwrap_or_default(),
            Err(DriveError::BadManifest(_)) => Manifest::new(),
            Err(error) => return Err(error),
        };
        manifest.set("author", None);
        manifest.set("url", None);
        let link = Link::new(*source.key().as_bytes()).with_version(source.checked_out());
        manifest.set("forkOf", Some(&*link.to_string()).filter(|_| !detached));
        for (field, value) in changes.fields() {
            manifest.fields_mut().insert(field.clone(), value.clone());
        }
        self.set_manifest(&manifest).await?;
        Ok(merged)
    }

    /// A directory as a tree to be compared, in the drive that holds it. It need not exist.
    async fn tree(&self, path: &str) -> Result<Tree, DriveError> {
        match self.directory(path).await {
            Ok(found) if !found.entry.stat.is_dir() => Err(DriveError::NotADirectory {
                path: found.shown(),
            }),
            Ok(found) => Ok(Tree {
                drive: found.holder.drive().clone(),
                dir: found.entry.key,
            }),
            Err(DriveError::NotFound { .. }) => {
                let spot = self.locate(&path::clean(path), true).await?;
                Ok(Tree {
                    drive: spot.drive().clone(),
                    dir: spot.key().to_owned(),
                })
            }
            Err(error) => Err(error),
        }
    }
}

/// What is below a key of a drive, mounted drives left out.
struct Tree {
    drive: Drive,
    dir: String,
}

impl Tree {
    fn list(&self) -> crate::ReadDir {
        self.drive.read_key(&self.dir)
    }

    fn key(&self, name: &str) -> String {
        path::join(&self.dir, name)
    }

    /// An entry that has a place of its own in both trees; others are counted.
    fn readable(
        &self,
        entry: Result<DirEntry, DriveError>,
        skipped: &mut u64,
    ) -> Result<Option<DirEntry>, DriveError> {
        match entry {
            Ok(entry) if path::clean(&entry.name) == entry.name => Ok(Some(entry)),
            // A name that means another place.
            Ok(_) | Err(DriveError::BadEntry { .. } | DriveError::BadMount { .. }) => {
                *skipped += 1;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The entry of its own that a name has.
    async fn find(&self, name: &str) -> Result<Option<Stat>, DriveError> {
        let key = self.key(name);
        match self.drive.trie.get(&key).await? {
            Some(node) => match crate::lookup::decode(key, &node) {
                Ok(entry) => Ok(Some(entry.stat)),
                Err(DriveError::BadEntry { .. }) => Ok(Some(Stat::new(FileType::Other, 0))),
                Err(error) => Err(error),
            },
            None => Ok(None),
        }
    }

    async fn same(
        &self,
        entry: &DirEntry,
        other: &Self,
        there: &Stat,
        options: &MergeOptions,
    ) -> Result<bool, DriveError> {
        let here = &entry.stat;
        if here.file_type() != there.file_type() {
            return Ok(false);
        }
        if here.mount.is_some() || there.mount.is_some() {
            let what = |stat: &Stat| {
                let mount = stat.mount.as_ref()?;
                Some((mount.key, mount.version.unwrap_or(0), mount.is_log()))
            };
            return Ok(what(here) == what(there));
        }
        if here.is_symlink() {
            return Ok(here.linkname == there.linkname);
        }
        if !here.is_file() || here.size != there.size {
            return Ok(!here.is_file());
        }
        if here.size == 0 || options.trust_times && here.mtime == there.mtime {
            return Ok(true);
        }
        let read = async |tree: &Self, stat: &Stat| {
            let shown = path::shown(&tree.key(&entry.name));
            tree.drive.read_entry(shown, stat, 0..u64::MAX).await
        };
        let (mut one, mut two) = (read(self, here).await?, read(other, there).await?);
        let (mut left, mut right) = (bytes::Bytes::new(), bytes::Bytes::new());
        loop {
            if left.is_empty() {
                left = one.next().await.transpose()?.unwrap_or_default();
            }
            if right.is_empty() {
                right = two.next().await.transpose()?.unwrap_or_default();
            }
            let length = left.len().min(right.len());
            if length == 0 {
                return Ok(left.is_empty() && right.is_empty());
            }
            if left.split_to(length) != right.split_to(length) {
                return Ok(false);
            }
        }
    }

    async fn remove(&self, batch: &mut Batch, name: &str) -> Result<(), DriveError> {
        batch.remove_whole(&self.key(name)).await
    }

    /// Copies an entry of this tree into another one.
    async fn copy(
        &self,
        batch: &mut Batch,
        name: &str,
        stat: &Stat,
        to: &Self,
    ) -> Result<(), DriveError> {
        let (key, attributes) = (to.key(name), Attributes::of(stat));
        if let Some(mount) = &stat.mount {
            return batch.mount(&key, mount, stat).await;
        }
        match stat.file_type() {
            FileType::Directory => batch.mkdir(&key, &attributes).await.map(drop),
            FileType::Symlink => {
                let target = stat.linkname.as_deref().unwrap_or_default();
                batch.symlink(target, &key, &attributes).await.map(drop)
            }
            FileType::File => {
                let shown = path::shown(&self.key(name));
                let mut content = self.drive.read_entry(shown, stat, 0..u64::MAX).await?;
                let mut file = batch.start_file();
                while let Some(piece) = content.next().await {
                    match piece {
                        Ok(piece) => batch.extend_file(&mut file, piece)?,
                        Err(error) => {
                            batch.abandon_file(file);
                            return Err(error);
                        }
                    }
                }
                batch.end_file(file, &key, &attributes).await.map(drop)
            }
            _ => batch.put_stat(&key, stat).await,
        }
    }
}
