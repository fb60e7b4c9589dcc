//! A key/value index on one append-only log (hypertrie 5 format).
//!
//! Every write appends a node with a key, a value, and pointers to older nodes, such that all that
//! is in the trie can be reached from the newest one in about log₄ *n* steps. Older nodes stay, so
//! every version can be looked at for ever. The bytes are those of the Node package; see
//! `docs/formats/trie.md`.
//!
//! Waiting for blocks that peers have is the [`Feed`](hypercore::Feed)'s business: nothing here
//! knows of a network, a clock or a runtime. Blocks may come from anybody who owns a log, so each
//! lookup is bounded, however the nodes were forged.
//!
//! ```
//! use bytes::Bytes;
//! use hypertrie::{IterOptions, Options, Trie};
//! # use std::sync::Arc;
//! # use hypercore::{Feed, Hypercore};
//! # let pair = hypercore_crypto::KeyPair::from_seed(&[1; 32]);
//! # let dir = Arc::new(hypercore_storage::MemoryDir::new());
//! # let log = Hypercore::open(dir, hypercore::Options::new().key_pair(pair))?;
//! # let feed = Feed::new(log);
//! # futures_lite::future::block_on(async {
//!
//! let trie = Trie::open(feed, Options::new()).await?;
//! trie.put("fruit/apple", Bytes::from("red")).await?;
//! trie.put("fruit/plum", Bytes::from("blue")).await?;
//! let before = trie.snapshot();
//! trie.del("fruit/apple").await?;
//!
//! assert!(trie.get("fruit/apple").await?.is_none());
//! assert!(before.get("fruit/apple").await?.is_some());
//!
//! let mut fruit = trie.iter("fruit", IterOptions::new());
//! while let Some(node) = fruit.next().await? {
//!     assert_eq!(node.key, "fruit/plum");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
mod cache;
mod checkpoint;
mod diff;
mod error;
mod extension;
mod history;
mod iter;
mod links;
mod loader;
mod mount;
mod mountable;
mod node;
mod options;
mod path;
mod reader;
mod rename;
mod schema;
mod stats;
mod trie;
mod typed;
mod walk;
mod watch;
mod write;

pub use batch::{Batch, Op};
pub use diff::{Change, Diff};
pub use error::{KeyError, NodeError, TrieError};
pub use extension::Lookups;
pub use history::History;
pub use iter::Iter;
pub use mount::{Mount, MountError};
pub use mountable::{
    ChangeKind, Located, MAX_MOUNT_DEPTH, MAX_MOUNTS_OF_A_WALK, MAX_WATCHED, MountableTrie,
    MountedAt, MountedChange, MountedDiff, MountedHistory, MountedIter, MountedWatch, Mounts,
    OpenFeed, OpenFeedError, Written,
};
pub use node::{Node, decode_node};
pub use options::{DiffOptions, GetOptions, HistoryOptions, IterOptions, Options, PutOptions};
pub use stats::Stats;
pub use trie::Trie;
pub use typed::{Codec, CodecError, Typed, TypedIter, TypedTrie, Utf8};
pub use watch::Watch;
