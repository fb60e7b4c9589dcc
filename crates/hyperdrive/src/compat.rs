//! The answers of the reference where they differ from POSIX by design, for programs that were
//! written for it.
//!
//! A path may be a file and a folder at once there (`c` beside `c/child`), a folder that is missing
//! lists nothing, and links are followed at the end of a path only. Where the reference is plainly
//! broken (`docs/formats/drive.md`), it is not imitated. Reads that are the same in both are methods of
//! [`Drive`].

use bytes::Bytes;

use crate::lookup::{self, Entry};
use crate::{Attributes, Drive, DriveError, Holder, ReadDir, ReadDirOptions, Stat, path};

/// Lists a directory. What is missing, or no directory, lists nothing.
pub async fn read_dir(
    drive: &Drive,
    path: &str,
    options: ReadDirOptions,
) -> Result<ReadDir, DriveError> {
    match drive.read_dir_with(path, options).await {
        Err(DriveError::NotFound { .. }) => {}
        Err(DriveError::NotADirectory { .. }) => {
            // There may be something below a file.
            let (holder, key) = Holder::of(drive, &path::clean(path)).await?;
            return Ok(ReadDir::new(holder, key, options));
        }
        listing => return listing,
    }
    Ok(ReadDir::empty())
}

/// Writes a file under exactly this path: in place of a symlink too, beside what is below it, and
/// below what is a file. Mounts are entered.
pub async fn write_file(
    drive: &Drive,
    path: &str,
    content: impl Into<Bytes>,
    attributes: &Attributes,
) -> Result<Stat, DriveError> {
    let (holder, key) = Holder::of(drive, &path::clean(path)).await?;
    let mut batch = holder.drive().batch().await?;
    let seen = |error: DriveError| error.below(holder.at());
    // A mount that is replaced ends.
    batch.remove_record(&key).await.map_err(seen)?;
    let stat = batch.write_file(&key, content, attributes).await;
    let stat = stat.map_err(seen)?;
    batch.commit().await.map_err(seen)?;
    Ok(stat)
}

/// Makes the entry of a directory, whatever is below it. Only an entry of the same path is in its
/// way.
pub async fn mkdir(drive: &Drive, path: &str, attributes: &Attributes) -> Result<Stat, DriveError> {
    let (holder, key) = Holder::of(drive, &path::clean(path)).await?;
    let seen = |error: DriveError| error.below(holder.at());
    if key.is_empty() || own(&holder, &key).await?.is_some() {
        return Err(seen(DriveError::AlreadyExists {
            path: path::shown(&key),
        }));
    }
    let mut batch = holder.drive().batch().await?;
    let stat = batch.mkdir(&key, attributes).await.map_err(seen)?;
    batch.commit().await.map_err(seen)?;
    Ok(stat)
}

/// Removes the entry of exactly this path, of whatever type, a directory's as well, and nothing below
/// it.
pub async fn unlink(drive: &Drive, path: &str) -> Result<(), DriveError> {
    let (holder, key) = Holder::of(drive, &path::clean(path)).await?;
    let seen = |error: DriveError| error.below(holder.at());
    if own(&holder, &key).await?.is_none() {
        return Err(seen(DriveError::NotFound {
            path: path::shown(&key),
        }));
    }
    let mut batch = holder.drive().batch().await?;
    batch.remove_whole(&key).await.map_err(seen)?;
    batch.commit().await.map_err(seen)
}

/// The entry that a path has itself, not one that is implied.
async fn own(holder: &Holder, key: &str) -> Result<Option<Entry>, DriveError> {
    let entry = lookup::find(&holder.drive().trie, key).await;
    let entry = entry.map_err(|error| error.below(holder.at()))?;
    Ok(entry.filter(|entry| entry.flags.is_some()))
}
