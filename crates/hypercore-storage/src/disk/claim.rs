//! The lock of a folder, which may be let go of while nobody uses its files.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::sys;

/// Why a lock could not be taken again that was let go of while the files under it were not used
/// (see [`Lock::rest`](crate::Lock::rest)). The source of an [`io::Error`]; [`LockLost::of`] finds it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LockLost {
    /// Somebody else holds it now. It can be tried again.
    #[error("another program has taken the files that were not in use here")]
    Held,
    /// Somebody else has changed the files since. Nothing is read or written any more: they have to
    /// be opened anew.
    #[error("another program has changed the files that were not in use here; open them again")]
    Changed,
}

impl LockLost {
    /// What an error says of a lost lock, if it is about one.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl From<LockLost> for io::Error {
    fn from(lost: LockLost) -> Self {
        let kind = match lost {
            LockLost::Held => io::ErrorKind::WouldBlock,
            LockLost::Changed => io::ErrorKind::Other,
        };
        Self::new(kind, lost)
    }
}

#[derive(Debug)]
pub(super) struct Claim {
    path: PathBuf,
    state: State,
}

#[derive(Debug)]
enum State {
    Held(File),
    Resting(Print),
    Lost,
}

impl Claim {
    /// The lock on `path`, held by `file`.
    pub(super) fn new(path: PathBuf, file: File) -> Self {
        let state = State::Held(file);
        Self { path, state }
    }

    pub(super) fn is_on(&self, path: &Path) -> bool {
        self.path == path
    }

    pub(super) fn descriptor(&self) -> Option<&File> {
        match &self.state {
            State::Held(file) => Some(file),
            State::Resting(_) | State::Lost => None,
        }
    }

    /// The descriptor, if it is that of `path`.
    pub(super) fn of(&self, path: &Path) -> Option<&File> {
        self.descriptor().filter(|_| self.is_on(path))
    }

    /// Lets go of the lock for now, if it can be told later whether anybody changed the file.
    pub(super) fn rest(&mut self) {
        if let State::Held(file) = &self.state
            && let Some(print) = Print::of(file)
        {
            self.state = State::Resting(print);
        }
    }

    /// Takes the lock again if it was let go of, unless this or one of the `known` files is not what
    /// it was.
    pub(super) fn retake<'a>(
        &mut self,
        mut known: impl Iterator<Item = (&'a Path, &'a Print)>,
    ) -> io::Result<()> {
        let print = match &self.state {
            State::Held(_) => return Ok(()),
            State::Lost => return Err(LockLost::Changed.into()),
            State::Resting(print) => print,
        };
        let file = match sys::open(&self.path, true) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.state = State::Lost;
                return Err(LockLost::Changed.into());
            }
            opened => opened?,
        };
        match file.try_lock() {
            Err(std::fs::TryLockError::WouldBlock) => return Err(LockLost::Held.into()),
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
            Ok(()) => {}
        }
        let same = *print == file.metadata()?
            && known.all(|(path, print)| {
                self.path == path || std::fs::metadata(path).is_ok_and(|found| *print == found)
            });
        self.state = if same { State::Held(file) } else { State::Lost };
        match same {
            true => Ok(()),
            false => Err(LockLost::Changed.into()),
        }
    }

    /// Ends the lock for good; returns its file and descriptor.
    pub(super) fn end(self) -> Option<(PathBuf, File)> {
        let State::Held(file) = self.state else {
            return None;
        };
        // The error has nowhere to go; the lock ends with the descriptor then.
        let _ = file.unlock();
        Some((self.path, file))
    }
}

/// What tells whether a file was changed: whoever appends to a log makes some of its files longer, so
/// that not even two changes within one tick of the clock look alike.
#[derive(Clone, Debug)]
pub(super) struct Print {
    identity: sys::Identity,
    len: u64,
    modified: Option<SystemTime>,
}

impl Print {
    /// `None` where systems do not tell a file from another of the same name.
    pub(super) fn of(file: &File) -> Option<Self> {
        let found = file.metadata().ok()?;
        Some(Self {
            identity: sys::identity(&found)?,
            len: found.len(),
            modified: found.modified().ok(),
        })
    }

    pub(super) fn is_of_same_file(&self, found: &Metadata) -> bool {
        sys::identity(found) == Some(self.identity)
    }
}

impl PartialEq<Metadata> for Print {
    fn eq(&self, found: &Metadata) -> bool {
        self.is_of_same_file(found)
            && self.len == found.len()
            && self.modified == found.modified().ok()
    }
}
