//! A log in a Node peer, and logs of ours for the other end.

use std::sync::Arc;

use hypercore::{Feed, Hypercore, Options};
use hypercore_crypto::{KeyPair, PublicKey};
use hypercore_replication::FeedSet;
use hypercore_storage::MemoryDir;
use interop::Peer;
use serde_json::json;
use tempfile::TempDir;

/// A log in a Node peer.
#[derive(Debug)]
pub(crate) struct NodeLog {
    _dir: TempDir,
    pub(crate) node: Peer,
    pub(crate) key: PublicKey,
}

impl NodeLog {
    /// One that Node writes.
    #[track_caller]
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().expect("a directory");
        let mut node = Peer::start();
        let state = node.ask("log.open", json!({ "dir": dir.path() }));
        let key = state["key"].as_str().and_then(|key| hex::decode(key).ok());
        let key = key
            .and_then(|key| key.try_into().ok())
            .expect("a key has 32 bytes");
        Self {
            _dir: dir,
            node,
            key: PublicKey::from_bytes(key),
        }
    }

    /// An empty copy of ours that fetches only what it is asked for.
    #[track_caller]
    pub(crate) fn copy_of(ours: &Feed) -> Self {
        let dir = TempDir::new().expect("a directory");
        let mut node = Peer::start();
        let key = ours.public_key();
        let hex = hex::encode(key.as_bytes());
        node.ask(
            "log.open",
            json!({ "dir": dir.path(), "key": hex, "sparse": true }),
        );
        Self {
            _dir: dir,
            node,
            key,
        }
    }

    /// Appends in one batch.
    #[track_caller]
    pub(crate) fn append(&mut self, blocks: &[Vec<u8>]) {
        let blocks: Vec<_> = blocks
            .iter()
            .map(|b| json!({ "hex": hex::encode(b) }))
            .collect();
        self.node
            .ask("log.append", json!({ "blocks": blocks, "batch": true }));
    }
}

/// A log in memory that is written here.
pub(crate) fn writer() -> Feed {
    feed(Options::new().key_pair(KeyPair::from_seed(&[5; 32])))
}

/// An empty copy in memory.
pub(crate) fn reader(key: &PublicKey) -> Feed {
    feed(Options::new().key(*key))
}

#[track_caller]
fn feed(options: Options) -> Feed {
    Feed::new(Hypercore::open(Arc::new(MemoryDir::new()), options).expect("the log opens"))
}

/// What connections get: this log.
pub(crate) fn source(feed: &Feed) -> Arc<FeedSet> {
    Arc::new(FeedSet::from_iter([feed.clone()]))
}
