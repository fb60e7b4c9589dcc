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

mod audit;
mod bitfield;
mod error;
mod feed;
mod fork;
mod hypercore;
mod index;
mod options;
mod proof;
pub mod rle;
mod signer;
mod store;
mod tree;

pub use audit::{Audit, Repair};
pub use error::{AppendError, OpenError, ReadError};
pub use feed::{
    Answer, AvailableHold, BlockWriter, Blocks, Changes, Codec, CodecError, DataError, Delivery,
    Download, Events, Feed, FeedEvent, HintBudget, MAX_MAIL_BYTES, MAX_MAILBOX_BYTES,
    MAX_MAILBOX_NAME_BYTES, MAX_MAILBOXES, MAX_WAITING_MAIL, MAX_WAITING_MAIL_BYTES, Mailbox,
    MailboxError, Peer, PeerId, ReadRange, Received, Request, RequestLimits, Stats, Typed, Utf8,
    ValueError, Values,
};
pub use fork::{ForkProof, ForkProofError, SignedTree};
pub use hypercore::{FlushAside, Hypercore, Seek, StaticLog};
pub use index::{NodeIndex, Roots, roots};
pub use options::{Durability, Options};
pub use proof::{Proof, Put, PutError};
pub use signer::Signer;
pub use store::Node;
pub use tree::RemoteTree;
