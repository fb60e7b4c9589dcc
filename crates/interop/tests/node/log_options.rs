//! What each side of a connection may choose: acknowledgements, protection, which logs are shared.

use std::sync::Arc;

use futures_lite::StreamExt;
use futures_lite::stream::Boxed;
use hypercore::{Feed, FeedEvent};
use hypercore_crypto::DiscoveryKey;
use hypercore_protocol::{Protection, Role, Unprotected};
use hypercore_replication::{Config, FeedSource};
use hypercore_runtime::BoxFuture;
use interop::pattern;
use serde_json::json;

use crate::network::Network;
use crate::node_log::{NodeLog, reader, source, writer};

const ROLES: [Role; 2] = [Role::Initiator, Role::Responder];

fn blocks() -> Vec<Vec<u8>> {
    (0..20).map(|seed| pattern(500, seed)).collect()
}

#[test]
fn node_acknowledges_the_blocks_that_it_stores() {
    for role in ROLES {
        let network = Network::tokio();
        let ours = writer();
        ours.append_batch(&blocks()).expect("the log appends");
        let mut copy = NodeLog::copy_of(&ours);
        let mut events = ours.events();
        let mut config = Config::default();
        config.ack = true;
        let theirs = json!({ "on": "it" });
        network.connect_with(role, &mut copy.node, &theirs, source(&ours), config);
        copy.node.ask("log.update", json!({ "length": 20 }));
        copy.node
            .ask("log.download", json!({ "start": 3, "end": 9 }));
        let mut acknowledged = Vec::new();
        while acknowledged.len() < 6 {
            let event = network.wait("an acknowledgement", events.next());
            if let FeedEvent::Acknowledged { index, .. } = event.expect("the log is open") {
                // The hash that proved the length is acknowledged too.
                acknowledged.extend((index < 19).then_some(index));
            }
        }
        acknowledged.sort_unstable();
        assert_eq!(acknowledged, [3, 4, 5, 6, 7, 8], "{role:?}");
    }
}

#[test]
fn node_hears_which_blocks_we_store() {
    for role in ROLES {
        let network = Network::tokio();
        let mut theirs = NodeLog::new();
        theirs.append(&blocks());
        let ours = reader(&theirs.key);
        let options = json!({ "on": "it", "options": { "ack": true } });
        let config = Config::default();
        network.connect_with(role, &mut theirs.node, &options, source(&ours), config);
        network
            .wait("the blocks", ours.download(0..10))
            .expect("they arrive");
        let mut told = Vec::new();
        while told.len() < 10 {
            let index = theirs.node.event("acknowledged")["index"].as_u64();
            // As above.
            told.extend(index.filter(|index| *index < 19));
        }
        told.sort_unstable();
        assert_eq!(told, (0..10).collect::<Vec<u64>>(), "{role:?}");
    }
}

#[test]
fn less_protection_is_agreed_on_by_both() {
    let on_purpose = Unprotected::readable_by_anybody_on_the_way();
    for (protection, options) in [
        (
            Protection::Plain(on_purpose),
            json!({ "encrypted": false, "noise": false }),
        ),
        (
            Protection::Authenticated(on_purpose),
            json!({ "encrypted": false }),
        ),
        // Without a handshake there is no key to encrypt with: Node makes one all the same.
        (Protection::Encrypted, json!({ "noise": false })),
    ] {
        for role in ROLES {
            let network = Network::tokio();
            let mut theirs = NodeLog::new();
            theirs.append(&blocks());
            let ours = reader(&theirs.key);
            let theirs_too = json!({ "on": "it", "options": options });
            let mut config = Config::default();
            config.protocol.protection = protection;
            network.connect_with(role, &mut theirs.node, &theirs_too, source(&ours), config);
            network
                .wait("the blocks", ours.download(0..20))
                .expect("they arrive");
            let stored = ours.get_range_local(0..20).expect("they are stored");
            assert!(stored.iter().eq(&blocks()), "{protection:?} as {role:?}");
        }
    }
}

/// Two logs of which one is kept back from everybody.
struct Guarded {
    shared: Feed,
    kept_back: Feed,
}

impl FeedSource for Guarded {
    fn find(&self, discovery_key: DiscoveryKey) -> BoxFuture<'_, Option<Feed>> {
        let logs = [&self.shared, &self.kept_back];
        let found = logs.iter().find(|log| log.discovery_key() == discovery_key);
        Box::pin(std::future::ready(found.copied().cloned()))
    }

    fn opened(&self) -> Boxed<Feed> {
        let logs = [self.kept_back.clone(), self.shared.clone()];
        Box::pin(futures_lite::stream::iter(logs))
    }

    fn admit(&self, feed: &Feed, remote_public_key: Option<[u8; 32]>) -> BoxFuture<'_, bool> {
        assert!(remote_public_key.is_some(), "the handshake tells the key");
        let admitted = feed.public_key() == self.shared.public_key();
        Box::pin(std::future::ready(admitted))
    }
}

#[test]
fn a_log_that_is_kept_back_from_node_costs_no_other() {
    for role in ROLES {
        let network = Network::tokio();
        let mut theirs = NodeLog::new();
        theirs.append(&blocks());
        let shared = reader(&theirs.key);
        let kept_back = writer();
        kept_back
            .append("not for everybody")
            .expect("the log appends");
        // The same Node process wants the log that is kept back, on the same connection.
        let wanted = hex::encode(kept_back.public_key().as_bytes());
        theirs.node.ask("log.also", json!({ "key": wanted }));
        let source = Guarded {
            shared: shared.clone(),
            kept_back: kept_back.clone(),
        };
        network.connect(role, &mut theirs.node, "it", Arc::new(source));
        network
            .wait("the shared log", shared.download(0..20))
            .expect("it arrives");
        assert_eq!(theirs.node.event("refused")["key"], wanted, "{role:?}");
        assert_eq!(kept_back.peers(), 0, "{role:?}");
    }
}
