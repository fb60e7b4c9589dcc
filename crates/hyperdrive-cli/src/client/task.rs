use hyperdrive_daemon::{Access, Done, DownloadProgress, Node, NodeError, Place, Task};
use hyperdrive_url::Link;
use serde::Serialize;

use super::editor::newest;
use super::{Client, discovery, root};
use crate::args::{Global, Reach};
use crate::failure::Failure;
use crate::progress::{Amounts, Progress};

/// What is held of a path.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Kept {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) blocks: u64,
}

/// What was freed, and what could not be.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cleared {
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
    pub(crate) kept_blocks: u64,
    pub(crate) kept_bytes: u64,
}

/// Mounts a drive, and tells the version that this made.
pub(crate) async fn mount(global: &Global, link: &Link, other: &Link) -> Result<u64, Failure> {
    newest(link)?;
    let task = Task::Mount {
        at: place(link),
        drive: *other.key(),
        version: other.version(),
    };
    changed(perform(global, &task).await?)
}

/// Takes a mounted drive away, and tells the version that this made.
pub(crate) async fn unmount(global: &Global, link: &Link) -> Result<u64, Failure> {
    newest(link)?;
    changed(perform(global, &Task::Unmount { at: place(link) }).await?)
}

/// Fetches the content of a path.
pub(crate) async fn keep(global: &Global, link: &Link, reach: &Reach) -> Result<Kept, Failure> {
    let task = Task::Keep {
        at: place(link),
        peers: reach.peers.peers.clone(),
        patience: reach.timeout,
    };
    match perform(global, &task).await? {
        Done::Kept {
            files,
            bytes,
            blocks,
        } => Ok(Kept {
            files,
            bytes,
            blocks,
        }),
        other => Err(unexpected(other)),
    }
}

/// Frees the content of a path.
pub(crate) async fn clear(global: &Global, link: &Link, force: bool) -> Result<Cleared, Failure> {
    let task = Task::Clear {
        at: place(link),
        force,
    };
    match perform(global, &task).await? {
        Done::Cleared {
            blocks,
            bytes,
            kept_blocks,
            kept_bytes,
        } => Ok(Cleared {
            blocks,
            bytes,
            kept_blocks,
            kept_bytes,
        }),
        other => Err(unexpected(other)),
    }
}

fn place(link: &Link) -> Place {
    Place::new(*link.key(), link.version(), link.path())
}

fn changed(done: Done) -> Result<u64, Failure> {
    match done {
        Done::Changed { version } => Ok(version),
        other => Err(unexpected(other)),
    }
}

/// Another program of this user answered, of another version perhaps.
fn unexpected(done: Done) -> Failure {
    let message = format!("the process that holds the storage answered {done:?}");
    Failure::new(crate::exit::Exit::Other, message)
}

/// Does a task here, or has it done by the process that holds the storage.
async fn perform(global: &Global, task: &Task) -> Result<Done, Failure> {
    let root = root(global)?;
    let node = match Node::open(root.clone(), Access::Hold).await {
        Err(locked @ NodeError::Locked { .. }) => {
            return match task.by_holder(&root).await {
                Some(done) => Ok(done?),
                None => Err(locked.into()),
            };
        }
        node => node?,
    };
    let client = Client {
        node,
        discovery: discovery(global),
    };
    if let (Task::Keep { .. }, Some(options)) = (task, &client.discovery) {
        client.node.discover(options.clone());
    }
    let done = {
        let progress = Progress::with_peers("fetching", "block", client.meter());
        let told = |progress_so_far| progress.update(amounts(progress_so_far));
        client.node.perform(task, told).await
    };
    client.end(done.map_err(Failure::from)).await
}

fn amounts(progress: DownloadProgress) -> Amounts {
    let part = u128::from(progress.bytes) * u128::from(progress.blocks);
    let bytes = part / u128::from(progress.blocks_total.max(1));
    Amounts {
        items: progress.blocks,
        items_total: progress.blocks_total,
        bytes: u64::try_from(bytes).unwrap_or(progress.bytes),
        bytes_total: progress.bytes,
    }
}
