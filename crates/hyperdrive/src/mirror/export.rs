use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use hypercore::Download;

use super::folder::{Folder, Found, Kind, target_text};
use super::{MirrorError, Progress, Warning, Written, link};
use crate::path::{self, is_plain_name};
use crate::turns::take_turns;
use crate::{Drive, DriveError, Stat};

/// A version of a drive compared with a folder, and about to be written into it.
///
/// Every file is written under a name of its own and moved to its place when it is whole. A file
/// that has the size, time and permission bits of its entry is left as it is. Nothing is opened or
/// written through a link, and nothing outside the folder.
#[derive(Debug)]
pub struct Export {
    drive: Drive,
    /// Drives mounted in it that are written too, by the key of the mount, each but once.
    mounted: BTreeMap<String, Drive>,
    folder: Folder,
    path: PathBuf,
    entries: BTreeMap<String, Stat>,
    before: Written,
    removals: Vec<String>,
    changes: Vec<String>,
    report: Exported,
    progress: Progress,
}

/// How a drive is exported.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExportOptions {
    force: bool,
    mounts: bool,
}

impl ExportOptions {
    /// The defaults: what somebody else put into the folder stays, and mounted drives are named and
    /// left out.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces files and links that no earlier export wrote.
    #[must_use]
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Writes mounted drives as well, as folders where they are mounted, in the version that is here
    /// or, if nothing is, that peers have. One that is mounted at several places is written at the
    /// first of them only. Logs that are mounted become files.
    #[must_use]
    pub fn mounts(mut self, mounts: bool) -> Self {
        self.mounts = mounts;
        self
    }
}

/// What an export did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Exported {
    /// Files written.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Files that were there already.
    pub unchanged: u64,
    /// Files, links and folders removed because the drive no longer has them.
    pub removed: u64,
    /// What could not be written.
    pub warnings: Vec<Warning>,
    /// What belongs to the drive now; give it to the next export.
    pub written: Written,
}

impl Export {
    /// Compares a drive with a folder, which is made if it is missing. `before` is what earlier
    /// exports of this drive wrote there.
    ///
    /// Fetches all paths of the drive's version first: one long request instead of many short ones.
    /// Waits for as long as it takes; cancel-safe.
    pub async fn plan(
        drive: &Drive,
        folder: &Path,
        before: Written,
        options: ExportOptions,
    ) -> Result<Self, MirrorError> {
        let drive = match drive.checked_out() {
            Some(_) => drive.clone(),
            None => drive.snapshot(),
        };
        drive
            .metadata()
            .download(0..drive.version())
            .await
            .map_err(DriveError::Read)?;
        let opened = Folder::open(folder);
        let mut export = Self {
            drive,
            folder: opened.map_err(|error| MirrorError::Folder {
                path: folder.to_owned(),
                error,
            })?,
            path: folder.to_owned(),
            mounted: BTreeMap::new(),
            entries: BTreeMap::new(),
            before,
            removals: Vec::new(),
            changes: Vec::new(),
            report: Exported::default(),
            progress: Progress::default(),
        };
        export.load().await?;
        if options.mounts {
            export.load_mounted().await?;
        }
        export.drop_impossible(options);
        export.plan_removals();
        export.plan_changes(options)?;
        Ok(export)
    }

    /// The version that is exported.
    pub fn version(&self) -> u64 {
        self.drive.version()
    }

    /// Everything that is written when this has run, or by earlier exports. Keep it before the run:
    /// if that is cut short, the next export still knows what is its own.
    pub fn written(&self) -> Written {
        let mut written = self.before.clone();
        written.paths.extend(self.changes.iter().cloned());
        written
    }

    /// What will be written.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Writes the drive into the folder, waiting for content that is not here for as long as it
    /// takes. `told` hears how far it is after each piece.
    ///
    /// Files whose content is beyond what is known of the log come last: it may never come.
    ///
    /// Dropping the future leaves some files written, each of them whole.
    pub async fn run(mut self, mut told: impl FnMut(Progress)) -> Result<Exported, MirrorError> {
        for key in std::mem::take(&mut self.removals) {
            self.remove(&key);
        }
        let changes = self.possible_first().await?;
        let mut ahead = ReadAhead::new(&self, &changes).await?;
        // Links last, so that no path leads through one while files are written.
        let (links, others): (Vec<String>, Vec<String>) = changes
            .into_iter()
            .partition(|key| self.entries[key].is_symlink());
        for key in &others {
            let stat = self.entries[key].clone();
            let done = if stat.is_dir() {
                self.folder.make_dir(key).map_err(DriveError::Io)
            } else {
                if self.is_own(key) {
                    ahead.advance(&stat);
                }
                self.write_file(key, &stat, &mut told).await
            };
            self.settle(key, done)?;
        }
        for key in &links {
            let stat = self.entries[key].clone();
            let target = stat
                .linkname
                .as_deref()
                .and_then(|target| link::to_disk(key, target));
            let done = self
                .clear_place(key)
                .and_then(|()| self.folder.symlink(&target.unwrap_or_default(), key));
            self.settle(key, done.map_err(DriveError::Io))?;
        }
        for key in others.iter().rev() {
            let stat = &self.entries[key];
            if stat.is_dir() && self.report.written.contains(key) {
                let mode = stat.permissions() & 0o777 | OWNER_BITS;
                if let Err(error) = self.folder.set_dir_mode(key, mode) {
                    self.report
                        .warnings
                        .push(Warning::new(key, error.to_string()));
                }
            }
        }
        let kept = self
            .before
            .paths
            .iter()
            .filter(|key| self.entries.contains_key(*key));
        self.report.written.paths.extend(kept.cloned());
        Ok(self.report)
    }

    /// The changes in order, but files beyond the known end of the content last.
    async fn possible_first(&mut self) -> Result<Vec<String>, DriveError> {
        let changes = std::mem::take(&mut self.changes);
        let ends = |key: &String| match run_of(&self.entries[key]) {
            Some(run) if self.is_own(key) => run.end,
            _ => 0,
        };
        if changes.iter().all(|key| ends(key) == 0) {
            return Ok(changes);
        }
        let content = self.drive.content().await?;
        content.update().await?;
        let length = content.length();
        let (mut ordered, beyond): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|key| ends(key) <= length);
        ordered.extend(beyond);
        Ok(ordered)
    }

    async fn load(&mut self) -> Result<(), DriveError> {
        let mut list = self.drive.read_key("");
        while let Some(entry) = list.next().await {
            match entry {
                Ok(entry) if entry.implied => {}
                Ok(entry) => drop(self.entries.insert(entry.name, entry.stat)),
                Err(DriveError::BadEntry { path, fault }) => {
                    self.report
                        .warnings
                        .push(Warning::new(path, fault.to_string()));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Adds what is in mounted drives.
    async fn load_mounted(&mut self) -> Result<(), DriveError> {
        let mut mounts = self.drive.mount_stream(true);
        let mut written = HashSet::from([self.drive.key()]);
        // Mounts of drives that are written elsewhere, with what is mounted in these.
        let mut skipped = HashSet::new();
        while let Some(mounted) = mounts.next().await {
            let mounted = match mounted {
                Ok(mounted) => mounted,
                Err(DriveError::BadMount { path, source }) => {
                    let warning = Warning::new(path, source.to_string());
                    self.report.warnings.push(warning);
                    continue;
                }
                Err(DriveError::BadEntry { path, fault }) => {
                    let warning = Warning::new(path, fault.to_string());
                    self.report.warnings.push(warning);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let at = path::clean(&mounted.path);
            if at.is_empty() || path::ancestors(&at).any(|above| skipped.contains(above)) {
                continue;
            }
            if !written.insert(mounted.drive.key()) {
                skipped.insert(at);
                continue;
            }
            let drive = match mounted.drive.checked_out() {
                Some(_) => mounted.drive,
                None => mounted.drive.snapshot(),
            };
            let mut list = drive.read_key("");
            loop {
                match list.next().await {
                    None => break,
                    Some(Ok(entry)) if entry.implied => {}
                    Some(Ok(entry)) => {
                        let key = path::join(&at, &entry.name);
                        self.entries.insert(key, entry.stat);
                    }
                    Some(Err(error)) => {
                        let warning = match error {
                            DriveError::BadEntry { path, fault } => {
                                Warning::new(path::join(&at, &path[1..]), fault.to_string())
                            }
                            error @ DriveError::Trie(_) => Warning::new(&at, error.to_string()),
                            error => return Err(error),
                        };
                        self.report.warnings.push(warning);
                    }
                }
            }
            self.mounted.insert(at, drive);
        }
        Ok(())
    }

    /// The drive that holds a key.
    fn holder(&self, key: &str) -> &Drive {
        if self.mounted.is_empty() {
            return &self.drive;
        }
        let above: Vec<&str> = path::ancestors(key).collect();
        let mounted = above.iter().rev().find_map(|at| self.mounted.get(*at));
        mounted.unwrap_or(&self.drive)
    }

    /// Whether the content of a key is in the drive's own log.
    fn is_own(&self, key: &str) -> bool {
        let own = self
            .entries
            .get(key)
            .is_some_and(|stat| stat.mount.is_none());
        own && self.holder(key).key() == self.drive.key()
    }

    /// Takes out what must not or cannot be written.
    fn drop_impossible(&mut self, options: ExportOptions) {
        let entries = std::mem::take(&mut self.entries);
        let warnings = &mut self.report.warnings;
        // Files first may turn out to be folders: a later key lies below them.
        let mut folders = std::collections::BTreeSet::new();
        for key in entries.keys() {
            folders.extend(path::ancestors(key).map(str::to_owned));
        }
        for (key, stat) in entries {
            let reason = if !key.split('/').all(is_plain_name) {
                Some("its path has a part that is no name")
            } else if stat.mount.is_some() && !options.mounts {
                Some("it is a mounted drive, which has a link of its own")
            } else if stat.mount.is_some() && stat.is_dir() && !self.mounted.contains_key(&key) {
                Some("it is a mounted drive that is written elsewhere, or cannot be read")
            } else if !stat.is_dir() && folders.contains(&key) {
                Some("the drive has a folder of this name too, which was written")
            } else if stat.is_symlink() {
                let target = stat.linkname.as_deref().unwrap_or_default();
                let none = target.is_empty() || link::to_disk(&key, target).is_none();
                none.then_some("its target is outside the drive")
            } else if !stat.is_dir() && !stat.is_file() {
                Some("it is neither a file nor a folder nor a link")
            } else {
                None
            };
            match reason {
                Some(reason) => warnings.push(Warning::new(key, reason)),
                None => drop(self.entries.insert(key, stat)),
            }
        }
    }

    fn plan_removals(&mut self) {
        // In descending order, so that a folder comes after what is in it.
        for key in self.before.paths.iter().rev() {
            let still_there = self.entries.contains_key(key);
            if !still_there {
                self.removals.push(key.clone());
            }
        }
    }

    fn plan_changes(&mut self, options: ExportOptions) -> Result<(), MirrorError> {
        for (key, stat) in &self.entries {
            let found = match self.folder.find(key) {
                Ok(found) => found,
                Err(error) => {
                    self.report
                        .warnings
                        .push(Warning::new(key, error.to_string()));
                    continue;
                }
            };
            let same = match found {
                Some(Found {
                    kind: Kind::Symlink,
                    ..
                }) if stat.is_symlink() => {
                    let here = self.folder.read_link(key).ok().and_then(target_text);
                    here.is_some()
                        && here == stat.linkname.as_deref().and_then(|t| link::to_disk(key, t))
                }
                Some(found) => is_same(stat, &found),
                None => false,
            };
            if same {
                self.report.unchanged += u64::from(stat.is_file());
                self.report.written.paths.insert(key.clone());
                continue;
            }
            let own = options.force || self.before.contains(key) || self.before.has_below(key);
            if let Some(found) = found
                && !own
                && !(found.kind == Kind::Directory && stat.is_dir())
            {
                let reason = "something else is in its place, which no earlier clone wrote";
                self.report.warnings.push(Warning::new(key, reason));
                continue;
            }
            if stat.is_file() {
                self.progress.files_total += 1;
                self.progress.bytes_total = self.progress.bytes_total.saturating_add(stat.size);
            }
            self.changes.push(key.clone());
        }
        Ok(())
    }

    /// Removes what an earlier export wrote. What is not as it was left is left.
    fn remove(&mut self, key: &str) {
        let removed = match self.folder.find(key) {
            Ok(Some(Found {
                kind: Kind::File | Kind::Symlink,
                ..
            })) => self.folder.remove(key),
            Ok(Some(Found {
                kind: Kind::Directory,
                ..
            })) => self.folder.remove_dir(key),
            _ => return,
        };
        if removed.is_err() {
            return;
        }
        self.report.removed += 1;
        // Folders that are empty now were there for what was in them.
        let mut parent = path::parent(key);
        while !parent.is_empty()
            && !self.entries.contains_key(parent)
            && self.folder.remove_dir(parent).is_ok()
        {
            parent = path::parent(parent);
        }
    }

    /// Makes room for a file or link where a folder was. Only if it is empty: what is in it was put
    /// there by somebody else.
    fn clear_place(&mut self, key: &str) -> io::Result<()> {
        match self.folder.find(key)? {
            Some(Found {
                kind: Kind::Directory,
                ..
            }) => self.folder.remove_dir(key),
            _ => Ok(()),
        }
    }

    async fn write_file(
        &mut self,
        key: &str,
        stat: &Stat,
        told: &mut impl FnMut(Progress),
    ) -> Result<(), DriveError> {
        self.clear_place(key)?;
        let bytes_before = self.progress.bytes;
        let written = self.copy(key, stat, told).await;
        if written.is_err() {
            self.progress.bytes = bytes_before;
        } else {
            self.report.files += 1;
            self.report.bytes += stat.size;
        }
        self.progress.files += 1;
        told(self.progress);
        written
    }

    async fn copy(
        &mut self,
        key: &str,
        stat: &Stat,
        told: &mut impl FnMut(Progress),
    ) -> Result<(), DriveError> {
        let mut content = self
            .holder(key)
            .read_entry(path::shown(key), stat, 0..u64::MAX)
            .await?;
        let mut file = self.folder.create(key)?;
        while let Some(piece) = content.next().await {
            let piece = piece?;
            file.write(&piece)?;
            self.progress.bytes += piece.len() as u64;
            told(self.progress);
            take_turns().await;
        }
        file.finish(stat.permissions() & 0o777, stat.mtime)?;
        Ok(())
    }

    /// Notes that a path was written, or why it was left out. A full disk ends the export.
    fn settle(&mut self, key: &str, done: Result<(), DriveError>) -> Result<(), MirrorError> {
        match done {
            Ok(()) => drop(self.report.written.paths.insert(key.to_owned())),
            Err(DriveError::Io(error)) if is_fatal(&error) => {
                return Err(MirrorError::Folder {
                    path: self.path.join(key),
                    error,
                });
            }
            Err(
                error @ (DriveError::Io(_) | DriveError::BadEntry { .. } | DriveError::NoContent),
            ) => {
                self.report
                    .warnings
                    .push(Warning::new(key, error.to_string()));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// Asks for the content of the files that come next, so that requests never run dry between two of
/// them.
#[derive(Debug)]
struct ReadAhead {
    content: Option<hypercore::Feed>,
    /// Runs of files to come, in the order in which they are written.
    runs: VecDeque<Range<u64>>,
    asked: VecDeque<(Range<u64>, Download)>,
}

impl ReadAhead {
    async fn new(export: &Export, changes: &[String]) -> Result<Self, DriveError> {
        let runs: VecDeque<Range<u64>> = changes
            .iter()
            .filter(|key| export.is_own(key))
            .filter_map(|key| run_of(export.entries.get(key)?))
            .collect();
        let content = match runs.is_empty() {
            true => None,
            false => Some(export.drive.content().await?),
        };
        Ok(Self {
            content,
            runs,
            asked: VecDeque::new(),
        })
    }

    /// The file of this entry is about to be read.
    fn advance(&mut self, stat: &Stat) {
        let Some(content) = &self.content else { return };
        if stat.blocks == 0 {
            return;
        }
        while self
            .asked
            .front()
            .is_some_and(|(run, _)| run.start != stat.offset)
        {
            self.asked.pop_front();
        }
        while self.asked.len() < FILES_AHEAD {
            let Some(run) = self.runs.pop_front() else {
                break;
            };
            let download = content.download(run.clone());
            self.asked.push_back((run, download));
        }
    }
}

/// The blocks of a file, if it has any and says so in possible numbers.
fn run_of(stat: &Stat) -> Option<Range<u64>> {
    let content = stat.is_file() && stat.mount.is_none() && stat.blocks > 0;
    let end = stat.offset.checked_add(stat.blocks)?;
    content.then_some(stat.offset..end)
}

fn is_same(stat: &Stat, found: &Found) -> bool {
    match found.kind {
        Kind::File => {
            stat.is_file()
                && (found.size, found.mtime) == (stat.size, stat.mtime)
                && (cfg!(not(unix)) || found.mode == stat.permissions() & 0o777)
        }
        Kind::Directory => {
            stat.is_dir()
                && (cfg!(not(unix))
                    || found.mode & 0o777 == stat.permissions() & 0o777 | OWNER_BITS)
        }
        Kind::Symlink | Kind::Other => false,
    }
}

/// After these no other file will fare better.
fn is_fatal(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(
        error.kind(),
        StorageFull | QuotaExceeded | ReadOnlyFilesystem
    )
}

/// What the owner of a folder may always do, so that the next export can write into it.
const OWNER_BITS: u32 = 0o700;

/// How many files are asked for ahead.
const FILES_AHEAD: usize = 256;
