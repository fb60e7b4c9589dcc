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
    /// until the returned guard is dropped.
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
pub struct Lock(#[allow(dead_code)] Box<dyn Any + Send + Sync>);

impl Lock {
    /// Wraps whatever holds the lock until it is dropped.
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Self(Box::new(guard))
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lock")
    }
}
