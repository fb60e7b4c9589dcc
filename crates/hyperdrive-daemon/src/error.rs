use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use hyperdrive::DriveError;

use crate::ErrorKind;

/// Why a node could not do what it was asked.
///
/// The variants keep apart who is to blame and what helps. The message of a variant does not repeat
/// its source; [`Display`](fmt::Display) of this type does, to the end of the chain, since the
/// reader of it is a person.
#[derive(Debug)]
#[non_exhaustive]
pub enum NodeError {
    /// Another process holds the storage.
    Locked {
        /// Where it is.
        root: PathBuf,
        /// The process, where that could be learned.
        pid: Option<u32>,
    },
    /// The storage cannot be created, read or written.
    Storage {
        /// Where it is.
        root: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The storage is damaged, or belongs to another master key.
    Damaged(String),
    /// The address cannot be listened on.
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A folder of the user's cannot be read, written or watched.
    Folder {
        /// Which folder.
        path: PathBuf,
        /// What is wrong with it.
        fault: FolderFault,
    },
    /// A folder that a drive is written into cannot be written.
    Target {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody who has the drive was found.
    Nobody {
        /// How each peer that was tried answers.
        tried: Vec<String>,
        /// How long they were waited for.
        waited: Duration,
    },
    /// Peers were there, but nothing arrived any more.
    Stalled {
        /// What was waited for.
        wanted: String,
        /// How each peer that was tried answers.
        tried: Vec<String>,
        /// How long nothing arrived.
        waited: Duration,
    },
    /// Nobody who has a mounted drive was found.
    Unreached {
        /// Where it is mounted.
        path: String,
        /// How each peer that was tried answers.
        tried: Vec<String>,
        /// How long they were waited for.
        waited: Duration,
    },
    /// The drive has not come so far.
    NoSuchVersion {
        /// The version asked for.
        version: u64,
        /// The newest one known.
        newest: u64,
    },
    /// The drive could not do it.
    Drive(DriveError),
    /// The process that holds the storage was asked, and could not do it.
    Elsewhere {
        /// Of which kind its error was.
        kind: ErrorKind,
        /// What it said.
        message: String,
    },
}

/// What is wrong with a folder of the user's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderFault {
    /// It is not there.
    #[error("there is no such folder")]
    Missing,
    /// It is a file, or something else.
    #[error("not a folder")]
    NotAFolder,
    /// It is, or is inside, the storage, where secret keys are.
    #[error("the folder is part of the storage, where secret keys are")]
    Storage,
    /// The system does not let it be watched.
    #[error("cannot be watched: {0}")]
    Unwatched(String),
    /// It cannot be read or written.
    #[error("{0}")]
    Io(io::Error),
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked { root, pid } => {
                write!(f, "the storage {} is in use", root.display())?;
                pid.map_or(Ok(()), |pid| write!(f, " by process {pid}"))
            }
            Self::Storage { root, source } => {
                write!(f, "the storage {} cannot be used: {source}", root.display())
            }
            Self::Damaged(what) => f.write_str(what),
            Self::Listen { address, source } => write!(f, "cannot listen on {address}: {source}"),
            Self::Folder { path, fault } => write!(f, "{}: {fault}", path.display()),
            Self::Target { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Nobody { tried, waited } if tried.is_empty() || waited.is_zero() => {
                f.write_str("nobody to ask for the drive, and nothing of it is stored here")
            }
            Self::Nobody { tried, waited } => {
                write!(
                    f,
                    "nobody served the drive within {} s",
                    waited.as_secs_f32()
                )?;
                list(f, tried)
            }
            Self::Stalled {
                wanted,
                tried,
                waited,
            } => {
                if tried.is_empty() {
                    return write!(f, "{wanted} is not stored here, and nobody is to be asked");
                }
                write!(f, "no peer sent {wanted} within {} s", waited.as_secs_f32())?;
                list(f, tried)
            }
            Self::Unreached {
                path,
                tried,
                waited,
            } => {
                write!(f, "nobody served what is mounted at '{path}'")?;
                if !tried.is_empty() {
                    write!(f, " within {} s", waited.as_secs_f32())?;
                }
                list(f, tried)
            }
            Self::NoSuchVersion { version, newest } => {
                write!(
                    f,
                    "there is no version {version}: the newest known is {newest}"
                )
            }
            Self::Drive(error) => Chain(error).fmt(f),
            Self::Elsewhere { message, .. } => f.write_str(message),
        }
    }
}

impl std::error::Error for NodeError {}

impl From<DriveError> for NodeError {
    fn from(error: DriveError) -> Self {
        Self::Drive(error)
    }
}

fn list(f: &mut fmt::Formatter<'_>, tried: &[String]) -> fmt::Result {
    if tried.is_empty() {
        return Ok(());
    }
    write!(f, " ({})", tried.join("; "))
}

/// An error and what caused it, to the end.
pub(crate) struct Chain<'e>(pub(crate) &'e dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
