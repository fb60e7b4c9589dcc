//! Signed, append-only logs that can be verified block by block (hypercore 9 format).
//!
//! A [`Hypercore`] is one log in a directory: whoever holds its secret key appends blocks, everyone
//! else stores those blocks that a proof and a signature vouch for. It is synchronous and knows
//! bytes and hashes only; connections, clocks and waiting are left to others.
//!
//! ```
//! use std::sync::Arc;
//!
//! use hypercore::{Hypercore, Options};
//! use hypercore_crypto::KeyPair;
//! use hypercore_storage::MemoryDir;
//!
//! let options = Options::new().key_pair(KeyPair::from_seed(&[7; 32]));
//! let mut log = Hypercore::open(Arc::new(MemoryDir::new()), options)?;
//! log.append_batch(&["hello", "world"])?;
//! assert_eq!(log.get(1)?.as_deref(), Some(&b"world"[..]));
//! log.close()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bitfield;
mod error;
mod feed;
mod hypercore;
mod index;
mod options;
mod store;
mod tree;

pub use error::{AppendError, OpenError, ReadError};
pub use feed::{AvailableHold, Download, Events, Feed, FeedEvent};
pub use hypercore::Hypercore;
pub use index::{NodeIndex, Roots, roots};
pub use options::Options;
pub use store::Node;
