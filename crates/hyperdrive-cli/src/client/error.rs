use std::io;

use hyperdrive_daemon::{DriveError, ErrorKind, FolderFault, NodeError};

use crate::exit::Exit;
use crate::failure::Failure;

/// The node's errors, each with its exit status and what the user can do.
impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        let failure = Self::new(status(error.kind()), error.to_string());
        match hint(&error) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

fn status(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::NotFound => Exit::NotFound,
        ErrorKind::Usage => Exit::Usage,
        ErrorKind::TryAgain => Exit::TryAgain,
        ErrorKind::NotWritable | ErrorKind::OwnContent => Exit::NotWritable,
        ErrorKind::Corrupt => Exit::Corrupt,
        ErrorKind::NoStorage => Exit::NoStorage,
        ErrorKind::Locked => Exit::Locked,
        _ => Exit::Other,
    }
}

fn hint(error: &NodeError) -> Option<&'static str> {
    let is_full = error.io_cause().is_some_and(|error| {
        let kind = error.kind();
        matches!(
            kind,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    });
    match error {
        NodeError::Target { .. } if is_full => {
            return Some("make room, then start again: it goes on where it stopped");
        }
        _ if is_full => return Some("make room, or give another place with --storage"),
        _ => {}
    }
    Some(match error {
        NodeError::Locked { .. } => "end it first, or give another place with --storage",
        NodeError::Storage { .. } => "give another place with --storage",
        NodeError::Folder {
            fault: FolderFault::Unwatched(_),
            ..
        } => "share without --watch, or raise the system's limit on watches",
        NodeError::Listen { .. } => "give another address with --listen, or port 0 for a free one",
        NodeError::Nobody { tried, .. } if tried.is_empty() => {
            "give the address of somebody who has it with --peer HOST:PORT"
        }
        NodeError::Nobody { .. } => "check the link, and that somebody serves it at that address",
        NodeError::Stalled { tried, .. } if tried.is_empty() => {
            "give the address of somebody who has it with --peer HOST:PORT"
        }
        NodeError::Stalled { .. } => "try again later, or with another --peer",
        NodeError::NoSuchVersion { .. } => "leave out +VERSION for the newest one",
        NodeError::Drive(DriveError::NotFound { .. }) => "list the folder with `hyperdrive ls`",
        NodeError::Drive(DriveError::IsADirectory { .. }) => "list it with `hyperdrive ls`",
        NodeError::Damaged(_)
        | NodeError::Drive(
            DriveError::Open(_) | DriveError::Read(_) | DriveError::Append(_) | DriveError::Trie(_),
        ) if error.kind() == ErrorKind::Corrupt => {
            "restore the storage from a copy, or give another place with --storage"
        }
        error if error.kind() == ErrorKind::OwnContent => {
            "--force clears it all the same, and what no peer has is lost then"
        }
        _ => return None,
    })
}
