//! A filesystem that anyone with its key can read and verify (hyperdrive 10 format).
//!
//! A [`Drive`] is two logs: a trie from paths to [`Stat`]s, and the content of the files. Files are
//! written by whoever has the secret keys and read by whoever knows the public key of the first
//! log, in every version there has been. Reading is sparse: a path costs a few small blocks, a part
//! of a file the blocks it lies in. The bytes are those of the Node package; see
//! `docs/formats/drive.md`.
//!
//! [`mirror`] brings a folder on disk into a drive, and a drive into a folder.
//!
//! Left to others: the logs (`hypercore`), the trie (`hypertrie`), their storage and keys
//! (`corestore`), and finding peers and talking to them.
//!
//! ```
//! use std::sync::Arc;
//!
//! use corestore::Corestore;
//! use hyperdrive::{Attributes, Drive, Options};
//! use hypercore_storage::MemoryDir;
//!
//! # futures_lite::future::block_on(async {
//! let store = Corestore::open(Arc::new(MemoryDir::new()), corestore::Options::new())?;
//! let drive = Drive::create(&store, Options::new()).await?;
//! drive.write_file("/notes/hello.txt", "hello", &Attributes::new()).await?;
//! let version = drive.version();
//! drive.unlink("/notes/hello.txt").await?;
//!
//! assert!(!drive.exists("/notes").await?);
//! let before = drive.checkout(version);
//! assert_eq!(before.read_file("/notes/hello.txt").await?, "hello");
//! assert_eq!(before.stat("/notes/hello.txt").await?.size, 5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

mod batch;
mod chunker;
mod clear;
mod compare;
pub mod compat;
mod content;
mod destroy;
mod dir;
mod download;
mod drive;
mod error;
mod events;
mod file;
mod group;
mod keep;
mod locate;
mod lookup;
mod manifest;
mod mend;
pub mod mirror;
mod mounts;
mod orphans;
mod path;
mod patience;
mod query;
mod read;
mod read_ahead;
mod rename;
mod runs;
mod schema;
mod stat;
mod stats;
mod tags;
mod trees;
mod turns;
mod versions;
mod walk;
mod watch;
mod write;

pub use batch::Batch;
pub use chunker::{Chunker, ContentDefined, FixedSize};
pub use clear::{ClearOptions, Cleared};
pub use dir::{DirEntry, ReadDir, ReadDirOptions};
pub use download::{Download, DownloadProgress};
pub use drive::{Drive, Options};
pub use error::{DriveError, EntryFault};
pub use events::{DriveEvent, DriveEvents};
pub use file::{File, OpenOptions};
pub use hypercore::Durability;
pub use keep::KeepOptions;
pub use locate::Holder;
pub use manifest::{Manifest, ManifestError};
pub use mounts::{MountStream, Mounted};
pub use orphans::Orphans;
pub use patience::{Outcome, Patience};
pub use query::{Match, MatchKind, Query, SortBy};
pub use read::ReadStream;
pub use stat::{Attributes, FileType, Mount, Stat, StatError};
pub use stats::FileStats;
pub use trees::{Difference, MergeOptions, Merged};
pub use versions::{Change, ChangeKind, DiffStream, History, Reverted};
pub use watch::Watch;
pub use write::FileWriter;
