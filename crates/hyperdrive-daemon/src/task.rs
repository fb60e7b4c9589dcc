use std::time::Duration;

use hypercore_crypto::PublicKey;
use hyperdrive::{ClearOptions, DownloadProgress, Drive, Mount, Options};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::control::{self, Reply, Request};
use crate::{DriveError, Node, NodeError, Root};

/// Something that only whoever holds the storage can do, so that a command either does it itself or
/// has the process that holds it do it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Task {
    /// Mount a drive in a drive of ours.
    Mount {
        /// Where.
        at: Place,
        /// The key of the drive to be mounted.
        drive: [u8; 32],
        /// The version of it that is shown; the newest one at any time for `None`.
        version: Option<u64>,
    },
    /// Take a mounted drive away.
    Unmount {
        /// Where it is mounted.
        at: Place,
    },
    /// Fetch the content of a path and hold it.
    Keep {
        /// What.
        at: Place,
        /// Peers to connect to, as `host:port`.
        peers: Vec<String>,
        /// For how long nothing may arrive.
        patience: Duration,
    },
    /// Free the content of a path.
    Clear {
        /// What.
        at: Place,
        /// Also what is written here, and what tagged versions have.
        force: bool,
    },
}

/// A path in a drive.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Place {
    /// The drive's key.
    pub key: [u8; 32],
    /// The version; the newest one for `None`.
    pub version: Option<u64>,
    /// The path.
    pub path: String,
}

impl Place {
    /// A path in the newest version of a drive, or in an older one.
    pub fn new(key: [u8; 32], version: Option<u64>, path: impl Into<String>) -> Self {
        Self {
            key,
            version,
            path: path.into(),
        }
    }
}

/// What a [`Task`] came to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Done {
    /// The drive was changed.
    Changed {
        /// The version that this made.
        version: u64,
    },
    /// The content is here.
    Kept {
        /// Files.
        files: u64,
        /// The bytes in them.
        bytes: u64,
        /// Blocks of the content log. Those that files share count once.
        blocks: u64,
    },
    /// The content was freed.
    Cleared {
        /// Blocks that were here and are not any more.
        blocks: u64,
        /// The bytes in them.
        bytes: u64,
        /// Blocks that stay, since other entries or versions have them too.
        kept_blocks: u64,
        /// The bytes in these.
        kept_bytes: u64,
    },
}

impl Node {
    /// Does a task. The node must hold the storage. `told` hears now and then how far a
    /// [`Task::Keep`] is. Cancel-safe: a change is made as a whole or not at all.
    pub async fn perform(
        &self,
        task: &Task,
        told: impl Fn(DownloadProgress),
    ) -> Result<Done, NodeError> {
        match task {
            Task::Mount { at, drive, version } => {
                let editor = self.edit(&at.key).await?;
                let mount = Mount::drive(PublicKey::from_bytes(*drive));
                let mount = mount.at_version(version.unwrap_or(0));
                editor.mount(&at.path, mount).await?;
                let version = editor.version();
                Ok(Done::Changed { version })
            }
            Task::Unmount { at } => {
                let editor = self.edit(&at.key).await?;
                editor.unmount(&at.path).await?;
                let version = editor.version();
                Ok(Done::Changed { version })
            }
            Task::Keep {
                at,
                peers,
                patience,
            } => {
                peers.iter().for_each(|peer| self.dial(peer));
                self.keep(at, *patience, told).await
            }
            Task::Clear { at, force } => self.clear(at, *force).await,
        }
    }

    async fn keep(
        &self,
        at: &Place,
        patience: Duration,
        told: impl Fn(DownloadProgress),
    ) -> Result<Done, NodeError> {
        let session = self.drive(&at.key, at.version, patience).await?;
        session.reach(&at.path).await?;
        let content = session.wait("the drive's header", session.drive.content());
        let content = content.await?;
        let inner = &session.inner;
        inner
            .refresh_content(&session.drive, &content, patience)
            .await;
        let mut download = session.view.download(&at.path);
        let kept = async {
            loop {
                match timeout(TELL_INTERVAL, &mut download).await {
                    Ok(kept) => return kept,
                    Err(_) => told(download.progress()),
                }
            }
        };
        let kept = session.wait("the content", kept).await?;
        session.drive.flush()?;
        Ok(Done::Kept {
            files: kept.files,
            bytes: kept.bytes,
            blocks: kept.blocks,
        })
    }

    /// Nobody is asked for anything: what is not known here takes no room.
    async fn clear(&self, at: &Place, force: bool) -> Result<Done, NodeError> {
        let key = PublicKey::from_bytes(at.key);
        let store = &self.inner.store;
        let known = store.get_by_discovery_key(&key.discovery_key());
        if known.map_err(DriveError::Open)?.is_none() {
            return Ok(NOTHING_CLEARED);
        }
        let drive = Drive::open(store, &key, Options::new()).await?;
        let newest = drive.version();
        let view = match at.version {
            Some(version) if version > newest => {
                return Err(NodeError::NoSuchVersion { version, newest });
            }
            Some(version) => drive.checkout(version),
            None if newest == 0 => return Ok(NOTHING_CLEARED),
            None => drive,
        };
        let options = ClearOptions::new().own(force).tagged(force);
        let cleared = view.clear(&at.path, options);
        let cleared = self
            .inner
            .wait(CLEAR_PATIENCE, "the entry", cleared)
            .await?;
        Ok(Done::Cleared {
            blocks: cleared.blocks,
            bytes: cleared.bytes,
            kept_blocks: cleared.kept_blocks,
            kept_bytes: cleared.kept_bytes,
        })
    }
}

impl Task {
    /// Has the process that holds the storage do it. `None` if there is none, or none that answers.
    /// Dropping the future cancels the task there.
    pub async fn by_holder(&self, root: &Root) -> Option<Result<Done, NodeError>> {
        match control::ask(root, &Request::Perform(self.clone())).await {
            Ok(Some(Reply::Done(done))) => Some(Ok(done)),
            Ok(Some(Reply::Failed { kind, message })) => {
                Some(Err(NodeError::Elsewhere { kind, message }))
            }
            _ => None,
        }
    }
}

/// Of a drive of which nothing is here.
const NOTHING_CLEARED: Done = Done::Cleared {
    blocks: 0,
    bytes: 0,
    kept_blocks: 0,
    kept_bytes: 0,
};

/// How long the entry to be cleared is waited for, if it is not here.
const CLEAR_PATIENCE: Duration = Duration::from_secs(5);

/// Time between two words about how far it is.
const TELL_INTERVAL: Duration = Duration::from_millis(200);
