use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hypercore::Feed;

use super::folder::open_for_reading;
use super::scan::{FileState, Local, Scan, scan};
use super::{MirrorError, Progress, Warning, Written};
use crate::turns::take_turns;
use crate::{Attributes, Batch, Chunker, Drive, DriveError, FileType, Stat, path};

/// A folder compared with a drive, and about to be written into it.
///
/// A file counts as unchanged when size, time (to the millisecond) and permission bits are those of
/// its entry, and the content log has its blocks; then it costs nothing. When only its time or its
/// bits changed, its content is compared and, if equal, kept: a new entry refers to the old blocks.
#[derive(Debug)]
pub struct Import {
    drive: Drive,
    folder: PathBuf,
    scan: Scan,
    /// The drive's own entries, directories that are only implied left out.
    remote: BTreeMap<String, Stat>,
    before: Written,
    /// Paths to remove from the drive, and paths to write, in order.
    removals: Vec<String>,
    changes: Vec<String>,
    report: Imported,
    progress: Progress,
    chunker: Option<Arc<dyn Chunker>>,
}

/// How a folder is imported.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    exclude: Vec<PathBuf>,
    chunker: Option<Arc<dyn Chunker>>,
}

impl ImportOptions {
    /// The defaults: everything in the folder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves out a path and what is below it, a store in the folder perhaps. It must begin as the
    /// folder's own path does.
    #[must_use]
    pub fn exclude(mut self, path: impl Into<PathBuf>) -> Self {
        self.exclude.push(path.into());
        self
    }

    /// What decides where files are cut into blocks (default: what the drive's options say).
    #[must_use]
    pub fn chunker(mut self, chunker: impl Chunker + 'static) -> Self {
        self.chunker = Some(Arc::new(chunker));
        self
    }
}

/// What an import did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Imported {
    /// Files whose content was written.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Files that were as in the drive already.
    pub unchanged: u64,
    /// Entries removed from the drive.
    pub removed: u64,
    /// What could not be imported.
    pub warnings: Vec<Warning>,
    /// Entries of the drive that are not in the folder and were not written by an earlier import.
    /// They were left alone.
    pub foreign: Vec<String>,
    /// What belongs to the folder now; give it to the next import.
    pub written: Written,
}

impl Import {
    /// Compares a folder with a drive. `before` is what earlier imports of this folder wrote.
    pub async fn plan(
        folder: &Path,
        drive: &Drive,
        before: Written,
        options: &ImportOptions,
    ) -> Result<Self, MirrorError> {
        let root = folder.canonicalize().map_err(|error| MirrorError::Folder {
            path: folder.to_owned(),
            error,
        })?;
        let mut import = Self {
            scan: scan(&root, &options.exclude)?,
            remote: entries(drive).await?,
            drive: drive.clone(),
            folder: root,
            before,
            removals: Vec::new(),
            changes: Vec::new(),
            report: Imported::default(),
            progress: Progress::default(),
            chunker: options.chunker.clone(),
        };
        import.report.warnings = std::mem::take(&mut import.scan.warnings);
        import.plan_removals();
        let content = import.drive.content().await?;
        import.plan_changes(&content)?;
        Ok(import)
    }

    /// Everything that is written when this has run, or by earlier imports. Keep it before the run:
    /// if that is cut short, the next import still knows what is its own.
    pub fn written(&self) -> Written {
        let mut written = self.before.clone();
        written.paths.extend(self.changes.iter().cloned());
        written
    }

    /// What will be written.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Writes the changes into the drive. `told` hears how far it is after each piece.
    ///
    /// Dropping the future leaves a part of the changes in the drive, each of them whole.
    pub async fn run(mut self, mut told: impl FnMut(Progress)) -> Result<Imported, MirrorError> {
        if !self.removals.is_empty() || !self.changes.is_empty() {
            let mut batch = self.drive.batch().await?;
            if let Some(chunker) = &self.chunker {
                batch.set_chunker(Arc::clone(chunker));
            }
            for key in std::mem::take(&mut self.removals) {
                batch.remove(&key).await?;
                self.report.removed += 1;
            }
            for key in std::mem::take(&mut self.changes) {
                self.write(&mut batch, &key, &mut told).await?;
            }
            batch.commit().await?;
        }
        let in_folder =
            |key: &&String| self.scan.entries.contains_key(*key) || self.scan.is_hidden(key);
        self.report
            .written
            .paths
            .extend(self.before.paths.iter().filter(in_folder).cloned());
        Ok(self.report)
    }

    /// Finds what has left the folder. What cannot be seen in it, in a folder without permission to
    /// list it perhaps, has not left it.
    fn plan_removals(&mut self) {
        for (key, stat) in &self.remote {
            if self.scan.is_hidden(key) {
                continue;
            }
            let gone = match self.scan.entries.get(key) {
                None => true,
                // An entry that has become a directory of files needs none of its own.
                Some(Local::Directory { .. }) => !stat.is_dir() || stat.mount.is_some(),
                Some(_) => false,
            };
            if gone && self.before.contains(key) {
                self.removals.push(key.clone());
            } else if gone {
                self.report.foreign.push(key.clone());
            }
        }
    }

    /// Finds what is new or has changed. What has not must be in the content log, or whoever reads
    /// the drive would wait for it in vain; if the log is damaged, that is an error.
    fn plan_changes(&mut self, content: &Feed) -> Result<(), DriveError> {
        let mut last_kept = None;
        for (key, local) in &self.scan.entries {
            let old = self.remote.get(key);
            let changed = match local {
                Local::Directory { empty, mode } => {
                    *empty && old.is_none_or(|old| !old.is_dir() || old.permissions() != *mode)
                }
                Local::Symlink { target } => {
                    old.is_none_or(|old| old.linkname.as_ref() != Some(target) || !old.is_symlink())
                }
                Local::File(state) => match old.filter(|old| is_same(old, *state)) {
                    Some(old) if has_content(old, content) => {
                        let end = old.offset + old.blocks;
                        last_kept = last_kept.max(end.checked_sub(1).filter(|_| old.blocks > 0));
                        false
                    }
                    _ => true,
                },
            };
            if !changed {
                self.report.unchanged += u64::from(matches!(local, Local::File(_)));
                continue;
            }
            if let Some(reason) = self.obstacle(key) {
                self.report.warnings.push(Warning::new(key, reason));
                continue;
            }
            if let Local::File(state) = local {
                self.progress.files_total += 1;
                self.progress.bytes_total += state.size;
            }
            self.changes.push(key.clone());
        }
        // A file of the store that was cut short misses this block first.
        if let Some(block) = last_kept {
            content.get_local(block)?;
        }
        Ok(())
    }

    /// Why a path cannot be written without destroying what another writer put into the drive.
    fn obstacle(&self, key: &str) -> Option<&'static str> {
        let foreign = |key: &str| {
            self.report
                .foreign
                .binary_search_by(|f| f.as_str().cmp(key))
        };
        if path::ancestors(key).any(|ancestor| foreign(ancestor).is_ok()) {
            return Some("another writer of the drive has an entry in place of its folder");
        }
        let below = format!("{key}/");
        let next = foreign(&below).unwrap_or_else(|next| next);
        if self
            .report
            .foreign
            .get(next)
            .is_some_and(|entry| entry.starts_with(&below))
            && !matches!(self.scan.entries.get(key), Some(Local::Directory { .. }))
        {
            return Some("another writer of the drive has a folder in its place");
        }
        let mounted = self.remote.get(key).is_some_and(|old| old.mount.is_some());
        mounted.then_some("another drive is mounted in its place")
    }

    async fn write(
        &mut self,
        batch: &mut Batch,
        key: &str,
        told: &mut impl FnMut(Progress),
    ) -> Result<(), MirrorError> {
        match self.scan.entries.get(key).cloned() {
            Some(Local::Directory { mode, .. }) => {
                batch.mkdir(key, &Attributes::new().mode(mode)).await?;
            }
            Some(Local::Symlink { target }) => {
                batch.symlink(&target, key, &Attributes::new()).await?;
            }
            Some(Local::File(state)) => {
                if let Err(reason) = self.write_file(batch, key, state, told).await? {
                    self.report.warnings.push(Warning::new(key, reason));
                    return Ok(());
                }
            }
            None => return Ok(()),
        }
        self.report.written.paths.insert(key.to_owned());
        Ok(())
    }

    /// Writes a file; the inner error says why it was left out.
    async fn write_file(
        &mut self,
        batch: &mut Batch,
        key: &str,
        planned: FileState,
        told: &mut impl FnMut(Progress),
    ) -> Result<Result<(), String>, MirrorError> {
        let place = self.folder.join(key);
        // A file that somebody writes to just now is read once more before it is given up.
        for _ in 0..READ_ATTEMPTS {
            let opened = open_for_reading(&place).and_then(|file| Ok((file.metadata()?, file)));
            let (metadata, mut file) = match opened {
                Ok(opened) => opened,
                Err(error) => return Ok(Err(error.to_string())),
            };
            if !metadata.is_file() {
                return Ok(Err("it is no longer a file".to_owned()));
            }
            let state = FileState::of(&metadata);
            let attributes = Attributes::new().mode(state.mode).mtime(state.mtime);
            let bytes_before = self.progress.bytes;
            let same = match self.remote.get(key).filter(|old| old.size == state.size) {
                Some(old) if old.is_file() => self.has_content(key, old, &mut file).await,
                _ => Ok(false),
            };
            let copied = match same {
                Ok(true) => Ok(None),
                Ok(false) => self.copy(batch, &mut file, told).await?.map(Some),
                Err(error) => Err(error),
            };
            let unchanged = || {
                file.metadata()
                    .is_ok_and(|now| FileState::of(&now) == state)
            };
            match copied {
                Ok(None) if unchanged() => {
                    let mut stat = self.remote[key].clone();
                    stat.mode = Stat::new(FileType::File, state.mode).mode;
                    stat.mtime = state.mtime;
                    batch.put_stat(key, &stat).await?;
                    self.report.unchanged += 1;
                    self.progress.bytes = bytes_before + planned.size;
                }
                Ok(Some((run, size))) if size == state.size && unchanged() => {
                    batch.end_file(run, key, &attributes).await?;
                    self.report.files += 1;
                    self.report.bytes += size;
                }
                Ok(copied) => {
                    if let Some((run, _)) = copied {
                        batch.abandon_file(run);
                    }
                    self.progress.bytes = bytes_before;
                    continue;
                }
                Err(error) => return Ok(Err(error.to_string())),
            }
            self.progress.files += 1;
            told(self.progress);
            take_turns().await;
            return Ok(Ok(()));
        }
        Ok(Err("it changed while it was read".to_owned()))
    }

    /// Copies a file's bytes into the content log. The inner error is the file's.
    async fn copy(
        &mut self,
        batch: &mut Batch,
        file: &mut File,
        told: &mut impl FnMut(Progress),
    ) -> Result<io::Result<(crate::content::Run, u64)>, DriveError> {
        let mut run = batch.start_file();
        let mut size = 0;
        let mut buffer = BytesMut::new();
        loop {
            buffer.resize(READ_BYTES, 0);
            match file.read(&mut buffer) {
                Ok(0) => return Ok(Ok((run, size))),
                Ok(read) => {
                    batch.extend_file(&mut run, buffer.split_to(read).freeze())?;
                    size += read as u64;
                    self.progress.bytes += read as u64;
                    told(self.progress);
                    take_turns().await;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    batch.abandon_file(run);
                    return Ok(Err(error));
                }
            }
        }
    }

    /// Whether a file's bytes are those of an entry of its size. The file is rewound if not.
    async fn has_content(&self, key: &str, old: &Stat, file: &mut File) -> io::Result<bool> {
        let Some(content) = self.drive.content_now() else {
            return Ok(false);
        };
        let mut same = has_content(old, &content);
        if same {
            same = self.compare(key, old.size, file).await.unwrap_or(false);
        }
        if !same {
            io::Seek::rewind(file)?;
        }
        Ok(same)
    }

    async fn compare(&self, key: &str, size: u64, file: &mut File) -> Result<bool, DriveError> {
        let mut stored = self.drive.read(key, 0..size).await?;
        let mut buffer = Vec::new();
        while let Some(piece) = stored.next().await {
            let piece: Bytes = piece?;
            buffer.resize(piece.len(), 0);
            file.read_exact(&mut buffer)?;
            if buffer != piece {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The entries of a drive by key, without the directories that only others imply.
async fn entries(drive: &Drive) -> Result<BTreeMap<String, Stat>, DriveError> {
    let mut entries = BTreeMap::new();
    let mut list = drive.read_key("");
    while let Some(entry) = list.next().await {
        match entry {
            Ok(entry) if entry.implied => {}
            Ok(entry) => drop(entries.insert(entry.name, entry.stat)),
            Err(DriveError::BadEntry { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(entries)
}

/// Whether the blocks of a file's entry are in the content log.
fn has_content(old: &Stat, content: &Feed) -> bool {
    let end = old.offset.checked_add(old.blocks);
    end.is_some_and(|end| end <= content.length() && content.has_range(old.offset..end))
}

fn is_same(old: &Stat, state: FileState) -> bool {
    old.is_file()
        && old.mount.is_none()
        && (old.size, old.mtime, old.permissions()) == (state.size, state.mtime, state.mode)
}

/// How often a file that changes is read before it is left out.
const READ_ATTEMPTS: usize = 3;

/// How much of a file is read at once.
const READ_BYTES: usize = 1 << 20;
