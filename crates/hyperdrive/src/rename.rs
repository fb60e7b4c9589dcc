//! Moving, copying and removing what is there.

use hypertrie::{Batch, PutOptions, TrieError};

use crate::lookup::{self, Entry, MOUNT_FLAG, Place, record};
use crate::write::{put, taken};
use crate::{Attributes, Drive, DriveError, path};

impl Drive {
    /// Gives a file, a symlink (not what it points to), a mount or a directory with all that is in
    /// it another path, in one append: no reader sees a state in between. Blocks of content stay
    /// where they are.
    ///
    /// As POSIX has it: a file or symlink at the new path is replaced, and so is an empty directory
    /// by a directory. A directory cannot be moved into itself, and nothing into or out of a mounted
    /// drive. Parents need not exist.
    pub async fn rename(&self, from: &str, to: &str) -> Result<(), DriveError> {
        let Err(error) = self.rename_here(from, to).await else {
            return Ok(());
        };
        let spot = self.beyond(from, false, error).await?;
        let target = self.locate(&path::clean(to), false).await?;
        if spot.holder != target.holder {
            return Err(DriveError::Mounted {
                path: path::shown(&path::clean(to)),
            });
        }
        spot.seen(spot.drive().rename_here(spot.key(), target.key()).await)
    }

    async fn rename_here(&self, from: &str, to: &str) -> Result<(), DriveError> {
        let mut batch = self.begin().await?;
        let old = taken(&batch, from).await?;
        let whole = is_folder(&old);
        let invalid = |reason| DriveError::InvalidPath {
            path: path::shown(&old.key),
            reason,
        };
        if old.key.is_empty() {
            return Err(invalid("it is the root"));
        }
        let key = match lookup::place(&batch, &path::clean(to), false).await? {
            Place::Free { key } => key,
            Place::Taken(new) if new.key == old.key => return Ok(()),
            Place::Taken(new) if whole && path::below(&new.key, &old.key).is_some() => {
                return Err(invalid("a directory cannot be moved into itself"));
            }
            Place::Taken(new) => {
                let shown = path::shown(&new.key);
                match (whole, is_folder(&new)) {
                    (_, true) if path::below(&old.key, &new.key).is_some() => {
                        return Err(DriveError::NotEmpty { path: shown });
                    }
                    (false, true) => return Err(DriveError::IsADirectory { path: shown }),
                    (true, false) => return Err(DriveError::NotADirectory { path: shown }),
                    (true, true) => empty_out(&mut batch, &new).await?,
                    (false, false) => {}
                }
                new.key
            }
        };
        path::check_writable(&key)?;
        let moved = if whole {
            batch.rename_prefix(&old.key, &key).await.map(drop)
        } else {
            batch.rename(&old.key, &key).await.map(drop)
        };
        match moved {
            Err(TrieError::IntoItself) => {
                return Err(invalid("a directory cannot be moved into itself"));
            }
            Err(TrieError::AcrossMounts) => {
                return Err(DriveError::Mounted {
                    path: path::shown(&key),
                });
            }
            moved => moved?,
        }
        batch.commit()?;
        self.shared.files.renamed(&old.key, &key);
        Ok(())
    }

    /// Makes a copy of a file that shares the blocks of the original, whatever happens to either
    /// later. Permissions, owner, times and metadata are copied too. A symlink is followed; a file
    /// at the new path is replaced.
    ///
    /// From one drive into another that is mounted in it, or the other way round, the content is
    /// copied as well: a drive cannot refer to blocks of another one. So is that of a mounted log.
    pub async fn copy(&self, from: &str, to: &str) -> Result<(), DriveError> {
        let Err(error) = self.copy_here(from, to).await else {
            return Ok(());
        };
        // Either path may be the one that leads into a mount.
        let target = self.beyond(to, true, error).await?;
        let source = self.entry(from, true).await?;
        if source.holder == target.holder && source.entry.stat.mount.is_none() {
            let (drive, from) = (target.drive(), &source.entry.key);
            return target.seen(drive.copy_here(from, target.key()).await);
        }
        let stat = &source.entry.stat;
        let attributes = Attributes::of(stat);
        let content = source
            .drive()
            .read_entry(source.shown(), stat, 0..u64::MAX)
            .await?;
        let drive = target.drive();
        let copied = drive.write_file_from(target.key(), content.into_async_read(), &attributes);
        target.seen(copied.await)?;
        Ok(())
    }

    async fn copy_here(&self, from: &str, to: &str) -> Result<(), DriveError> {
        let mut batch = self.begin().await?;
        let old = match lookup::place(&batch, &path::clean(from), true).await? {
            Place::Taken(entry) => entry,
            Place::Free { key } => {
                return Err(DriveError::NotFound {
                    path: path::shown(&key),
                });
            }
        };
        if old.stat.mount.is_some() {
            return Err(DriveError::Mounted {
                path: path::shown(&old.key),
            });
        }
        if old.stat.is_dir() {
            return Err(DriveError::IsADirectory {
                path: path::shown(&old.key),
            });
        }
        let key = crate::write::file_key(&batch, to).await?;
        if key != old.key {
            put(&mut batch, &key, &old.stat, PutOptions::new()).await?;
            batch.commit()?;
        }
        Ok(())
    }

    /// Removes a file, a symlink (not what it points to) or a mount, or a directory with all that is
    /// in it, in one append. Of the root, everything in it.
    pub async fn remove_all(&self, path: &str) -> Result<(), DriveError> {
        let Err(error) = self.remove_all_here(path).await else {
            return Ok(());
        };
        let spot = self.beyond(path, false, error).await?;
        spot.seen(spot.drive().remove_all_here(spot.key()).await)
    }

    async fn remove_all_here(&self, path: &str) -> Result<(), DriveError> {
        let mut batch = self.begin().await?;
        let entry = taken(&batch, path).await?;
        if is_folder(&entry) {
            let records = record(&entry.key);
            let hidden = PutOptions::new().hidden(true);
            batch.remove_prefix_with(&records, hidden).await?;
            batch.remove_prefix(&entry.key).await?;
        } else {
            remove_entry(&mut batch, &entry).await?;
        }
        batch.commit()?;
        self.shared.files.removed(&entry.key);
        Ok(())
    }

    /// Gives an entry other permission bits; its type stays. A symlink is followed.
    pub async fn set_mode(&self, path: &str, mode: u32) -> Result<(), DriveError> {
        self.change_entry(path, |stat| {
            stat.mode = stat.mode & !0o7777 | mode & 0o7777;
        })
        .await
    }

    /// Gives an entry another owner and group. A symlink is followed.
    pub async fn set_owner(&self, path: &str, uid: u32, gid: u32) -> Result<(), DriveError> {
        self.change_entry(path, |stat| (stat.uid, stat.gid) = (uid, gid))
            .await
    }

    /// Sets when an entry's content last changed, in milliseconds since 1970. A symlink is followed.
    pub async fn set_mtime(&self, path: &str, milliseconds: u64) -> Result<(), DriveError> {
        self.change_entry(path, |stat| {
            stat.mtime = milliseconds.min(crate::stat::MAX_TIME);
        })
        .await
    }

    /// Writes an entry again, changed. A directory that has none of its own gets one.
    async fn change_entry(
        &self,
        path: &str,
        change: impl Fn(&mut crate::Stat),
    ) -> Result<(), DriveError> {
        let Err(error) = self.change_entry_here(path, &change).await else {
            return Ok(());
        };
        let spot = self.beyond(path, true, error).await?;
        spot.seen(spot.drive().change_entry_here(spot.key(), &change).await)
    }

    async fn change_entry_here(
        &self,
        path: &str,
        change: impl Fn(&mut crate::Stat),
    ) -> Result<(), DriveError> {
        let mut batch = self.begin().await?;
        let Place::Taken(mut entry) = lookup::place(&batch, &path::clean(path), true).await? else {
            return Err(DriveError::NotFound {
                path: path::shown(&path::clean(path)),
            });
        };
        change(&mut entry.stat);
        let options = PutOptions::new().flags(entry.flags.unwrap_or(0));
        put(&mut batch, &entry.key, &entry.stat, options).await?;
        batch.commit()?;
        Ok(())
    }
}

/// Removes an entry itself.
pub(crate) async fn remove_entry(batch: &mut Batch, entry: &Entry) -> Result<(), DriveError> {
    if entry.flags == Some(MOUNT_FLAG) {
        // A mount is two entries; the reference's `unlink` leaves the hidden one behind.
        let hidden = PutOptions::new().hidden(true);
        batch.del_with(&record(&entry.key), hidden).await?;
    }
    batch.del(&entry.key).await?;
    Ok(())
}

/// Removes the entry of a directory in which nothing may be.
async fn empty_out(batch: &mut Batch, dir: &Entry) -> Result<(), DriveError> {
    batch.del(&dir.key).await?;
    if lookup::find(batch, &dir.key).await?.is_some() {
        return Err(DriveError::NotEmpty {
            path: path::shown(&dir.key),
        });
    }
    Ok(())
}

/// Whether an entry is a directory of this drive, not a mounted one.
fn is_folder(entry: &Entry) -> bool {
    entry.stat.is_dir() && entry.stat.mount.is_none()
}
