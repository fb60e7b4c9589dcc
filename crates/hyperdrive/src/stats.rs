//! How much of a file is here.

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};

use crate::runs::run_of;
use crate::{Drive, DriveError, Stat, path};

/// How much of a file is here.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct FileStats {
    /// The file's size in bytes, as its entry says.
    pub size: u64,
    /// How many blocks the file has.
    pub blocks: u64,
    /// How many of the blocks are here.
    pub downloaded_blocks: u64,
}

impl Drive {
    /// How much of a file is here. A symlink is followed.
    pub async fn file_stats(&self, path: &str) -> Result<FileStats, DriveError> {
        let entry = self.entry(path, true).await?;
        if entry.stat.is_dir() {
            return Err(DriveError::IsADirectory {
                path: path::shown(&entry.key),
            });
        }
        Ok(self.stats_of(&entry.stat))
    }

    /// How much of each file at or below a path is here, with the files' paths from the root of the
    /// drive. A symlink at the path is followed, symlinks and mounts below it are left out.
    ///
    /// After an error of the kind [`DriveError::BadEntry`] the stream goes on, after any other one
    /// it ends.
    pub async fn stats(
        &self,
        path: &str,
    ) -> Result<BoxStream<'static, Result<(String, FileStats), DriveError>>, DriveError> {
        let top = self.entry(path, true).await?;
        // Which log it is may have to be asked for.
        self.content().await?;
        if !top.stat.is_dir() || top.stat.mount.is_some() {
            let stats = self.stats_of(&top.stat);
            return Ok(stream::iter([Ok((path::shown(&top.key), stats))]).boxed());
        }
        let drive = self.clone();
        let files = self.read_key(&top.key).filter_map(move |entry| {
            let stats = match entry {
                Ok(entry) if entry.stat.is_file() && entry.stat.mount.is_none() => {
                    Some(Ok((entry.path, drive.stats_of(&entry.stat))))
                }
                Ok(_) => None,
                Err(error) => Some(Err(error)),
            };
            async move { stats }
        });
        Ok(files.boxed())
    }

    fn stats_of(&self, stat: &Stat) -> FileStats {
        let here = || {
            let (content, run) = (self.content_now()?, run_of(stat)?);
            let end = run.end.min(content.length());
            Some(content.downloaded(run.start.min(end)..end))
        };
        FileStats {
            size: stat.size,
            blocks: stat.blocks,
            downloaded_blocks: here().unwrap_or(0),
        }
    }
}
