use std::error::Error;
use std::io;

use hyperdrive::DriveError;
use serde::{Deserialize, Serialize};

use crate::{FolderFault, NodeError};

/// What kind of thing went wrong, and so what helps. Every [`NodeError`] is of one kind.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no such file, folder or version.
    NotFound,
    /// What was asked for makes no sense: a folder where a file is wanted, a path that cannot be.
    Usage,
    /// Nobody answered in time, or no peer has it; it may work later.
    TryAgain,
    /// It must not be written.
    NotWritable,
    /// It is written here and may be nowhere else, so it is not thrown away.
    OwnContent,
    /// Data failed its verification, or is damaged on disk.
    Corrupt,
    /// The storage cannot be created or written, or is full.
    NoStorage,
    /// Another process holds it.
    Locked,
    /// Something else.
    Other,
}

impl NodeError {
    /// Of which kind it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Locked { .. } => ErrorKind::Locked,
            Self::Storage { .. } => ErrorKind::NoStorage,
            Self::Damaged(_) => ErrorKind::Corrupt,
            Self::NoSuchVersion { .. } => ErrorKind::NotFound,
            Self::Folder { fault, .. } => of_folder(fault),
            Self::Nobody { .. } | Self::Unreached { .. } | Self::Stalled { .. } => {
                ErrorKind::TryAgain
            }
            Self::Target { source, .. } => of_target(source),
            Self::Drive(error) => of_drive(error),
            Self::Listen { .. } => ErrorKind::Other,
            Self::Elsewhere { kind, .. } => *kind,
        }
    }

    /// The system's error that caused it, if one did.
    pub fn io_cause(&self) -> Option<&io::Error> {
        match self {
            Self::Storage { source, .. } | Self::Target { source, .. } => Some(source),
            Self::Drive(error) => io_cause(error),
            _ => None,
        }
    }
}

fn of_folder(fault: &FolderFault) -> ErrorKind {
    match fault {
        FolderFault::Missing => ErrorKind::NotFound,
        FolderFault::NotAFolder | FolderFault::Storage => ErrorKind::Usage,
        _ => ErrorKind::Other,
    }
}

fn of_target(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            ErrorKind::NotWritable
        }
        _ => of_io(error),
    }
}

fn of_drive(error: &DriveError) -> ErrorKind {
    match error {
        DriveError::NotFound { .. } | DriveError::NotADirectory { .. } => ErrorKind::NotFound,
        DriveError::IsADirectory { .. }
        | DriveError::NotAMount { .. }
        | DriveError::InvalidPath { .. } => ErrorKind::Usage,
        DriveError::AlreadyExists { .. }
        | DriveError::NotEmpty { .. }
        | DriveError::TooManyLinks { .. }
        | DriveError::NotASymlink { .. }
        | DriveError::TooManyMounts { .. }
        | DriveError::TooManyTags { .. }
        | DriveError::TooLarge { .. }
        | DriveError::Mounted { .. } => ErrorKind::Other,
        DriveError::NotWritable | DriveError::Checkout { .. } => ErrorKind::NotWritable,
        DriveError::OwnContent => ErrorKind::OwnContent,
        DriveError::BadEntry { .. } | DriveError::NoContent => ErrorKind::Corrupt,
        DriveError::BadMount { source, .. } => of_drive(source),
        DriveError::Conflict => ErrorKind::TryAgain,
        // What is left of a log's or a trie's errors tells of data that is not what it should be.
        error => io_cause(error).map_or(ErrorKind::Corrupt, of_io),
    }
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

fn of_io(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::PermissionDenied => ErrorKind::NoStorage,
        io::ErrorKind::WouldBlock => ErrorKind::Locked,
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => ErrorKind::Corrupt,
        _ => ErrorKind::Other,
    }
}
