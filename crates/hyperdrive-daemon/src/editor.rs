use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use futures_util::io::AllowStdIo;
use hypercore_crypto::PublicKey;
use hyperdrive::{Attributes, Drive, DriveError, Mount, Options, Reverted, Stat};

use crate::node::Inner;
use crate::{Node, NodeError};

/// A drive that is open for changes.
///
/// When the future of a change has ended, the change is durable. Dropping the future before leaves
/// the drive as it was, or changed as a whole.
#[derive(Clone, Debug)]
pub struct Editor {
    inner: Arc<Inner>,
    drive: Drive,
}

impl Node {
    /// Makes a new, empty drive. The node must hold the storage, which keeps the secret keys: whoever
    /// has them may change the drive.
    pub async fn create(&self) -> Result<Editor, NodeError> {
        let inner = &self.inner;
        let mut random = [0; 32];
        getrandom::fill(&mut random)
            .map_err(|error| inner.storage_error(io::Error::other(error)))?;
        let store = inner.store.namespace(hex::encode(random).as_str());
        let drive = Drive::create(&store, Options::new()).await?;
        drive.flush()?;
        Ok(Editor {
            inner: inner.clone(),
            drive,
        })
    }

    /// Opens a drive for changes. The node must hold the storage, and the secret keys must be in it
    /// ([`DriveError::NotWritable`]).
    pub async fn edit(&self, key: &[u8; 32]) -> Result<Editor, NodeError> {
        let key = PublicKey::from_bytes(*key);
        let drive = Drive::open(&self.inner.store, &key, Options::new()).await?;
        if !drive.is_writable() {
            return Err(DriveError::NotWritable.into());
        }
        Ok(Editor {
            inner: self.inner.clone(),
            drive,
        })
    }
}

impl Editor {
    /// The drive's key.
    pub fn key(&self) -> PublicKey {
        self.drive.key()
    }

    /// The drive's newest version.
    pub fn version(&self) -> u64 {
        self.drive.version()
    }

    /// Writes a file from a reader, in place of one that may be there.
    pub async fn put(
        &self,
        path: &str,
        from: impl io::Read + Send + Unpin,
        attributes: &Attributes,
    ) -> Result<Stat, NodeError> {
        let from = AllowStdIo::new(from);
        self.change(self.drive.write_file_from(path, from, attributes))
            .await
    }

    /// Removes a file, a symlink or a mount; with `recursive` a directory and all that is in it as
    /// well.
    pub async fn remove(&self, path: &str, recursive: bool) -> Result<(), NodeError> {
        if recursive {
            self.change(self.drive.remove_all(path)).await
        } else {
            self.change(self.drive.unlink(path)).await
        }
    }

    /// Makes a directory.
    pub async fn make_dir(&self, path: &str) -> Result<(), NodeError> {
        let plain = Attributes::new();
        self.change(self.drive.mkdir(path, &plain)).await.map(drop)
    }

    /// Makes a symlink at `path`.
    pub async fn symlink(&self, target: &str, path: &str) -> Result<(), NodeError> {
        let plain = Attributes::new();
        let made = self.drive.symlink(target, path, &plain);
        self.change(made).await.map(drop)
    }

    /// Gives what is at a path another path. See [`Drive::rename`].
    pub async fn rename(&self, from: &str, to: &str) -> Result<(), NodeError> {
        self.change(self.drive.rename(from, to)).await
    }

    /// Mounts a drive at a path where nothing is. See [`Drive::mount`].
    pub async fn mount(&self, path: &str, mount: Mount) -> Result<(), NodeError> {
        let plain = Attributes::new();
        let mounted = self.drive.mount(path, mount, &plain);
        self.change(mounted).await.map(drop)
    }

    /// Takes a mounted drive away from its path.
    pub async fn unmount(&self, path: &str) -> Result<(), NodeError> {
        self.change(self.drive.unmount(path)).await
    }

    /// Gives a version (the newest one for `None`) a name. Gives the version.
    pub async fn tag(&self, name: &str, version: Option<u64>) -> Result<u64, NodeError> {
        let newest = self.version();
        if let Some(version) = version.filter(|version| *version > newest) {
            return Err(NodeError::NoSuchVersion { version, newest });
        }
        self.change(self.drive.create_tag(name, version)).await
    }

    /// Takes a name away from its version. False if there is no such name.
    pub async fn untag(&self, name: &str) -> Result<bool, NodeError> {
        self.change(self.drive.delete_tag(name)).await
    }

    /// Makes the drive look as it did at an older version. See [`Drive::revert`].
    pub async fn revert(&self, version: u64) -> Result<Reverted, NodeError> {
        let newest = self.version();
        if version > newest || version == 0 {
            return Err(NodeError::NoSuchVersion { version, newest });
        }
        self.change(self.drive.revert(version)).await
    }

    /// Makes a change, and makes it durable.
    async fn change<T>(
        &self,
        change: impl Future<Output = Result<T, DriveError>>,
    ) -> Result<T, NodeError> {
        let work = async {
            let done = change.await?;
            self.drive.flush()?;
            Ok(done)
        };
        self.inner.unless_failed(work).await
    }
}

impl crate::Session {
    /// What differs at and below a path between version `since` and the version looked at.
    pub fn diff(&self, since: u64, path: &str) -> Differences<'_> {
        Differences {
            session: self,
            changes: self.view.diff(since, path),
        }
    }

    /// What happened at and below a path, up to the version looked at, the newest change first.
    pub fn history(&self, path: &str) -> Log<'_> {
        Log {
            session: self,
            changes: self.view.history(path),
        }
    }

    /// The names of versions.
    pub async fn tags(&self) -> Result<BTreeMap<String, u64>, NodeError> {
        self.wait("the tags", self.view.tags()).await
    }
}

/// What differs between two versions, one entry after the other.
#[derive(Debug)]
pub struct Differences<'s> {
    session: &'s crate::Session,
    changes: hyperdrive::DiffStream,
}

impl Differences<'_> {
    /// The next change; `None` at the end. After an error of one entry
    /// ([`DriveError::BadEntry`]) it goes on.
    pub async fn next(&mut self) -> Result<Option<hyperdrive::Change>, NodeError> {
        let next = async { self.changes.next().await.transpose() };
        self.session.wait("an older version", next).await
    }
}

/// What happened at a path, one change after the other.
#[derive(Debug)]
pub struct Log<'s> {
    session: &'s crate::Session,
    changes: hyperdrive::History,
}

impl Log<'_> {
    /// The next change, older than the one before, and the version that it made; `None` at the end.
    /// After an error of one entry ([`DriveError::BadEntry`]) it goes on.
    pub async fn next(&mut self) -> Result<Option<(u64, hyperdrive::Change)>, NodeError> {
        let next = async { self.changes.next().await.transpose() };
        self.session.wait("an older version", next).await
    }
}
