use std::io;

use hyperdrive_daemon::{Attributes, DriveError, NodeError};
use hyperdrive_url::Link;

use super::Client;
use crate::exit::Exit;
use crate::failure::Failure;

/// A drive of this storage, open for changes. Each change is durable when its future has ended.
pub(crate) struct Editor {
    editor: hyperdrive_daemon::Editor,
}

impl Client {
    /// Makes a new, empty drive.
    pub(crate) async fn create(&self) -> Result<Editor, Failure> {
        let editor = self.node.create().await?;
        Ok(Editor { editor })
    }

    /// Opens the drive of a link for changes. The link must mean its newest version.
    pub(crate) async fn edit(&self, link: &Link) -> Result<Editor, Failure> {
        newest(link)?;
        self.edit_any(link).await
    }

    /// As [`edit`](Self::edit), for what concerns the version that a link names.
    pub(crate) async fn edit_any(&self, link: &Link) -> Result<Editor, Failure> {
        let editor = self.node.edit(link.key()).await?;
        Ok(Editor { editor })
    }
}

impl Editor {
    /// The drive's link.
    pub(crate) fn link(&self) -> String {
        Link::new(*self.editor.key().as_bytes()).to_string()
    }

    /// The drive's newest version.
    pub(crate) fn version(&self) -> u64 {
        self.editor.version()
    }

    /// Writes a file, and tells its size.
    pub(crate) async fn put(
        &self,
        path: &str,
        from: impl io::Read + Send + Unpin,
        mode: Option<u32>,
        mtime: Option<u64>,
    ) -> Result<u64, Failure> {
        let mut attributes = Attributes::new();
        if let Some(mode) = mode {
            attributes = attributes.mode(mode);
        }
        if let Some(mtime) = mtime {
            attributes = attributes.mtime(mtime);
        }
        Ok(self.editor.put(path, from, &attributes).await?.size)
    }

    /// Removes a file or link; with `recursive` a folder as well.
    pub(crate) async fn remove(&self, path: &str, recursive: bool) -> Result<(), Failure> {
        let removed = self.editor.remove(path, recursive).await;
        removed.map_err(|error| match error {
            NodeError::Drive(DriveError::IsADirectory { .. }) => {
                Failure::from(error).hint("remove it with all that is in it with -r")
            }
            error => error.into(),
        })
    }

    /// Makes a folder.
    pub(crate) async fn make_dir(&self, path: &str) -> Result<(), Failure> {
        Ok(self.editor.make_dir(path).await?)
    }

    /// Makes a symbolic link at `path`.
    pub(crate) async fn symlink(&self, target: &str, path: &str) -> Result<(), Failure> {
        Ok(self.editor.symlink(target, path).await?)
    }

    /// Gives what is at a path another path.
    pub(crate) async fn rename(&self, from: &str, to: &str) -> Result<(), Failure> {
        Ok(self.editor.rename(from, to).await?)
    }

    /// Names a version, and tells which one that is.
    pub(crate) async fn tag(&self, name: &str, version: Option<u64>) -> Result<u64, Failure> {
        Ok(self.editor.tag(name, version).await?)
    }

    /// Takes a name away.
    pub(crate) async fn untag(&self, name: &str) -> Result<(), Failure> {
        if self.editor.untag(name).await? {
            return Ok(());
        }
        let failure = Failure::new(Exit::NotFound, format!("no version is named '{name}'"));
        Err(failure.hint("list the names with `hyperdrive tag list`"))
    }

    /// Goes back to a version, and tells the paths where a drive is not mounted any more.
    pub(crate) async fn revert(&self, version: u64) -> Result<Vec<String>, Failure> {
        Ok(self.editor.revert(version).await?.dropped_mounts)
    }
}

/// Refuses a link that names a version: what changes is the newest one.
pub(super) fn newest(link: &Link) -> Result<(), Failure> {
    let Some(version) = link.version() else {
        return Ok(());
    };
    let message = format!("version {version} of the drive is read-only");
    let failure = Failure::new(Exit::NotWritable, message);
    Err(failure.hint("leave out +VERSION to change the newest one"))
}
