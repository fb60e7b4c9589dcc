use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use super::{Found, Kind, in_the_way, milliseconds, split, temporary_name};

/// See the module. Paths are keys: relative, clean, with slashes.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
}

#[cfg_attr(test, allow(dead_code, reason = "the tests use a part"))]
impl Folder {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        Ok(Self {
            root: path.canonicalize()?,
        })
    }

    pub(crate) fn find(&mut self, key: &str) -> io::Result<Option<Found>> {
        let (parent, name) = split(key)?;
        let dir = match self.dir(parent, false) {
            Err(error) if is_absent(&error) => return Ok(None),
            dir => dir?,
        };
        match fs::symlink_metadata(dir.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            metadata => Ok(Some(found(&metadata?))),
        }
    }

    pub(crate) fn make_dir(&mut self, key: &str) -> io::Result<()> {
        split(key)?;
        self.dir(key, true).map(drop)
    }

    pub(crate) fn create(&mut self, key: &str) -> io::Result<NewFile> {
        let (parent, name) = split(key)?;
        let dir = self.dir(parent, true)?;
        let temporary = dir.join(temporary_name()?);
        let file = File::options()
            .write(true)
            .create_new(true)
            .open(&temporary)?;
        Ok(NewFile {
            place: dir.join(name),
            temporary: Some(temporary),
            file,
        })
    }

    /// Links need rights or a kind (file, directory) that a drive does not know.
    pub(crate) fn symlink(&mut self, _target: &str, key: &str) -> io::Result<()> {
        split(key)?;
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "links cannot be made on this system",
        ))
    }

    pub(crate) fn read_link(&mut self, key: &str) -> io::Result<Vec<u8>> {
        let (parent, name) = split(key)?;
        let target = fs::read_link(self.dir(parent, false)?.join(name))?;
        Ok(target.into_os_string().into_encoded_bytes())
    }

    pub(crate) fn remove(&mut self, key: &str) -> io::Result<()> {
        let (parent, name) = split(key)?;
        fs::remove_file(self.dir(parent, false)?.join(name))
    }

    pub(crate) fn remove_dir(&mut self, key: &str) -> io::Result<()> {
        let (parent, name) = split(key)?;
        fs::remove_dir(self.dir(parent, false)?.join(name))
    }

    /// There are no permission bits to set.
    pub(crate) fn set_dir_mode(&mut self, key: &str, _mode: u32) -> io::Result<()> {
        self.dir(key, false).map(drop)
    }

    fn dir(&self, key: &str, create: bool) -> io::Result<PathBuf> {
        let mut dir = self.root.clone();
        let mut done = 0;
        for name in key.split('/').filter(|name| !name.is_empty()) {
            done += name.len() + usize::from(done > 0);
            dir.push(name);
            match fs::symlink_metadata(&dir) {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(_) => return Err(in_the_way(&key[..done])),
                Err(error) if error.kind() == io::ErrorKind::NotFound && create => {
                    fs::create_dir(&dir)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(dir)
    }
}

/// A file that is being written and is not yet at its place. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct NewFile {
    place: PathBuf,
    temporary: Option<PathBuf>,
    file: File,
}

impl NewFile {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    pub(crate) fn finish(mut self, _mode: u32, mtime: u64) -> io::Result<()> {
        let Some(temporary) = &self.temporary else {
            return Ok(());
        };
        if let Some(time) = UNIX_EPOCH.checked_add(Duration::from_millis(mtime)) {
            let _ = self.file.set_modified(time);
        }
        fs::rename(temporary, &self.place)?;
        self.temporary = None;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = fs::remove_file(temporary);
        }
    }
}

/// Opens a regular file for reading that is no link.
#[cfg(not(unix))]
pub(crate) fn open_for_reading(path: &Path) -> io::Result<File> {
    if fs::symlink_metadata(path)?.is_file() {
        File::open(path)
    } else {
        Err(io::Error::other("no longer a file"))
    }
}

/// The target of a link as text, with slashes, if it is Unicode.
#[cfg(not(unix))]
pub(crate) fn target_text(target: Vec<u8>) -> Option<String> {
    Some(String::from_utf8(target).ok()?.replace('\\', "/"))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn found(metadata: &fs::Metadata) -> Found {
    let kind = if metadata.is_file() {
        Kind::File
    } else if metadata.is_dir() {
        Kind::Directory
    } else if metadata.is_symlink() {
        Kind::Symlink
    } else {
        Kind::Other
    };
    let mode = if metadata.permissions().readonly() {
        0o444
    } else {
        0o644
    };
    let mtime = metadata.modified().map(milliseconds).unwrap_or(0);
    Found {
        kind,
        size: metadata.len(),
        mtime,
        mode,
    }
}
