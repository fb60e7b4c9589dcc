use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::{Found, Kind, in_the_way, split, temporary_name};

/// See the module. Paths are keys: relative, clean, with slashes.
#[derive(Debug)]
pub(crate) struct Folder {
    root: Arc<OwnedFd>,
    /// The directory that was used last, since neighbours follow each other.
    last: Option<(String, Arc<OwnedFd>)>,
}

impl Folder {
    /// Opens the folder at `path`, which the user chose, and makes it if it is missing. Links in
    /// this path are the user's own and are followed.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(path)?;
        let root = fs::open(path, DIRECTORY - OFlags::NOFOLLOW, Mode::empty())?;
        Ok(Self {
            root: Arc::new(root),
            last: None,
        })
    }

    /// What is at a place; `None` if nothing is, or if it could only be reached through a link.
    pub(crate) fn find(&mut self, key: &str) -> io::Result<Option<Found>> {
        let (parent, name) = split(key)?;
        let dir = match self.dir(parent, false) {
            Err(error) if is_absent(&error) => return Ok(None),
            dir => dir?,
        };
        match fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(None),
            stat => Ok(Some(found(&stat?))),
        }
    }

    /// Makes a directory and its parents, unless they are there.
    pub(crate) fn make_dir(&mut self, key: &str) -> io::Result<()> {
        split(key)?;
        self.dir(key, true).map(drop)
    }

    /// Begins to write a file under a name of its own, beside its place. Parents are made.
    pub(crate) fn create(&mut self, key: &str) -> io::Result<NewFile> {
        let (parent, name) = split(key)?;
        let dir = self.dir(parent, true)?;
        let temporary = temporary_name()?;
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::openat(&dir, &temporary, flags, Mode::from_raw_mode(0o600))?;
        let file = File::from(file);
        Ok(NewFile {
            dir,
            temporary: Some(temporary),
            name: name.to_owned(),
            file,
        })
    }

    /// Puts a link at a place, instead of what is there unless that is a directory.
    pub(crate) fn symlink(&mut self, target: &str, key: &str) -> io::Result<()> {
        let (parent, name) = split(key)?;
        let dir = self.dir(parent, true)?;
        let temporary = temporary_name()?;
        fs::symlinkat(target, &dir, &temporary)?;
        fs::renameat(&dir, &temporary, &dir, name).map_err(|error| {
            let _ = fs::unlinkat(&dir, &temporary, AtFlags::empty());
            error.into()
        })
    }

    /// What a link says.
    pub(crate) fn read_link(&mut self, key: &str) -> io::Result<Vec<u8>> {
        let (parent, name) = split(key)?;
        let dir = self.dir(parent, false)?;
        Ok(fs::readlinkat(&dir, name, Vec::new())?.into_bytes())
    }

    /// Removes a file or a link.
    pub(crate) fn remove(&mut self, key: &str) -> io::Result<()> {
        let (parent, name) = split(key)?;
        let dir = self.dir(parent, false)?;
        Ok(fs::unlinkat(&dir, name, AtFlags::empty())?)
    }

    /// Removes an empty directory.
    pub(crate) fn remove_dir(&mut self, key: &str) -> io::Result<()> {
        let (parent, name) = split(key)?;
        let dir = self.dir(parent, false)?;
        self.last = None;
        Ok(fs::unlinkat(&dir, name, AtFlags::REMOVEDIR)?)
    }

    /// Sets a directory's permission bits.
    pub(crate) fn set_dir_mode(&mut self, key: &str, mode: u32) -> io::Result<()> {
        let dir = self.dir(key, false)?;
        Ok(fs::fchmod(&dir, permissions(mode))?)
    }

    /// A handle of a directory, reached step by step without following a link.
    fn dir(&mut self, key: &str, create: bool) -> io::Result<Arc<OwnedFd>> {
        if let Some((last, dir)) = &self.last
            && last == key
        {
            return Ok(dir.clone());
        }
        let mut dir = self.root.clone();
        let mut done = 0;
        for name in key.split('/').filter(|name| !name.is_empty()) {
            done += name.len() + usize::from(done > 0);
            dir = Arc::new(
                step(dir.as_fd(), name, create).map_err(|error| match error {
                    Errno::NOTDIR | Errno::LOOP | Errno::EXIST => in_the_way(&key[..done]),
                    error => error.into(),
                })?,
            );
        }
        self.last = Some((key.to_owned(), dir.clone()));
        Ok(dir)
    }
}

/// A file that is being written and is not yet at its place. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct NewFile {
    dir: Arc<OwnedFd>,
    temporary: Option<String>,
    name: String,
    file: File,
}

impl NewFile {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Gives the file its mode and time (in milliseconds since 1970), then its place, instead of the
    /// file or link that may be there.
    pub(crate) fn finish(mut self, mode: u32, mtime: u64) -> io::Result<()> {
        let Some(temporary) = &self.temporary else {
            return Ok(());
        };
        fs::fchmod(&self.file, permissions(mode))?;
        if let Some(time) = UNIX_EPOCH.checked_add(Duration::from_millis(mtime)) {
            // A time that the file system cannot store is no reason to lose the file.
            let _ = self.file.set_modified(time);
        }
        fs::renameat(&self.dir, temporary, &self.dir, &self.name)?;
        self.temporary = None;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = fs::unlinkat(&self.dir, temporary, AtFlags::empty());
        }
    }
}

/// Opens a regular file for reading that is no link, and does not wait if it is a pipe.
pub(crate) fn open_for_reading(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(File::from(fs::open(path, flags, Mode::empty())?))
}

fn step(dir: BorrowedFd<'_>, name: &str, create: bool) -> Result<OwnedFd, Errno> {
    match fs::openat(dir, name, DIRECTORY, Mode::empty()) {
        Err(Errno::NOENT) if create => {
            match fs::mkdirat(dir, name, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
            fs::openat(dir, name, DIRECTORY, Mode::empty())
        }
        opened => opened,
    }
}

/// The type of a mode differs from system to system; twelve bits fit every one.
fn permissions(mode: u32) -> Mode {
    Mode::from_raw_mode((mode & 0o7777) as fs::RawMode)
}

#[allow(clippy::unnecessary_cast, reason = "not all systems have 32 bits here")]
fn bits(mode: fs::RawMode) -> u32 {
    (mode & 0o7777) as u32
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn found(stat: &fs::Stat) -> Found {
    let kind = match fs::FileType::from_raw_mode(stat.st_mode) {
        fs::FileType::RegularFile => Kind::File,
        fs::FileType::Directory => Kind::Directory,
        fs::FileType::Symlink => Kind::Symlink,
        _ => Kind::Other,
    };
    let seconds = i128::from(stat.st_mtime);
    let mtime = seconds * 1000 + i128::from(stat.st_mtime_nsec / 1_000_000);
    Found {
        kind,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        mtime: u64::try_from(mtime).unwrap_or(0),
        mode: bits(stat.st_mode),
    }
}

/// The target of a link as text, if it is UTF-8.
pub(crate) fn target_text(target: Vec<u8>) -> Option<String> {
    OsStr::from_bytes(&target).to_str().map(str::to_owned)
}

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
