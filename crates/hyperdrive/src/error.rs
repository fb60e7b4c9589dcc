use std::io;

use corestore::GetError;
use hypercore::{AppendError, ReadError};
use hypertrie::TrieError;

use crate::StatError;

/// Why an operation on a drive failed.
///
/// The first group is about the path that was asked for and has the names of POSIX
/// ([`errno_name`](Self::errno_name)); converted to [`io::Error`] it keeps its kind. Unless a
/// method says otherwise, a failed write leaves the drive's entries as they were; blocks of content
/// that no entry names may remain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriveError {
    /// There is no entry at the path.
    #[error("no such file or directory: '{path}'")]
    NotFound {
        /// The path.
        path: String,
    },
    /// There is an entry at the path already.
    #[error("'{path}' already exists")]
    AlreadyExists {
        /// The path.
        path: String,
    },
    /// The path, or one of its parents, is not a directory.
    #[error("not a directory: '{path}'")]
    NotADirectory {
        /// The path.
        path: String,
    },
    /// The path is a directory where a file is wanted.
    #[error("is a directory: '{path}'")]
    IsADirectory {
        /// The path.
        path: String,
    },
    /// The directory still has entries.
    #[error("directory not empty: '{path}'")]
    NotEmpty {
        /// The path.
        path: String,
    },
    /// The path leads through more symlinks than any honest one does.
    #[error("too many levels of symbolic links: '{path}'")]
    TooManyLinks {
        /// The path.
        path: String,
    },
    /// The entry is no symlink, but one is wanted.
    #[error("not a symbolic link: '{path}'")]
    NotASymlink {
        /// The path.
        path: String,
    },
    /// The path cannot be written.
    #[error("'{path}' cannot be written: {reason}")]
    InvalidPath {
        /// The path.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file is too large to be read into memory at once.
    #[error("'{path}' has {size} bytes, more than the {limit} that are read at once")]
    TooLarge {
        /// The path.
        path: String,
        /// The file's size, in bytes.
        size: u64,
        /// The largest size, in bytes.
        limit: u64,
    },
    /// The drive has more tags than are gathered at once. Its author's fault.
    #[error("the drive has more than {limit} tags")]
    TooManyTags {
        /// How many are gathered.
        limit: usize,
    },
    /// The path lies in another drive, mounted here, where one of the same drive is wanted: nothing
    /// can be moved across the border of a mount.
    #[error("'{path}' is in another drive, which is mounted here")]
    Mounted {
        /// The path.
        path: String,
    },
    /// The entry is no mount, but one is wanted.
    #[error("nothing is mounted at '{path}'")]
    NotAMount {
        /// The path.
        path: String,
    },
    /// There are more mounts within each other, or in one walk, than is allowed.
    #[error("more than {limit} mounts on the way")]
    TooManyMounts {
        /// How many are allowed.
        limit: usize,
    },
    /// A query would look at more entries than is allowed.
    #[error("more than {limit} entries to look at")]
    TooManyMatches {
        /// How many are allowed.
        limit: usize,
    },
    /// The file `/index.json` is no manifest. Its author's fault.
    #[error("the drive's manifest cannot be used")]
    BadManifest(#[from] crate::manifest::ManifestError),
    /// What is mounted at the path cannot be read. The fault of the author of either drive; what is
    /// beside the mount is not affected.
    #[error("what is mounted at '{path}' cannot be read")]
    BadMount {
        /// The path.
        path: String,
        /// Why.
        source: Box<DriveError>,
    },
    /// The secret key of the drive, or of its content, is not here.
    #[error("the drive is not writable: its secret key is not here")]
    NotWritable,
    /// The file was not opened for this.
    #[error("'{path}' is not open to {action}")]
    BadHandle {
        /// The path.
        path: String,
        /// What was tried.
        action: &'static str,
    },
    /// Another file was put in the place of the one that is open. What was written to that one is not
    /// in the drive.
    #[error("'{path}' is another file now than the one that is open")]
    Stale {
        /// The path.
        path: String,
    },
    /// The file would become larger than any may be, or have a hole that is too large.
    #[error(
        "'{path}' cannot grow so much: a file has less than 2^53 bytes, and a hole at most {hole_limit}"
    )]
    GrowsTooMuch {
        /// The path.
        path: String,
        /// The largest hole, in bytes.
        hole_limit: u64,
    },
    /// The content is written here, and clearing it could lose it for everybody.
    #[error("the drive's content is written here and may be nowhere else")]
    OwnContent,
    /// The drive is looked at in an older version, which cannot change.
    #[error("version {version} of the drive is read-only")]
    Checkout {
        /// The version.
        version: u64,
    },

    /// The entry cannot be what it says it is. Its author's fault; other entries are not affected.
    #[error("the entry '{path}' is damaged: {fault}")]
    BadEntry {
        /// The path.
        path: String,
        /// What is wrong with it.
        fault: EntryFault,
    },
    /// The drive's header does not name a content log. Its author's fault; paths can be listed, but
    /// no file be read.
    #[error("the drive's header names no content log")]
    NoContent,

    /// What was asked for is not stored here, and nobody was to be asked for it.
    #[error("it is not here, and was not to be waited for")]
    NotHere,
    /// What was asked for did not come in time.
    #[error("it did not come in time")]
    TimedOut,

    /// Somebody else appended to the content log while a file was being written to it, so that
    /// its blocks are not in one run. The file was not written; try again.
    #[error("another program is writing to the drive")]
    Conflict,
    /// The trie of paths could not be read or written.
    #[error("the drive's paths could not be read or written")]
    Trie(#[from] TrieError),
    /// A log could not be read.
    #[error("the drive's logs could not be read")]
    Read(#[from] ReadError),
    /// The content log could not be written.
    #[error("the drive's content could not be written")]
    Append(#[from] AppendError),
    /// A log could not be opened.
    #[error("the drive's logs could not be opened")]
    Open(#[from] GetError),
    /// The storage failed, or the reader that a file was written from.
    #[error("input or output failed")]
    Io(#[from] io::Error),
}

/// What is wrong with an entry.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryFault {
    /// Its value is no Stat.
    #[error(transparent)]
    Stat(#[from] StatError),
    /// There is no value.
    #[error("it has no metadata")]
    NoStat,
    /// The numbers of its first block and block count exceed what a log can have.
    #[error("its content would be beyond the end of any log")]
    Range,
    /// It has a size, but no blocks.
    #[error("it is said to have {size} bytes in no blocks")]
    NoBlocks {
        /// The size it claims, in bytes.
        size: u64,
    },
    /// Its blocks are not in the content log.
    #[error("its content ends at block {end} of a log of {length} blocks")]
    Missing {
        /// The block after its last.
        end: u64,
        /// The length of the content log, in blocks.
        length: u64,
    },
    /// Its blocks hold fewer bytes than it claims.
    #[error("it is said to have {size} bytes, but its content ends after {found}")]
    Short {
        /// The size it claims, in bytes.
        size: u64,
        /// The bytes found.
        found: u64,
    },
    /// It mounts only a part of a drive, which no program does right.
    #[error("it mounts a part of a drive, not all of it")]
    PartOfDrive,
    /// It is a symlink that points nowhere.
    #[error("it is a symbolic link without a target")]
    NoTarget,
}

impl DriveError {
    /// The name that POSIX has for the error, `ENOENT` for example, if there is one.
    pub fn errno_name(&self) -> Option<&'static str> {
        Some(match self {
            Self::NotFound { .. } => "ENOENT",
            Self::AlreadyExists { .. } => "EEXIST",
            Self::NotADirectory { .. } => "ENOTDIR",
            Self::IsADirectory { .. } => "EISDIR",
            Self::NotEmpty { .. } => "ENOTEMPTY",
            Self::TooManyLinks { .. } => "ELOOP",
            Self::NotASymlink { .. } | Self::NotAMount { .. } | Self::InvalidPath { .. } => {
                "EINVAL"
            }
            Self::TooLarge { .. } => "EFBIG",
            Self::Mounted { .. } => "EXDEV",
            Self::NotWritable | Self::Checkout { .. } => "EROFS",
            Self::OwnContent => "EPERM",
            Self::BadHandle { .. } => "EBADF",
            Self::Stale { .. } => "ESTALE",
            Self::GrowsTooMuch { .. } => "EFBIG",
            Self::NotHere => "EAGAIN",
            Self::TimedOut => "ETIMEDOUT",
            _ => return None,
        })
    }

    /// The kind of [`io::Error`] that the error becomes.
    pub fn kind(&self) -> io::ErrorKind {
        use io::ErrorKind;
        match self {
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::AlreadyExists { .. } => ErrorKind::AlreadyExists,
            Self::NotADirectory { .. } => ErrorKind::NotADirectory,
            Self::IsADirectory { .. } => ErrorKind::IsADirectory,
            Self::NotEmpty { .. } => ErrorKind::DirectoryNotEmpty,
            Self::NotASymlink { .. } | Self::NotAMount { .. } | Self::InvalidPath { .. } => {
                ErrorKind::InvalidInput
            }
            Self::TooLarge { .. } => ErrorKind::FileTooLarge,
            Self::Mounted { .. } => ErrorKind::CrossesDevices,
            Self::NotWritable | Self::Checkout { .. } => ErrorKind::ReadOnlyFilesystem,
            Self::BadEntry { .. }
            | Self::BadMount { .. }
            | Self::NoContent
            | Self::TooManyTags { .. }
            | Self::BadManifest(_)
            | Self::TooManyMatches { .. }
            | Self::TooManyMounts { .. } => ErrorKind::InvalidData,
            Self::OwnContent => ErrorKind::PermissionDenied,
            Self::Stale { .. } => ErrorKind::StaleNetworkFileHandle,
            Self::GrowsTooMuch { .. } => ErrorKind::FileTooLarge,
            Self::Conflict => ErrorKind::ResourceBusy,
            Self::NotHere => ErrorKind::WouldBlock,
            Self::TimedOut => ErrorKind::TimedOut,
            Self::Io(error) => error.kind(),
            // `FilesystemLoop` is not stable, and there is none for `EBADF`.
            Self::BadHandle { .. }
            | Self::TooManyLinks { .. }
            | Self::Trie(_)
            | Self::Read(_)
            | Self::Append(_)
            | Self::Open(_) => ErrorKind::Other,
        }
    }
}

impl DriveError {
    /// The same error, with its path as seen from the drive that another one is mounted in, at the
    /// key `at`.
    pub(crate) fn below(mut self, at: &str) -> Self {
        if at.is_empty() {
            return self;
        }
        match &mut self {
            Self::NotFound { path }
            | Self::AlreadyExists { path }
            | Self::NotADirectory { path }
            | Self::IsADirectory { path }
            | Self::NotEmpty { path }
            | Self::TooManyLinks { path }
            | Self::NotASymlink { path }
            | Self::NotAMount { path }
            | Self::InvalidPath { path, .. }
            | Self::TooLarge { path, .. }
            | Self::Mounted { path }
            | Self::BadMount { path, .. }
            | Self::BadEntry { path, .. } => {
                *path = crate::path::shown(&crate::path::join(at, path.trim_start_matches('/')));
            }
            _ => {}
        }
        self
    }
}

impl From<DriveError> for io::Error {
    fn from(error: DriveError) -> Self {
        match error {
            DriveError::Io(error) => error,
            error => io::Error::new(error.kind(), error),
        }
    }
}
