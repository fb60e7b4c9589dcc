//! What is in a folder on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use ignore::WalkBuilder;

use super::folder::{TEMPORARY_PREFIX, target_text};
use super::{MirrorError, Warning, link};
use crate::path;

/// Something in a folder that a drive can hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Local {
    File(FileState),
    /// A directory, and whether nothing is in it.
    Directory {
        mode: u32,
        empty: bool,
    },
    /// A link, with the target that the drive is to hold.
    Symlink {
        target: String,
    },
}

/// What tells whether a file has changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FileState {
    pub(crate) size: u64,
    /// In milliseconds since 1970; 0 for everything earlier.
    pub(crate) mtime: u64,
    /// The permission bits.
    pub(crate) mode: u32,
}

impl FileState {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mtime = metadata
            .modified()
            .map(since)
            .unwrap_or_default()
            .as_millis();
        Self {
            size: metadata.len(),
            mtime: u64::try_from(mtime).unwrap_or(u64::MAX),
            mode: mode(metadata),
        }
    }
}

/// What is in a folder, by key, and what is in it that no drive can hold.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) entries: BTreeMap<String, Local>,
    /// Where it could not be seen what is there.
    unreadable: BTreeSet<String>,
    pub(crate) warnings: Vec<Warning>,
}

/// Looks through a folder. Links are not followed, and nothing is left out for its name, except what
/// is at or below the paths in `exclude`.
///
/// A part that cannot be read is a warning, and [`Scan::is_hidden`] names what it may hold. If the
/// folder itself cannot be listed to its end, nothing can be said about any path: that is an error.
pub(crate) fn scan(root: &Path, exclude: &[PathBuf]) -> Result<Scan, MirrorError> {
    let folder_error = |error| MirrorError::Folder {
        path: root.to_owned(),
        error,
    };
    if !std::fs::metadata(root).map_err(folder_error)?.is_dir() {
        return Err(folder_error(io::ErrorKind::NotADirectory.into()));
    }
    let mut scan = Scan::default();
    let exclude = exclude.to_vec();
    let walk = WalkBuilder::new(root)
        .standard_filters(false)
        .follow_links(false)
        .sort_by_file_name(Ord::cmp)
        .filter_entry(move |entry| !exclude.iter().any(|path| path == entry.path()))
        .build();
    for entry in walk {
        let entry = match entry {
            Ok(entry) if entry.depth() == 0 => continue,
            Ok(entry) => entry,
            Err(error) => {
                let below = error_path(&error).and_then(|path| path.strip_prefix(root).ok());
                let below = below.map(Path::to_owned).unwrap_or_default();
                let error = into_io_error(error);
                if below.as_os_str().is_empty() {
                    return Err(folder_error(error));
                }
                scan.hide(&below, error.to_string());
                continue;
            }
        };
        let below = entry.path().strip_prefix(root).unwrap_or(entry.path());
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with(TEMPORARY_PREFIX)
        {
            continue;
        }
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            Err(error) => {
                scan.hide(below, into_io_error(error).to_string());
                continue;
            }
        };
        let local =
            key_of(below).and_then(|key| Ok((local(root, &key, entry.path(), &metadata)?, key)));
        match local {
            Ok((local, key)) => scan.add(key, local),
            Err(reason) => scan
                .warnings
                .push(Warning::new(below.display().to_string(), reason)),
        }
    }
    Ok(scan)
}

impl Scan {
    fn add(&mut self, key: String, local: Local) {
        if let Some(Local::Directory { empty, .. }) = self.entries.get_mut(path::parent(&key)) {
            *empty = false;
        }
        self.entries.insert(key, local);
    }

    /// Notes that it could not be seen what is at a path and below it.
    fn hide(&mut self, below: &Path, reason: String) {
        if let Ok(key) = key_of(below) {
            for seen in [path::parent(&key), &key] {
                if let Some(Local::Directory { empty, .. }) = self.entries.get_mut(seen) {
                    *empty = false;
                }
            }
            self.unreadable.insert(key);
        }
        let shown = below.display().to_string();
        self.warnings.push(Warning::new(shown, reason));
    }

    /// Whether something may be at this path that could not be seen.
    pub(crate) fn is_hidden(&self, key: &str) -> bool {
        !self.unreadable.is_empty()
            && (self.unreadable.contains(key)
                || path::ancestors(key).any(|above| self.unreadable.contains(above)))
    }
}

/// The drive's key for a path below the folder. An error says why there is none.
fn key_of(below: &Path) -> Result<String, String> {
    let text = below.to_str().ok_or("its name is not UTF-8")?;
    let key = if cfg!(windows) {
        text.replace('\\', "/")
    } else {
        text.to_owned()
    };
    if key.contains('\\') {
        return Err("its name has a backslash, which a drive reads as a slash".to_owned());
    }
    if key.len() > path::MAX_PATH_BYTES {
        return Err(format!(
            "its path is longer than {} bytes",
            path::MAX_PATH_BYTES
        ));
    }
    Ok(key)
}

fn local(root: &Path, key: &str, place: &Path, metadata: &Metadata) -> Result<Local, String> {
    if metadata.is_file() {
        Ok(Local::File(FileState::of(metadata)))
    } else if metadata.is_dir() {
        Ok(Local::Directory {
            mode: mode(metadata),
            empty: true,
        })
    } else if metadata.is_symlink() {
        let target = std::fs::read_link(place).map_err(|error| error.to_string())?;
        let target = target_text(target.into_os_string().into_encoded_bytes());
        let target = target.ok_or("its target is not UTF-8")?;
        Ok(Local::Symlink {
            target: link::from_disk(root, key, &target)?,
        })
    } else {
        Err("it is neither a file nor a folder nor a link".to_owned())
    }
}

#[cfg(unix)]
fn mode(metadata: &Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o7777
}

#[cfg(not(unix))]
fn mode(metadata: &Metadata) -> u32 {
    match (metadata.is_dir(), metadata.permissions().readonly()) {
        (true, _) => 0o755,
        (false, true) => 0o444,
        (false, false) => 0o644,
    }
}

/// The system's own error, without the path, which the warning names already.
fn into_io_error(error: ignore::Error) -> io::Error {
    let told = error.to_string();
    let Some(error) = error.into_io_error() else {
        return io::Error::other(told);
    };
    let code = error.raw_os_error().or_else(|| {
        let source = error.source()?.downcast_ref::<io::Error>()?;
        source.raw_os_error()
    });
    code.map_or(error, io::Error::from_raw_os_error)
}

fn error_path(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            error_path(err)
        }
        _ => None,
    }
}
