//! A folder on disk that nothing gets out of.
//!
//! A drive's names, and links that already lie in the folder, are not to be trusted: `a/b` must
//! never be written through a link `a` that leads elsewhere. So every path is walked one component
//! at a time from a handle of the folder, and no component may be a link. On Unix each step is an
//! `openat` with `O_NOFOLLOW`, which cannot be raced; elsewhere each step is looked at first.

use std::io;
#[cfg(any(not(unix), test))]
use std::time::{SystemTime, UNIX_EPOCH};

use crate::path::is_plain_name;

#[cfg(any(not(unix), test))]
mod portable;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub(crate) use portable::{Folder, open_for_reading, target_text};
#[cfg(unix)]
pub(crate) use unix::{Folder, open_for_reading, target_text};

/// What is found at a place, without following it if it is a link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Found {
    pub(crate) kind: Kind,
    /// In bytes; of a file.
    pub(crate) size: u64,
    /// In milliseconds since 1970; 0 for everything earlier.
    pub(crate) mtime: u64,
    /// The permission bits, set-id and sticky bits included; on systems without them, what comes
    /// closest.
    pub(crate) mode: u32,
}

/// What kind of thing is found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    File,
    Directory,
    Symlink,
    /// A socket, a pipe, a device.
    Other,
}

/// Splits a key into the key of its directory and its name, and checks every component.
fn split(key: &str) -> io::Result<(&str, &str)> {
    if !key.split('/').all(is_plain_name) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a path below the folder",
        ));
    }
    Ok(key.rsplit_once('/').unwrap_or(("", key)))
}

/// The error for a component that would have to be entered and is no directory.
fn in_the_way(key: &str) -> io::Error {
    let message = format!("'{key}' is in the way: it is a link or a file, not a folder");
    io::Error::new(io::ErrorKind::NotADirectory, message)
}

/// A name that nothing else has.
fn temporary_name() -> io::Result<String> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(format!(
        "{TEMPORARY_PREFIX}{:016x}",
        u64::from_le_bytes(random)
    ))
}

/// What the names of unfinished files begin with. Import passes such files over.
pub(crate) const TEMPORARY_PREFIX: &str = ".hyperdrive-unfinished-";

/// A time of the file system in milliseconds since 1970.
#[cfg(any(not(unix), test))]
fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
