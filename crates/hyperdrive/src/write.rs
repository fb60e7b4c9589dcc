//! Changing a drive, one entry at a time.

use bytes::Bytes;
use futures_io::AsyncRead;
use futures_util::AsyncReadExt;
use hypertrie::{Batch, PutOptions};

use crate::content::{Appender, Run};
use crate::lookup::{self, Entry, Nodes, Place};
use crate::rename::remove_entry;
use crate::{Attributes, Drive, DriveError, FileType, Stat, path};

impl Drive {
    /// Writes a file, in place of one that may be there. Parents need not exist. A symlink at the
    /// path is followed.
    ///
    /// The content is appended before the entry that refers to it, and becomes durable before it, so
    /// whatever happens the path shows the old file or the new one. See [`Options::durability`] for
    /// when that survives a power cut.
    ///
    /// [`Options::durability`]: crate::Options::durability
    pub async fn write_file(
        &self,
        path: &str,
        content: impl Into<Bytes>,
        attributes: &Attributes,
    ) -> Result<Stat, DriveError> {
        let mut writer = self.writer(path, attributes).await?;
        writer.write(content).await?;
        writer.finish().await
    }

    /// Writes a file from a reader, to its end. For one of `std::io`, wrap it in
    /// `futures_util::io::AllowStdIo`.
    ///
    /// Like [`write_file`](Self::write_file) otherwise; when the reader fails, the path is as it was
    /// before.
    pub async fn write_file_from(
        &self,
        path: &str,
        reader: impl AsyncRead + Send,
        attributes: &Attributes,
    ) -> Result<Stat, DriveError> {
        let mut reader = std::pin::pin!(reader);
        let mut writer = self.writer(path, attributes).await?;
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match reader.read(&mut buffer).await? {
                0 => return writer.finish().await,
                count => {
                    writer
                        .write(Bytes::copy_from_slice(&buffer[..count]))
                        .await?
                }
            }
        }
    }

    /// Begins to write a file piece by piece. Nothing is to be seen at the path before
    /// [`FileWriter::finish`].
    ///
    /// Waits until no other file is being written to the drive, and holds others up until it is
    /// finished or dropped.
    pub async fn writer(
        &self,
        path: &str,
        attributes: &Attributes,
    ) -> Result<FileWriter, DriveError> {
        let error = match self.writer_here(path, attributes).await {
            Err(error) => error,
            writer => return writer,
        };
        let spot = self.beyond(path, true, error).await?;
        spot.seen(spot.drive().writer_here(spot.key(), attributes).await)
    }

    async fn writer_here(
        &self,
        path: &str,
        attributes: &Attributes,
    ) -> Result<FileWriter, DriveError> {
        let appender = Appender::lock(self).await?;
        // Checked again when the file is finished; this is to tell before the content is written.
        file_key(&self.trie, path).await?;
        Ok(FileWriter {
            drive: self.clone(),
            path: path.to_owned(),
            stat: attributes.to_stat(FileType::File),
            run: appender.start(),
            appender,
        })
    }

    /// Makes a directory. Parents need not exist. Directories need no entry of their own to hold
    /// files; with one they exist when they are empty, and have attributes.
    pub async fn mkdir(&self, path: &str, attributes: &Attributes) -> Result<Stat, DriveError> {
        let error = match self.mkdir_here(path, attributes).await {
            Err(error) => error,
            made => return made,
        };
        let spot = self.beyond(path, false, error).await?;
        spot.seen(spot.drive().mkdir_here(spot.key(), attributes).await)
    }

    async fn mkdir_here(&self, path: &str, attributes: &Attributes) -> Result<Stat, DriveError> {
        let mut batch = self.begin().await?;
        let key = path::clean(path);
        if key.is_empty() {
            return Err(DriveError::AlreadyExists {
                path: path::shown(&key),
            });
        }
        let key = match lookup::place(&batch, &key, false).await? {
            Place::Taken(Entry {
                flags: Some(_),
                key,
                ..
            }) => {
                return Err(DriveError::AlreadyExists {
                    path: path::shown(&key),
                });
            }
            Place::Taken(Entry { key, .. }) | Place::Free { key } => key,
        };
        let mut stat = attributes.to_stat(FileType::Directory);
        // The reference says in a directory where the content log ended when it was made.
        if let Some(content) = self.content_now() {
            stat.offset = content.length();
            stat.byte_offset = content.byte_length();
        }
        put(&mut batch, &key, &stat, PutOptions::new()).await?;
        batch.commit()?;
        Ok(stat)
    }

    /// Makes a symlink at `path` that points to `target`: from the root of the drive when it starts
    /// with a slash, else from the link's directory. The target need not exist.
    pub async fn symlink(
        &self,
        target: &str,
        path: &str,
        attributes: &Attributes,
    ) -> Result<Stat, DriveError> {
        let error = match self.symlink_here(target, path, attributes).await {
            Err(error) => error,
            made => return made,
        };
        let spot = self.beyond(path, false, error).await?;
        spot.seen(
            spot.drive()
                .symlink_here(target, spot.key(), attributes)
                .await,
        )
    }

    async fn symlink_here(
        &self,
        target: &str,
        path: &str,
        attributes: &Attributes,
    ) -> Result<Stat, DriveError> {
        let stat = link_stat(target, attributes)?;
        let mut batch = self.begin().await?;
        let key = match lookup::place(&batch, &path::clean(path), false).await? {
            Place::Taken(Entry { key, .. }) => {
                return Err(DriveError::AlreadyExists {
                    path: path::shown(&key),
                });
            }
            Place::Free { key } => key,
        };
        put(&mut batch, &key, &stat, PutOptions::new()).await?;
        batch.commit()?;
        Ok(stat)
    }

    /// Removes a file, a symlink (not what it points to) or a mount.
    pub async fn unlink(&self, path: &str) -> Result<(), DriveError> {
        let Err(error) = self.unlink_here(path).await else {
            return Ok(());
        };
        let spot = self.beyond(path, false, error).await?;
        spot.seen(spot.drive().unlink_here(spot.key()).await)
    }

    async fn unlink_here(&self, path: &str) -> Result<(), DriveError> {
        let mut batch = self.begin().await?;
        let entry = taken(&batch, path).await?;
        if entry.stat.is_dir() && entry.stat.mount.is_none() {
            return Err(DriveError::IsADirectory {
                path: path::shown(&entry.key),
            });
        }
        remove_entry(&mut batch, &entry).await?;
        batch.commit()?;
        self.shared.files.removed(&entry.key);
        Ok(())
    }

    /// Removes an empty directory.
    pub async fn rmdir(&self, path: &str) -> Result<(), DriveError> {
        let Err(error) = self.rmdir_here(path).await else {
            return Ok(());
        };
        let spot = self.beyond(path, false, error).await?;
        spot.seen(spot.drive().rmdir_here(spot.key()).await)
    }

    async fn rmdir_here(&self, path: &str) -> Result<(), DriveError> {
        let mut batch = self.begin().await?;
        let entry = taken(&batch, path).await?;
        let path = path::shown(&entry.key);
        if !entry.stat.is_dir() || entry.stat.mount.is_some() {
            return Err(DriveError::NotADirectory { path });
        }
        if entry.key.is_empty() {
            return Err(DriveError::InvalidPath {
                path,
                reason: "it is the root",
            });
        }
        batch.del(&entry.key).await?;
        // With its own entry gone, what still answers is in it.
        if lookup::find(&batch, &entry.key).await?.is_some() {
            return Err(DriveError::NotEmpty { path });
        }
        batch.commit()?;
        Ok(())
    }

    /// Sets a pair of an entry's own metadata, or marks it as removed for `None`. Everything else
    /// stays, the times included. A symlink is not followed.
    pub async fn set_metadata(
        &self,
        path: &str,
        key: &str,
        value: Option<Bytes>,
    ) -> Result<Stat, DriveError> {
        let error = match self.set_metadata_here(path, key, value.clone()).await {
            Err(error) => error,
            set => return set,
        };
        let spot = self.beyond(path, false, error).await?;
        let drive = spot.drive();
        spot.seen(drive.set_metadata_here(spot.key(), key, value).await)
    }

    async fn set_metadata_here(
        &self,
        path: &str,
        key: &str,
        value: Option<Bytes>,
    ) -> Result<Stat, DriveError> {
        let mut batch = self.begin().await?;
        let Entry {
            key: place,
            mut stat,
            flags: Some(flags),
        } = taken(&batch, path).await?
        else {
            return Err(DriveError::NotFound {
                path: path::shown(&path::clean(path)),
            });
        };
        match stat.metadata.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => *old = value,
            None => stat.metadata.push((key.to_owned(), value)),
        }
        put(&mut batch, &place, &stat, PutOptions::new().flags(flags)).await?;
        batch.commit()?;
        Ok(stat)
    }

    /// Begins to change paths.
    pub(crate) async fn begin(&self) -> Result<Batch, DriveError> {
        if let Some(version) = self.checked_out() {
            return Err(DriveError::Checkout { version });
        }
        if !self.metadata().is_writable() {
            return Err(DriveError::NotWritable);
        }
        // The header comes first in the log, and names the content.
        self.content().await?;
        self.mend_before_writing().await?;
        Ok(self.trie.begin().await?)
    }
}

/// A file that is being written; made by [`Drive::writer`].
///
/// Dropping it leaves the path as it was. Blocks that were appended by then stay in the content log,
/// where nothing refers to them.
#[derive(Debug)]
pub struct FileWriter {
    drive: Drive,
    path: String,
    stat: Stat,
    run: Run,
    appender: Appender,
}

impl FileWriter {
    /// Adds bytes to the file.
    #[allow(
        clippy::unused_async,
        reason = "appending may come to wait for a slow disk"
    )]
    pub async fn write(&mut self, bytes: impl Into<Bytes>) -> Result<(), DriveError> {
        self.appender.write(&mut self.run, bytes.into())
    }

    /// Ends the file and puts it at its path, in place of a file that may be there. Dropping the
    /// future before that leaves the path as it was.
    pub async fn finish(mut self) -> Result<Stat, DriveError> {
        self.appender.end(&mut self.run)?;
        self.appender.append()?;
        self.run.describe(&mut self.stat);
        let mut batch = self.drive.begin().await?;
        let key = file_key(&batch, &self.path).await?;
        put(&mut batch, &key, &self.stat, PutOptions::new()).await?;
        batch.commit()?;
        Ok(self.stat)
    }
}

/// The entry of a symlink.
pub(crate) fn link_stat(target: &str, attributes: &Attributes) -> Result<Stat, DriveError> {
    let reason = match target {
        "" => "a link needs a target",
        target if target.contains('\0') => "a link's target cannot contain a NUL character",
        target if target.len() > path::MAX_PATH_BYTES => "a link's target has at most 4096 bytes",
        _ => {
            let mut stat = attributes.to_stat(FileType::Symlink);
            stat.linkname = Some(target.to_owned());
            return Ok(stat);
        }
    };
    Err(DriveError::InvalidPath {
        path: target.chars().take(100).collect(),
        reason,
    })
}

/// Puts an entry into the trie.
pub(crate) async fn put(
    batch: &mut Batch,
    key: &str,
    stat: &Stat,
    options: PutOptions,
) -> Result<(), DriveError> {
    let key = path::check_writable(key)?;
    batch
        .put_with(key, Bytes::from(stat.encode()), options)
        .await?;
    Ok(())
}

/// The key under which a file at `path` is to be written.
pub(crate) async fn file_key(nodes: &impl Nodes, path: &str) -> Result<String, DriveError> {
    let key = match lookup::place(nodes, &path::clean(path), true).await? {
        Place::Taken(entry) if entry.stat.is_dir() => {
            return Err(DriveError::IsADirectory {
                path: path::shown(&entry.key),
            });
        }
        Place::Taken(Entry { key, .. }) | Place::Free { key } => key,
    };
    path::check_writable(&key)?;
    Ok(key)
}

/// What is at a path, not following a symlink there.
pub(crate) async fn taken(nodes: &impl Nodes, path: &str) -> Result<Entry, DriveError> {
    match lookup::place(nodes, &path::clean(path), false).await? {
        Place::Taken(entry) => Ok(entry),
        Place::Free { key } => Err(DriveError::NotFound {
            path: path::shown(&key),
        }),
    }
}

/// How much is read at once from a reader that a file is written from, in bytes.
const READ_BYTES: usize = 65_536;
