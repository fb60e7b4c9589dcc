use std::error::Error;
use std::io;

use hyperdrive_daemon::{DriveError, FolderFault, NodeError};

use crate::exit::Exit;
use crate::failure::Failure;

/// The node's errors, each with its exit status and what the user can do.
impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        let failure = Self::new(status(&error), error.to_string());
        match hint(&error) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

fn status(error: &NodeError) -> Exit {
    match error {
        NodeError::Locked { .. } => Exit::Locked,
        NodeError::Storage { .. } => Exit::NoStorage,
        NodeError::Damaged(_) => Exit::Corrupt,
        NodeError::NoSuchVersion { .. } => Exit::NotFound,
        NodeError::Folder { fault, .. } => folder_status(fault),
        NodeError::Nobody { .. } | NodeError::Stalled { .. } => Exit::TryAgain,
        NodeError::Target { source, .. } => target_status(source),
        NodeError::Drive(error) => drive_status(error),
        _ => Exit::Other,
    }
}

fn folder_status(fault: &FolderFault) -> Exit {
    match fault {
        FolderFault::Missing => Exit::NotFound,
        FolderFault::NotAFolder | FolderFault::Storage => Exit::Usage,
        _ => Exit::Other,
    }
}

fn target_status(error: &io::Error) -> Exit {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Exit::NotWritable,
        _ => io_status(error),
    }
}

fn drive_status(error: &DriveError) -> Exit {
    match error {
        DriveError::NotFound { .. } | DriveError::NotADirectory { .. } => Exit::NotFound,
        DriveError::IsADirectory { .. } | DriveError::InvalidPath { .. } => Exit::Usage,
        DriveError::AlreadyExists { .. }
        | DriveError::NotEmpty { .. }
        | DriveError::TooManyLinks { .. }
        | DriveError::NotASymlink { .. }
        | DriveError::TooLarge { .. }
        | DriveError::Mounted { .. } => Exit::Other,
        DriveError::NotWritable | DriveError::Checkout { .. } => Exit::NotWritable,
        DriveError::BadEntry { .. } | DriveError::NoContent => Exit::Corrupt,
        DriveError::Conflict => Exit::TryAgain,
        error => cause_status(error),
    }
}

/// The status of an error that is told by what caused it.
fn cause_status(error: &(dyn Error + 'static)) -> Exit {
    // What is left of a log's or a trie's errors tells of data that is not what it should be.
    io_cause(error).map_or(Exit::Corrupt, io_status)
}

/// The system's error at the bottom of another one.
fn io_cause<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e io::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error);
        }
        next = error.source();
    }
    None
}

fn io_status(error: &io::Error) -> Exit {
    match error.kind() {
        io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::PermissionDenied => Exit::NoStorage,
        io::ErrorKind::WouldBlock => Exit::Locked,
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Exit::Corrupt,
        _ => Exit::Other,
    }
}

fn hint(error: &NodeError) -> Option<&'static str> {
    let full = match error {
        NodeError::Storage { source, .. } => is_full(source),
        NodeError::Drive(error) => io_cause(error).is_some_and(is_full),
        NodeError::Target { source, .. } if is_full(source) => {
            return Some("make room, then start again: it goes on where it stopped");
        }
        _ => false,
    };
    if full {
        return Some("make room, or give another place with --storage");
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
        ) if status(error) == Exit::Corrupt => {
            "restore the storage from a copy, or give another place with --storage"
        }
        _ => return None,
    })
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
