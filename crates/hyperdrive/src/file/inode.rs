use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use futures_util::lock::Mutex as AsyncMutex;
use hypertrie::PutOptions;

use super::overlay::{Overlay, Piece};
use crate::content::{Appender, Run};
use crate::runs::{Runs, run_of};
use crate::stat::now;
use crate::write::put;
use crate::{Drive, DriveError, FileType, Stat, lookup, path};

/// A file that somebody has open. Whoever opens it again sees what was written and not flushed.
#[derive(Debug)]
pub(crate) struct Inode {
    /// The drive that holds it.
    pub(crate) drive: Drive,
    name: Mutex<Name>,
    pub(crate) state: AsyncMutex<State>,
}

/// Where an open file is in its drive.
#[derive(Clone, Debug)]
struct Name {
    key: String,
    /// Whether it was removed, so that it is nowhere any more.
    gone: bool,
    /// The blocks that its content is in.
    run: Range<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct State {
    /// The entry, as it was last read or written.
    pub(crate) stat: Stat,
    pub(crate) overlay: Overlay,
}

/// The open files of a drive.
#[derive(Debug, Default)]
pub(crate) struct OpenFiles {
    files: Mutex<HashMap<String, Weak<Inode>>>,
    /// Those that are open and nowhere any more.
    removed: Mutex<Vec<Weak<Inode>>>,
}

impl OpenFiles {
    /// The file of an entry: the one that is open, or a new one.
    pub(crate) fn get(&self, drive: &Drive, key: &str, stat: &Stat) -> Arc<Inode> {
        let open = || {
            Arc::new(Inode {
                drive: drive.clone(),
                name: Mutex::new(Name {
                    key: key.to_owned(),
                    gone: false,
                    run: run_of(stat).unwrap_or(0..0),
                }),
                state: AsyncMutex::new(State {
                    stat: stat.clone(),
                    overlay: Overlay::new(stat.size),
                }),
            })
        };
        // An older version stays what it is.
        if drive.checked_out().is_some() || !drive.is_writable() {
            return open();
        }
        let mut files = lock(&self.files);
        if let Some(known) = files.get(key).and_then(Weak::upgrade) {
            // One that is busy is about to change, and so is the same file.
            let state = known.state.try_lock();
            let is_same = state.is_none_or(|state| has_content_of(&state.stat, stat));
            if is_same {
                return known;
            }
        }
        files.retain(|_, file| file.strong_count() > 0);
        let inode = open();
        files.insert(key.to_owned(), Arc::downgrade(&inode));
        inode
    }

    /// Takes out the blocks of open files, which may belong to no entry any more.
    pub(crate) fn keep_runs(&self, runs: &mut Runs) {
        let removed = lock(&self.removed).clone();
        let open = lock(&self.files);
        for file in open.values().chain(&removed).filter_map(Weak::upgrade) {
            runs.remove(lock(&file.name).run.clone());
        }
    }

    /// Follows files that were renamed, alone or with their directory.
    pub(crate) fn renamed(&self, from: &str, to: &str) {
        self.removed(to);
        let mut files = lock(&self.files);
        let moved: Vec<(String, String)> = files
            .keys()
            .filter_map(|key| Some((key.clone(), path::join(to, path::below(key, from)?))))
            .collect();
        for (old, new) in moved {
            let Some(file) = files.remove(&old) else {
                continue;
            };
            if let Some(inode) = file.upgrade() {
                lock(&inode.name).key.clone_from(&new);
            }
            files.insert(new, file);
        }
    }

    /// Lets go of files that were removed, alone or with their directory. Whoever has one open keeps
    /// it, and nobody else sees it.
    pub(crate) fn removed(&self, key: &str) {
        lock(&self.files).retain(|name, file| {
            let removed = path::below(name, key).is_some();
            if removed && let Some(inode) = file.upgrade() {
                lock(&inode.name).gone = true;
                let mut removed = lock(&self.removed);
                removed.retain(|file| file.strong_count() > 0);
                removed.push(file.clone());
            }
            !removed
        });
    }
}

impl Inode {
    pub(crate) fn shown(&self) -> String {
        path::shown(&lock(&self.name).key)
    }

    /// Writes the changes into the drive: content that is new, and the entry.
    ///
    /// If the content log ends with the file, what was written behind its end is added to it. A file
    /// that was cut at the end of a block loses blocks. In all other cases the whole file is written
    /// anew, since a file is one run of blocks.
    ///
    /// A file that was unlinked keeps its content for those who have it open. One in whose place
    /// somebody put another is given up: [`DriveError::Stale`]. Dropping the future leaves the entry
    /// as it was, and the changes unflushed.
    pub(crate) async fn flush(&self, state: &mut State) -> Result<(), DriveError> {
        if state.overlay.is_clean(state.stat.size) {
            return Ok(());
        }
        let mut appender = Appender::lock(&self.drive).await?;
        let run = self.write(&mut appender, state).await?;
        let mut stat = state.stat.clone();
        run.describe(&mut stat);
        stat.mtime = now();
        let stat = self.put(&state.stat, stat).await?;
        lock(&self.name).run = run_of(&stat).unwrap_or(0..0);
        let size = stat.size;
        (state.stat, state.overlay) = (stat, Overlay::new(size));
        Ok(())
    }

    /// Writes the content, as little of it as may be.
    async fn write(&self, appender: &mut Appender, state: &State) -> Result<Run, DriveError> {
        let (old, overlay) = (&state.stat, &state.overlay);
        let size = overlay.size();
        let before = Run {
            offset: old.offset,
            byte_offset: old.byte_offset,
            blocks: old.blocks,
            size: old.size,
        };
        if size == 0 {
            return Ok(Run {
                blocks: 0,
                size: 0,
                ..before
            });
        }
        if size < old.size
            && overlay.keeps(size)
            && let Some(blocks) = self.blocks_of(old, size).await?
        {
            return Ok(Run {
                blocks,
                size,
                ..before
            });
        }
        let grows = size > old.size && overlay.keeps(old.size) && old.size > 0;
        let mut run = match grows && appender.is_end_of(before) {
            true => before,
            false => appender.start(),
        };
        for piece in overlay.pieces(run.size..size) {
            match piece {
                Piece::Written(bytes) => appender.write(&mut run, bytes)?,
                Piece::Zeros(mut count) => {
                    while count > 0 {
                        let part = count.min(ZEROS.len() as u64);
                        let zeros = &ZEROS[..usize::try_from(part).unwrap_or(ZEROS.len())];
                        appender.write(&mut run, Bytes::from_static(zeros))?;
                        count -= part;
                    }
                }
                Piece::Base(range) => {
                    let mut content = self.drive.read_entry(self.shown(), old, range).await?;
                    while let Some(bytes) = content.next().await {
                        appender.write(&mut run, bytes?)?;
                    }
                }
            }
        }
        appender.end(&mut run)?;
        appender.append()?;
        Ok(run)
    }

    /// In how many blocks the first `size` bytes of a file are, if a block ends there.
    async fn blocks_of(&self, stat: &Stat, size: u64) -> Result<Option<u64>, DriveError> {
        let content = self.drive.content().await?;
        let run = stat.offset..stat.offset.saturating_add(stat.blocks);
        let byte = stat.byte_offset.saturating_add(size);
        if run.end > content.length() {
            return Ok(None);
        }
        let found = content.seek(byte, run).await?;
        Ok(found.and_then(|(block, rest)| (rest == 0).then_some(block - stat.offset)))
    }

    /// Puts the entry, if the file is still the one that was opened.
    async fn put(&self, before: &Stat, mut stat: Stat) -> Result<Stat, DriveError> {
        let mut batch = self.drive.begin().await?;
        let Name { key, gone, .. } = lock(&self.name).clone();
        if gone {
            return Ok(stat);
        }
        let Some(entry) = lookup::find(&batch, &key).await? else {
            return Ok(stat);
        };
        if !has_content_of(&entry.stat, before) {
            return Err(DriveError::Stale {
                path: path::shown(&key),
            });
        }
        // Attributes may have been set while the file was open.
        stat.mode = entry.stat.mode;
        (stat.uid, stat.gid) = (entry.stat.uid, entry.stat.gid);
        stat.ctime = entry.stat.ctime;
        stat.metadata = entry.stat.metadata;
        let options = PutOptions::new().flags(entry.flags.unwrap_or(0));
        put(&mut batch, &key, &stat, options).await?;
        batch.commit()?;
        Ok(stat)
    }
}

/// Whether two entries are the same file with the very same content.
fn has_content_of(one: &Stat, other: &Stat) -> bool {
    // Empty files are told apart by when they were made.
    let run = |stat: &Stat| (stat.offset, stat.byte_offset, stat.blocks, stat.size);
    let content = |stat: &Stat| (run(stat), stat.ctime);
    let is_file = |stat: &Stat| stat.file_type() == FileType::File && stat.mount.is_none();
    is_file(one) && is_file(other) && content(one) == content(other)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

static ZEROS: [u8; 65_536] = [0; 65_536];
