use std::any::Any;
use std::fmt::{self, Debug};
use std::io;
use std::sync::Arc;

use crate::{Stamp, Storage};

/// How a file is opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OpenMode {
    /// For reading and writing; created, with its folders, if it is not there.
    Create,
    /// For reading and writing; [`io::ErrorKind::NotFound`] if it is not there.
    Existing,
    /// For reading only; [`io::ErrorKind::NotFound`] if it is not there.
    ReadOnly,
}

/// A place that opens files by name.
///
/// Names are relative, with `/` between folders. One with an empty component, `.`, `..`, a NUL, a
/// backslash or a colon is refused with [`io::ErrorKind::InvalidInput`], also as part of a
/// [`subdir`](Self::subdir). Folders come with the files in them and have no life of their own.
pub trait StorageDir: Debug + Send + Sync {
    /// Opens the file `name`. Opening it again gives another handle on the same bytes.
    ///
    /// Opened for reading only, its writes fail with [`io::ErrorKind::PermissionDenied`]. What a
    /// handle does once its file was removed is not specified, except that it never reaches another
    /// file.
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn Storage>>;

    /// Removes the file `name`. A missing file is an error of kind [`io::ErrorKind::NotFound`].
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Whether a file (not a folder) of that name is there. Errors other than "not found" are reported.
    fn exists(&self, name: &str) -> io::Result<bool>;

    /// The names directly below the folder `name` (empty for the top), files and folders, sorted.
    /// A missing folder lists nothing.
    fn list(&self, name: &str) -> io::Result<Vec<String>>;

    /// The mark of the file or folder `name` as it is. `None` if there is none of that name, or where
    /// no marks are to be had, as in memory; nothing can be told of changes then.
    fn stamp(&self, _name: &str) -> io::Result<Option<Stamp>> {
        Ok(None)
    }

    /// Makes the creation and removal of files survive a crash.
    fn sync(&self) -> io::Result<()>;

    /// Takes an exclusive advisory lock on the file `name`, creating it if needed, and holds it
    /// until the returned guard is dropped, or [rests](Lock::rest).
    ///
    /// Fails at once with [`io::ErrorKind::WouldBlock`] when somebody else holds it. On disk this
    /// is `flock` (Unix) or `LockFile` (Windows), the lock that the Node packages take too. A
    /// second lock in the same process fails as well. Open the file after locking it: where the
    /// system's locks bind (Windows), earlier handles can no longer use it.
    fn lock(&self, name: &str) -> io::Result<Lock>;

    /// The same place seen from its folder `name`, which need not exist: every name below is
    /// relative to it.
    fn subdir(&self, name: &str) -> Arc<dyn StorageDir>;
}

/// A held lock, let go when dropped.
pub struct Lock(Guard);

enum Guard {
    Firm(#[allow(dead_code)] Box<dyn Any + Send + Sync>),
    Resting(Box<dyn Rest>),
}

/// A lock that can be let go of for a while; see [`Lock::rest`]. Ends when dropped.
pub trait Rest: Send + Sync {
    /// What [`Lock::rest`] does.
    fn rest(&self);

    /// What [`Lock::hold`] does.
    fn hold(&self) -> io::Result<()>;
}

impl Lock {
    /// Wraps whatever holds the lock until it is dropped.
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Self(Guard::Firm(Box::new(guard)))
    }

    /// Wraps a lock that can be let go of for a while.
    pub fn resting(guard: impl Rest + 'static) -> Self {
        Self(Guard::Resting(Box::new(guard)))
    }

    /// Says that nothing is unfinished, so that others might as well have the files now. Until
    /// something is written next, the directory may let go of the lock when the files were not used
    /// for a while and their descriptors are wanted for others.
    ///
    /// Whoever uses a file then finds the lock taken again and the files unchanged; if that cannot
    /// be, the call fails with [`LockLost`](crate::LockLost). Directories that do not know how keep
    /// the lock.
    pub fn rest(&self) {
        if let Guard::Resting(guard) = &self.0 {
            guard.rest();
        }
    }

    /// Takes the lock again if it was let go of, and keeps it until the next
    /// [`rest`](Self::rest). Fails with [`LockLost`](crate::LockLost) if that cannot be.
    pub fn hold(&self) -> io::Result<()> {
        match &self.0 {
            Guard::Firm(_) => Ok(()),
            Guard::Resting(guard) => guard.hold(),
        }
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lock")
    }
}
