//! Many Hypercore logs in one directory, with keys derived from one secret.
//!
//! A [`Corestore`] owns a directory: one 32-byte master key, and a folder for each log, named by
//! its discovery key. Key pairs come from the master key and a name, so a name is all that must be
//! remembered to go on writing a log. The layout is that of the Node package corestore 5.
//!
//! Left to others: what a log is (`hypercore`), what is said to peers (`hypercore-replication`,
//! behind the feature `replication`), finding them, and what the logs mean.
//!
//! ```
//! use std::sync::Arc;
//!
//! use corestore::{Corestore, Options};
//! use hypercore_storage::MemoryDir;
//!
//! let store = Corestore::open(Arc::new(MemoryDir::new()), Options::new())?;
//! let log = store.get_by_name("notes")?;
//! log.append(b"hello")?;
//!
//! // The same log again, this time by its key: one shared object per log.
//! let again = store.get(&log.public_key())?;
//! assert_eq!(again.length(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backup;
mod corestore;
mod destroy;
mod error;
mod held;
mod identity;
mod index;
mod layout;
mod list;
mod master_key;
#[cfg(feature = "mounts")]
mod mounted;
mod namespace;
mod opened;
mod options;
mod registry;
#[cfg(feature = "replication")]
mod replication;

pub use backup::{Backup, BackupError};
pub use corestore::Corestore;
pub use error::{ConfirmError, GetError, OpenError};
pub use list::{Stored, StoredCores};
pub use namespace::Namespace;
pub use opened::Opened;
pub use options::Options;
