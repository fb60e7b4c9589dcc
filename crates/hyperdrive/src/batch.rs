use std::sync::Arc;

use bytes::Bytes;
use hypertrie::{Op, PutOptions};

use crate::content::{Appender, Run};
use crate::lookup::{MOUNT_FLAG, record};
use crate::{Attributes, Chunker, Drive, DriveError, FileType, Mount, Stat, path, write};

impl Drive {
    /// Begins to write many entries with few appends.
    ///
    /// Waits until no other file is being written to the drive, and holds others up until the batch
    /// is dropped.
    pub async fn batch(&self) -> Result<Batch, DriveError> {
        Ok(Batch {
            appender: Appender::lock(self).await?,
            drive: self.clone(),
            ops: Vec::new(),
        })
    }
}

/// Many changes to a drive in few appends, each of which costs one signature.
///
/// For importing, where the caller knows the whole tree: nothing is looked up, so symlinks are not
/// followed, and it is the caller who sees to it that no path is a file and a directory at once.
/// What was there before is replaced.
///
/// Changes are seen when they are [committed](Self::commit); that happens by itself whenever
/// [`Batch::MAX_CHANGES`] have gathered. Each commit is one append to the log of paths, after
/// that of the content. Dropping the batch, or one of its futures, drops the changes that were not
/// committed.
#[derive(Debug)]
pub struct Batch {
    drive: Drive,
    appender: Appender,
    ops: Vec<Op>,
}

impl Batch {
    /// How many changes are gathered before they are committed.
    pub const MAX_CHANGES: usize = 1024;

    /// Writes a file.
    pub async fn write_file(
        &mut self,
        path: &str,
        content: impl Into<Bytes>,
        attributes: &Attributes,
    ) -> Result<Stat, DriveError> {
        let mut file = self.start_file();
        self.extend_file(&mut file, content.into())?;
        self.end_file(file, path, attributes).await
    }

    /// Makes a directory, or gives it other attributes.
    pub async fn mkdir(&mut self, path: &str, attributes: &Attributes) -> Result<Stat, DriveError> {
        let mut stat = attributes.to_stat(FileType::Directory);
        let Run {
            offset,
            byte_offset,
            ..
        } = self.appender.start();
        (stat.offset, stat.byte_offset) = (offset, byte_offset);
        self.put_stat(path, &stat).await?;
        Ok(stat)
    }

    /// Makes a symlink. See [`Drive::symlink`] for the target.
    pub async fn symlink(
        &mut self,
        target: &str,
        path: &str,
        attributes: &Attributes,
    ) -> Result<Stat, DriveError> {
        let stat = write::link_stat(target, attributes)?;
        self.put_stat(path, &stat).await?;
        Ok(stat)
    }

    /// Removes an entry, of whatever type, but not those below it. Nothing happens if there is none.
    pub async fn remove(&mut self, path: &str) -> Result<(), DriveError> {
        self.change(Op::del(path::clean(path))).await
    }

    /// As [`remove`](Self::remove), also of a mount.
    pub(crate) async fn remove_whole(&mut self, key: &str) -> Result<(), DriveError> {
        self.remove_record(key).await?;
        self.change(Op::del(key)).await
    }

    /// Removes the hidden half of a mount, if there is one.
    pub(crate) async fn remove_record(&mut self, key: &str) -> Result<(), DriveError> {
        let (key, hidden) = (record(key), true);
        self.change(Op::Del { key, hidden }).await
    }

    /// Mounts a drive or a log with the attributes of an entry.
    pub(crate) async fn mount(
        &mut self,
        key: &str,
        mount: &Mount,
        stat: &Stat,
    ) -> Result<(), DriveError> {
        path::check_writable(key)?;
        if mount.is_log() {
            return self.put_stat(key, stat).await;
        }
        let of_mount = PutOptions::new().flags(MOUNT_FLAG);
        let value = hypertrie::Mount::new(key, *mount.key.as_bytes())
            .at_version(mount.version.unwrap_or(0));
        let value = Bytes::from(value.encode());
        let hidden = of_mount.hidden(true);
        self.change(Op::put_with(record(key), value, hidden))
            .await?;
        let stat = Bytes::from(stat.encode());
        self.change(Op::put_with(key, stat, of_mount)).await
    }

    /// Makes the changes so far visible, in order, as one append.
    ///
    /// After an error they are lost, and what was there before is still there.
    pub async fn commit(&mut self) -> Result<(), DriveError> {
        if self.ops.is_empty() {
            return Ok(());
        }
        self.appender.append()?;
        let ops = std::mem::take(&mut self.ops);
        self.drive.trie.batch(ops).await?;
        Ok(())
    }

    /// Has files cut into blocks otherwise than the drive's options say.
    pub(crate) fn set_chunker(&mut self, chunker: Arc<dyn Chunker>) {
        self.appender.set_chunker(chunker);
    }

    /// Begins a file that is given piece by piece. Several cannot be written at once.
    pub(crate) fn start_file(&self) -> Run {
        self.appender.start()
    }

    /// Adds bytes to a file.
    pub(crate) fn extend_file(&mut self, file: &mut Run, bytes: Bytes) -> Result<(), DriveError> {
        self.appender.write(file, bytes)
    }

    /// Ends a file and gives it a path.
    pub(crate) async fn end_file(
        &mut self,
        mut file: Run,
        path: &str,
        attributes: &Attributes,
    ) -> Result<Stat, DriveError> {
        self.appender.end(&mut file)?;
        let mut stat = attributes.to_stat(FileType::File);
        file.describe(&mut stat);
        self.put_stat(path, &stat).await?;
        Ok(stat)
    }

    /// Gives a file up. See [`Appender::abandon`].
    pub(crate) fn abandon_file(&mut self, file: Run) {
        self.appender.abandon(file);
    }

    /// Puts an entry as it is; what it says of its content is the caller's responsibility.
    pub(crate) async fn put_stat(&mut self, path: &str, stat: &Stat) -> Result<(), DriveError> {
        let key = path::clean(path);
        path::check_writable(&key)?;
        self.change(Op::put(key, Bytes::from(stat.encode()))).await
    }

    async fn change(&mut self, op: Op) -> Result<(), DriveError> {
        self.ops.push(op);
        if self.ops.len() >= Self::MAX_CHANGES {
            self.commit().await?;
        }
        Ok(())
    }
}
