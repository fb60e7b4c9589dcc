//! Folders on disk and drives: bringing one into the other.
//!
//! [`Import`] writes a folder into a drive, and only what changed since the last time. [`Export`]
//! writes a drive into a folder, and never anything outside it, whatever names and links the drive
//! contains. Both say in advance what they are going to touch ([`Written`]); who keeps that between
//! runs lets the next run remove what this one wrote, and nothing else.
//!
//! This is the one part of the crate that reads and writes files. It does so without waiting
//! elsewhere, so run it where blocking for a disk does no harm. After each piece it lets others on
//! its thread have their turn, and whoever polls it drop it.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::DriveError;

mod export;
mod folder;
mod import;
mod link;
mod scan;

pub use export::{Export, ExportOptions, Exported};
pub use import::{Import, ImportOptions, Imported};

/// The paths that a mirror writes, without leading slashes; to be kept from one run to the next.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Written {
    paths: BTreeSet<String>,
}

impl Written {
    /// Nothing was written yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a path was written.
    pub fn contains(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    /// Whether something below a path was written.
    fn has_below(&self, path: &str) -> bool {
        let below = format!("{path}/");
        self.paths
            .range(below.clone()..)
            .next()
            .is_some_and(|next| next.starts_with(&below))
    }

    /// How many paths were written.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }
}

/// How far a mirror is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Progress {
    /// Files written so far.
    pub files: u64,
    /// Files to be written in all.
    pub files_total: u64,
    /// Bytes written so far.
    pub bytes: u64,
    /// Bytes to be written in all.
    pub bytes_total: u64,
}

/// Something that was left out, and why. The rest was done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Warning {
    /// The path; names that are not UTF-8 are shown as close as may be.
    pub path: String,
    /// Why.
    pub reason: String,
}

impl Warning {
    fn new(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

/// Why a mirror ended early. What it wrote until then is whole: no file is half of one version.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MirrorError {
    /// The drive failed, or the logs under it.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The folder failed.
    #[error("{}: {error}", path.display())]
    Folder {
        /// Where.
        path: PathBuf,
        /// How.
        error: io::Error,
    },
}
