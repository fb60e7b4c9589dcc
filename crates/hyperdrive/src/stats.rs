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
        let found = self.entry(path, true).await?;
        if found.entry.stat.is_dir() {
            return Err(DriveError::IsADirectory {
                path: found.shown(),
            });
        }
        Ok(found.drive().stats_of(&found.entry.stat))
    }

    /// How much of each file at or below a path is here, with the files' paths from the root of the
    /// drive. A symlink or a mount at the path is followed, symlinks and mounts below it are left out.
    ///
    /// After an error of the kind [`DriveError::BadEntry`] the stream goes on, after any other one
    /// it ends.
    pub async fn stats(
        &self,
        path: &str,
    ) -> Result<BoxStream<'static, Result<(String, FileStats), DriveError>>, DriveError> {
        let top = self.directory(path).await?;
        // Which log it is may have to be asked for.
        top.drive().content().await?;
        if !top.entry.stat.is_dir() {
            let stats = top.drive().stats_of(&top.entry.stat);
            return Ok(stream::iter([Ok((top.shown(), stats))]).boxed());
        }
        let files = top.drive().read_key(&top.entry.key);
        let holder = top.holder;
        let files = files.filter_map(move |entry| {
            let stats = match entry {
                Ok(entry) if entry.stat.is_file() && entry.stat.mount.is_none() => {
                    let path = path::shown(&holder.outer(&entry.path[1..]));
                    Some(Ok((path, holder.drive().stats_of(&entry.stat))))
                }
                Ok(_) => None,
                Err(error) => Some(Err(error.below(holder.at()))),
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
