//! Replication of Hypercore logs over any byte stream.
//!
//! [`replicate`] drives one connection to its end: it carries any number of logs in both
//! directions, with peers of the Node generation of 2020–21 (hypercore 9) or with itself. What to
//! send is decided by the [`Replicator`], a state machine without sockets, clocks or tasks; which
//! blocks are wanted is known by the logs' [`Feed`](hypercore::Feed)s, so that several connections
//! share the work. Where logs come from is the business of a [`FeedSource`]; finding peers that of
//! the crates above.
//!
//! ```
//! use std::sync::Arc;
//!
//! use futures_lite::future;
//! use hypercore::{Feed, Hypercore, Options};
//! use hypercore_crypto::KeyPair;
//! use hypercore_protocol::Role;
//! use hypercore_replication::{Config, FeedSet, replicate};
//! use hypercore_runtime::{Runtime, Tokio};
//! use hypercore_storage::MemoryDir;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pair = KeyPair::from_seed(&[7; 32]);
//! let open = |options| Hypercore::open(Arc::new(MemoryDir::new()), options).map(Feed::new);
//! let writer = open(Options::new().key_pair(pair.clone()))?;
//! let reader = open(Options::new().key(pair.public))?;
//! writer.append("hello")?;
//!
//! let runtime: Arc<dyn Runtime> = Arc::new(Tokio::current());
//! let listener = runtime.listen_tcp("127.0.0.1:0".parse()?).await?;
//! let dialled = runtime.connect_tcp(listener.local_addr()).await?;
//! let accepted = listener.accept().await?;
//! let replication = |stream, role, feed: &Feed| {
//!     let source = Arc::new(FeedSet::from_iter([feed.clone()]));
//!     replicate(stream, role, source, runtime.clone(), Config::default())
//! };
//! let connection = future::zip(
//!     replication(accepted, Role::Responder, &writer),
//!     replication(dialled, Role::Initiator, &reader),
//! );
//! let block = async { Some(reader.get(0).await) };
//! let ended = async { connection.await; None };
//! let block = future::or(block, ended).await.ok_or("the connection ended early")??;
//! assert_eq!(&block[..], b"hello");
//! # Ok(())
//! # }
//! ```

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod config;
mod doorbell;
mod driver;
mod error;
mod exchange;
mod identity;
mod native;
mod peer;
mod queue;
mod replicator;
mod source;
mod window;

pub use config::Config;
pub use driver::{Summary, replicate};
pub use error::ReplicationError;
pub use hypercore_protocol::Role;
pub use identity::Identity;
pub use native::Replicate;
pub use replicator::{Replicator, ReplicatorEvent};
pub use source::{FeedSet, FeedSource};
