//! Mailboxes of ours and extensions of Node on one log.

use std::sync::Arc;

use hypercore::{Feed, Hypercore, Mailbox, Options};
use hypercore_crypto::KeyPair;
use hypercore_protocol::Role;
use hypercore_replication::FeedSet;
use hypercore_storage::MemoryDir;
use interop::Peer;
use serde_json::json;
use tempfile::TempDir;

use crate::network::Network;

#[test]
fn extensions_that_were_registered_before_meet() {
    for role in [Role::Initiator, Role::Responder] {
        let mut pair = Pair::new();
        // Ours stands second in our list and first in Node's.
        let _other = pair.ours.mailbox("alpha").expect("a mailbox opens");
        let ours = pair.ours.mailbox("talk").expect("a mailbox opens");
        pair.register("talk");
        pair.connect(role);
        pair.exchange(&ours, "talk");
    }
}

#[test]
fn extensions_that_are_registered_later_meet() {
    for role in [Role::Initiator, Role::Responder] {
        let mut pair = Pair::new();
        let first = pair.ours.mailbox("middle").expect("a mailbox opens");
        pair.register("middle");
        pair.connect(role);
        pair.exchange(&first, "middle");
        // Both change every number in both lists.
        let ours = pair.ours.mailbox("early").expect("a mailbox opens");
        pair.register("early");
        pair.exchange(&ours, "early");
        pair.exchange(&first, "middle");
    }
}

#[test]
fn large_and_empty_messages_pass() {
    let mut pair = Pair::new();
    let ours = pair.ours.mailbox("talk").expect("a mailbox opens");
    pair.register("talk");
    pair.connect(Role::Initiator);
    pair.exchange(&ours, "talk");
    for size in [0, 1, 127, 128, 65_536, 4 << 20] {
        let message = interop::pattern(size, 3);
        let digest = interop::digest(&message);
        ours.broadcast(message).expect("the message can be sent");
        let event = pair.node.event("mail");
        assert_eq!(event["digest"], digest, "{size} bytes");
        pair.node.ask(
            "log.mail",
            json!({ "name": "talk", "message": { "size": size, "seed": 3 } }),
        );
        let received = pair.network.wait("mail of Node", ours.receive());
        let (_, received) = received.expect("the log is open");
        assert_eq!(interop::digest(&received), digest, "{size} bytes");
    }
}

/// A log of ours that Node copies.
struct Pair {
    network: Network,
    ours: Feed,
    node: Peer,
    _dir: TempDir,
}

impl Pair {
    #[track_caller]
    fn new() -> Self {
        let options = Options::new().key_pair(KeyPair::from_seed(&[5; 32]));
        let core = Hypercore::open(Arc::new(MemoryDir::new()), options).expect("the log opens");
        let ours = Feed::new(core);
        let dir = TempDir::new().expect("a directory");
        let mut node = Peer::start();
        let key = hex::encode(ours.public_key().as_bytes());
        node.ask("log.open", json!({ "dir": dir.path(), "key": key }));
        Self {
            network: Network::tokio(),
            ours,
            node,
            _dir: dir,
        }
    }

    #[track_caller]
    fn register(&mut self, name: &str) {
        self.node.ask("log.extension", json!({ "name": name }));
    }

    #[track_caller]
    fn connect(&mut self, role: Role) {
        let source = Arc::new(FeedSet::from_iter([self.ours.clone()]));
        self.network.connect(role, &mut self.node, "it", source);
        // Node has the log open when it has heard of a block.
        let length = self.ours.append("a block").expect("the log appends") + 1;
        self.node.ask("log.update", json!({ "length": length }));
    }

    /// Sends a message each way, as a broadcast and as an answer to whoever sent one.
    #[track_caller]
    fn exchange(&mut self, ours: &Mailbox, name: &str) {
        let message = json!({ "text": "from Node" });
        self.node
            .ask("log.mail", json!({ "name": name, "message": message }));
        let received = self.network.wait("mail of Node", ours.receive());
        let (peer, received) = received.expect("the log is open");
        assert_eq!(received, "from Node");
        ours.send(peer, "an answer").expect("Node is there");
        let event = self.node.event("mail");
        assert_eq!(event["name"], name);
        assert_eq!(event["digest"], interop::digest(b"an answer"));
        assert_eq!(ours.broadcast("to all"), Ok(1));
        let event = self.node.event("mail");
        assert_eq!(event["digest"], interop::digest(b"to all"));
    }
}
