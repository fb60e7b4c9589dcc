//! Files that are open: read and written anywhere, by handles that see one another's changes.

use std::fmt;
use std::io::SeekFrom;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hypertrie::PutOptions;

use crate::lookup::{self, Place};
use crate::read::ReadStream;
use crate::write::put;
use crate::{Attributes, Drive, DriveError, FileType, Stat, path};

mod inode;
mod options;
mod overlay;

pub(crate) use inode::OpenFiles;
pub use options::OpenOptions;

use inode::{Inode, State};
use overlay::Piece;

impl Drive {
    /// Opens a file. Symlinks are followed, and a missing file is made through one that dangles.
    /// Parents need not exist. A directory cannot be opened.
    ///
    /// What the options do to the file is done when it is open: a file that is made has an entry, and
    /// one that is emptied is empty for every reader.
    pub async fn open_file(&self, path: &str, options: OpenOptions) -> Result<File, DriveError> {
        if !options.is_valid() {
            return Err(DriveError::InvalidPath {
                path: path::shown(&path::clean(path)),
                reason: "the options to open it contradict one another",
            });
        }
        let (inode, made) = if options.writes() {
            self.open_to_write(path, options).await?
        } else {
            let found = self.entry(path, true).await?;
            if found.entry.stat.is_dir() {
                let path = found.shown();
                return Err(DriveError::IsADirectory { path });
            }
            let (drive, entry) = (found.drive(), &found.entry);
            (
                drive.shared.files.get(drive, &entry.key, &entry.stat),
                false,
            )
        };
        let mut file = File {
            inode,
            options,
            position: 0,
            reading: None,
        };
        if options.truncate && !made {
            file.set_len(0).await?;
            file.flush().await?;
        }
        Ok(file)
    }

    /// Gives a file another size. What it grows by is zeros. A symlink is followed.
    pub async fn truncate(&self, path: &str, size: u64) -> Result<(), DriveError> {
        let options = OpenOptions::new().write(true);
        let mut file = self.open_file(path, options).await?;
        file.set_len(size).await?;
        file.close().await
    }

    /// The largest size that a file can be given, in bytes: what Node can count.
    pub const MAX_FILE_BYTES: u64 = (1 << 53) - 1;

    /// By how many bytes of nothing a file may grow in one step, by being given another size or
    /// written to beyond its end. They become zeros in its blocks.
    pub const MAX_HOLE_BYTES: u64 = 1 << 30;

    /// A file that is there, or was made just now.
    async fn open_to_write(
        &self,
        path: &str,
        options: OpenOptions,
    ) -> Result<(Arc<Inode>, bool), DriveError> {
        let create = options.create || options.create_new;
        let spot = self.locate(&path::clean(path), !options.create_new).await?;
        let drive = spot.drive();
        let at = |key: &str| path::shown(&spot.holder.outer(key));
        let entry = match &spot.place {
            Place::Taken(entry) if options.create_new => {
                return Err(DriveError::AlreadyExists {
                    path: at(&entry.key),
                });
            }
            Place::Taken(entry) if entry.stat.is_dir() => {
                return Err(DriveError::IsADirectory {
                    path: at(&entry.key),
                });
            }
            Place::Taken(entry) => Some(entry),
            Place::Free { key } if !create => {
                return Err(DriveError::NotFound { path: at(key) });
            }
            Place::Free { .. } => None,
        };
        if let Some(version) = drive.checked_out() {
            return Err(DriveError::Checkout { version });
        }
        if !drive.is_writable() || !drive.content().await?.is_writable() {
            return Err(DriveError::NotWritable);
        }
        let key = spot.key();
        match entry {
            // A log that is mounted as a file has other writers.
            Some(entry) if entry.stat.mount.is_some() => Err(DriveError::NotWritable),
            Some(entry) => Ok((drive.shared.files.get(drive, key, &entry.stat), false)),
            None => {
                let made = spot.seen(drive.make_file(key, options).await)?;
                Ok((drive.shared.files.get(drive, key, &made.1), made.0))
            }
        }
    }

    /// Puts an empty file at a clean key, unless somebody has put one there meanwhile. Whether it did,
    /// and the file.
    async fn make_file(&self, key: &str, options: OpenOptions) -> Result<(bool, Stat), DriveError> {
        let mut batch = self.begin().await?;
        if let Some(entry) = lookup::find(&batch, key).await? {
            let path = path::shown(key);
            return match entry.stat.file_type() {
                _ if options.create_new => Err(DriveError::AlreadyExists { path }),
                FileType::File if entry.stat.mount.is_none() => Ok((false, entry.stat)),
                _ => Err(DriveError::Stale { path }),
            };
        }
        let mut attributes = Attributes::new();
        if let Some(mode) = options.mode {
            attributes = attributes.mode(mode);
        }
        let mut stat = attributes.to_stat(FileType::File);
        if let Some(content) = self.content_now() {
            stat.offset = content.length();
            stat.byte_offset = content.byte_length();
        }
        put(&mut batch, key, &stat, PutOptions::new()).await?;
        batch.commit()?;
        Ok((true, stat))
    }
}

/// An open file, with a position of its own; made by [`Drive::open_file`].
///
/// All handles on a file of one drive see what any of them has written, and what is not flushed is
/// seen by them alone: [`flush`](Self::flush) puts it into the drive, as one new version. So does
/// writing, when more than 32 MiB or 65,536 separate places wait to be flushed. Dropping the last
/// handle without [`close`](Self::close) or [`flush`](Self::flush) gives up what was not flushed.
///
/// A file that was renamed is followed, also with its directory. One that was unlinked can be read
/// and written on, and is gone with its last handle. If another file was put in its place, flushing
/// is refused ([`DriveError::Stale`]).
///
/// Reading fetches ahead when it goes on where it ended, or begins at the start; going elsewhere
/// takes back what was asked for. Dropping a future is safe: what it was about to write is then
/// written or not, and its position has not moved unless it has ended.
pub struct File {
    inode: Arc<Inode>,
    options: OpenOptions,
    position: u64,
    reading: Option<Reading>,
}

/// Old content that is being read in order.
struct Reading {
    stream: ReadStream,
    /// What was read and not asked for yet.
    rest: Bytes,
    /// Where in the file that goes on.
    next: u64,
    /// The content that it belongs to.
    run: (u64, u64, u64),
}

impl File {
    /// Up to `len` bytes from where the handle is, which moves behind them; fewer at the end of the
    /// file, and at most [`File::MAX_READ_BYTES`].
    pub async fn read(&mut self, len: usize) -> Result<Bytes, DriveError> {
        let bytes = self.read_at(self.position, len).await?;
        self.position += bytes.len() as u64;
        Ok(bytes)
    }

    /// The most bytes that are read at once.
    pub const MAX_READ_BYTES: usize = 16 << 20;

    /// Up to `len` bytes from a position; fewer at the end of the file, and at most
    /// [`File::MAX_READ_BYTES`]. The handle's position stays.
    pub async fn read_at(&mut self, position: u64, len: usize) -> Result<Bytes, DriveError> {
        if !self.options.read {
            return Err(self.bad_handle("be read"));
        }
        let end = position.saturating_add(len.min(Self::MAX_READ_BYTES) as u64);
        let (pieces, stat) = {
            let state = self.inode.state.lock().await;
            if self.inode.drive.checked_out().is_none() && state.stat.mount.is_some() {
                // The log may have grown.
                (vec![Piece::Base(position..end)], state.stat.clone())
            } else {
                (state.overlay.pieces(position..end), state.stat.clone())
            }
        };
        let mut read = BytesMut::new();
        let single = pieces.len() == 1;
        for piece in pieces {
            match piece {
                Piece::Written(bytes) if single => return Ok(bytes),
                Piece::Written(bytes) => read.extend_from_slice(&bytes),
                Piece::Zeros(count) => {
                    let count = usize::try_from(count).unwrap_or(Self::MAX_READ_BYTES);
                    read.resize(read.len() + count, 0);
                }
                Piece::Base(range) => {
                    let mut left = range;
                    while left.start < left.end {
                        let bytes = self.read_old(&stat, left.clone()).await?;
                        if bytes.is_empty() {
                            break;
                        }
                        left.start += bytes.len() as u64;
                        if single && read.is_empty() && left.start == left.end {
                            return Ok(bytes);
                        }
                        read.extend_from_slice(&bytes);
                    }
                }
            }
        }
        Ok(read.freeze())
    }

    /// Writes all bytes where the handle is, or at the end of the file if it appends; the handle
    /// moves behind them.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), DriveError> {
        let position = (!self.options.append).then_some(self.position);
        self.position = self.put_bytes(position, bytes).await?;
        Ok(())
    }

    /// Writes all bytes at a position, or at the end of the file if the handle appends. The handle's
    /// position stays.
    pub async fn write_at(&mut self, position: u64, bytes: &[u8]) -> Result<(), DriveError> {
        let position = (!self.options.append).then_some(position);
        self.put_bytes(position, bytes).await?;
        Ok(())
    }

    /// Moves the handle, and says where it is then. Beyond the end is allowed, before the start is
    /// not.
    pub async fn seek(&mut self, to: SeekFrom) -> Result<u64, DriveError> {
        let (from, by) = match to {
            SeekFrom::Start(position) => (position, 0),
            SeekFrom::Current(by) => (self.position, by),
            SeekFrom::End(by) => (self.len().await, by),
        };
        let position = from.checked_add_signed(by);
        self.position = position.ok_or_else(|| DriveError::InvalidPath {
            path: self.inode.shown(),
            reason: "a position before the start of the file",
        })?;
        Ok(self.position)
    }

    /// The file's size in bytes now.
    pub async fn len(&self) -> u64 {
        self.inode.state.lock().await.overlay.size()
    }

    /// Whether the file has no bytes now.
    pub async fn is_empty(&self) -> bool {
        self.len().await == 0
    }

    /// What the drive says of the file, with its size now.
    pub async fn stat(&self) -> Stat {
        let state = self.inode.state.lock().await;
        let mut stat = state.stat.clone();
        stat.size = state.overlay.size();
        stat
    }

    /// Gives the file another size. What it grows by is zeros.
    pub async fn set_len(&mut self, size: u64) -> Result<(), DriveError> {
        if !self.options.writes() {
            return Err(self.bad_handle("be written"));
        }
        let mut state = self.inode.state.lock().await;
        self.check_growth(&state, size, 0)?;
        state.overlay.set_size(size);
        Ok(())
    }

    /// Puts what was written into the drive, where others see it.
    ///
    /// Bytes added to a file that ends the content log cost blocks of their own and copy nothing;
    /// any other change writes the file anew.
    pub async fn flush(&mut self) -> Result<(), DriveError> {
        let mut state = self.inode.state.lock().await;
        self.inode.flush(&mut state).await
    }

    /// Flushes, and makes it survive a power cut.
    pub async fn sync(&mut self) -> Result<(), DriveError> {
        self.flush().await?;
        self.inode.drive.flush()
    }

    /// Flushes and lets go of the file.
    pub async fn close(mut self) -> Result<(), DriveError> {
        self.flush().await
    }

    /// Writes bytes, at the end if no position is given. Gives the position behind them.
    async fn put_bytes(&self, position: Option<u64>, bytes: &[u8]) -> Result<u64, DriveError> {
        if !self.options.writes() {
            return Err(self.bad_handle("be written"));
        }
        let mut state = self.inode.state.lock().await;
        if state.overlay.is_full() {
            self.inode.flush(&mut state).await?;
        }
        let position = position.unwrap_or(state.overlay.size());
        if bytes.is_empty() {
            return Ok(position);
        }
        let end = self.check_growth(&state, position, bytes.len() as u64)?;
        state.overlay.write(position, bytes);
        Ok(end)
    }

    /// Checks that a file may be given bytes at a position, and says where they end.
    fn check_growth(&self, state: &State, position: u64, bytes: u64) -> Result<u64, DriveError> {
        let end = position.checked_add(bytes);
        let end = end.filter(|end| *end <= Drive::MAX_FILE_BYTES);
        let hole = position.saturating_sub(state.overlay.size());
        end.filter(|_| hole <= Drive::MAX_HOLE_BYTES)
            .ok_or_else(|| DriveError::GrowsTooMuch {
                path: self.inode.shown(),
                hole_limit: Drive::MAX_HOLE_BYTES,
            })
    }

    /// Some bytes of the old content, from the start of a range.
    async fn read_old(&mut self, stat: &Stat, range: Range<u64>) -> Result<Bytes, DriveError> {
        let run = (stat.offset, stat.byte_offset, stat.blocks);
        let goes_on = |reading: &Reading| reading.next == range.start && reading.run == run;
        let mut reading = self.reading.take();
        let in_order = reading.as_ref().map_or(range.start == 0, goes_on);
        reading = reading.filter(|reading| {
            goes_on(reading) && !(reading.rest.is_empty() && reading.stream.is_empty())
        });
        let mut reading = match reading {
            Some(reading) => reading,
            None => {
                let end = if in_order { u64::MAX } else { range.end };
                let drive = &self.inode.drive;
                let stream = drive.read_entry(self.inode.shown(), stat, range.start..end);
                Reading {
                    stream: stream.await?,
                    rest: Bytes::new(),
                    next: range.start,
                    run,
                }
            }
        };
        if reading.rest.is_empty()
            && let Some(bytes) = reading.stream.next().await
        {
            reading.rest = bytes?;
        }
        let wanted = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let bytes = reading.rest.split_to(wanted.min(reading.rest.len()));
        reading.next += bytes.len() as u64;
        self.reading = Some(reading);
        Ok(bytes)
    }

    fn bad_handle(&self, action: &'static str) -> DriveError {
        DriveError::BadHandle {
            path: self.inode.shown(),
            action,
        }
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("path", &self.inode.shown())
            .field("options", &self.options)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
