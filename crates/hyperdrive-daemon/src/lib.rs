//! The Hyperdrive node: a store, its drives and its connections, as a library.
//!
//! A [`Node`] lives below a storage [`Root`]. It opens drives as [`Session`]s, which wait for peers
//! with bounded patience; brings folders into drives; keeps whole copies of others' ([`Seed`]);
//! listens and dials, and finds peers by topic if asked to ([`Node::discover`]). One process at a time holds the storage; others read beside it.
//!
//! Left to others: what a drive is (`hyperdrive`), what is said to peers (`hypercore-replication`),
//! and what is shown to people (`hyperdrive-cli`). It needs a tokio runtime.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use hyperdrive_daemon::{Access, Node, NodeError, Root};
//!
//! async fn example(key: [u8; 32]) -> Result<(), NodeError> {
//!     let node = Node::open(Root::new("/var/lib/hyperdrive"), Access::Read).await?;
//!     node.dial("192.168.1.7:49737");
//!     let drive = node.drive(&key, None, Duration::from_secs(20)).await?;
//!     let mut entries = drive.read_dir("/", false).await?;
//!     while let Some(entry) = entries.next().await? {
//!         println!("{}", entry.name);
//!     }
//!     node.close().await
//! }
//! ```

mod backoff;
mod connections;
mod control;
mod destroy;
mod discovery;
mod disk;
mod editor;
mod error;
mod folders;
mod info;
mod kind;
mod mirror;
mod network;
mod node;
mod patience;
mod readers;
mod record;
mod root;
mod running;
mod seed;
mod session;
mod status;
mod task;
mod traffic;
mod watch;

pub use discovery::{DEFAULT_BOOTSTRAP, DhtNode, DiscoveryOptions, MAINLINE_BOOTSTRAP};
pub use editor::{Differences, Editor, Log};
pub use error::{FolderFault, NodeError};
pub use hyperdrive::mirror::{Exported, ImportOptions, Imported, Progress, Warning};
pub use hyperdrive::{
    Attributes, Change, ChangeKind, ContentDefined, DirEntry, DownloadProgress, DriveError,
    FileType, Reverted, Stat as DriveStat,
};
pub use info::{CoreInfo, DriveInfo};
pub use kind::ErrorKind;
pub use mirror::shareable;
pub use node::{Access, DEFAULT_PORT, Node, Port};
pub use root::Root;
pub use seed::{Held, Seed, Seeded};
pub use session::{Bytestream, Entries, Freshness, Session};
pub use status::{NetworkStatus, Reach, Status};
pub use task::{Done, Place, Task};
pub use traffic::Traffic;
pub use watch::Watch;
