//! Each log of each connection can be kept back, by who is on the other end.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{block, open, reader, writer_of};
use futures_core::stream::BoxStream;
use futures_lite::future::{or, zip};
use hypercore::{Feed, Options};
use hypercore_crypto::{DiscoveryKey, KeyPair, PublicKey};
use hypercore_protocol::{Protection, Role, Unprotected};
use hypercore_replication::{Config, FeedSet, FeedSource, Identity, replicate};
use hypercore_runtime::{BoxFuture, Runtime};
use testkit::{Sim, SimRuntime};

const SOON: Duration = Duration::from_secs(10);

/// Logs of which one is kept back from everybody but a friend, after some thought.
struct Guarded {
    feeds: FeedSet,
    host: Arc<SimRuntime>,
    private: PublicKey,
    friend: [u8; 32],
    asked: Mutex<Vec<(PublicKey, Option<[u8; 32]>)>>,
}

impl FeedSource for Guarded {
    fn find(&self, discovery_key: DiscoveryKey) -> BoxFuture<'_, Option<Feed>> {
        self.feeds.find(discovery_key)
    }

    fn opened(&self) -> BoxStream<'static, Feed> {
        self.feeds.opened()
    }

    fn admit(&self, feed: &Feed, remote_public_key: Option<[u8; 32]>) -> BoxFuture<'_, bool> {
        let key = feed.public_key();
        self.asked.lock().unwrap().push((key, remote_public_key));
        Box::pin(async move {
            self.host.sleep(Duration::from_secs(1)).await;
            key != self.private || remote_public_key == Some(self.friend)
        })
    }
}

/// An author of a public and a private log, and somebody who wants both: which of them come, and what
/// the author was asked.
struct Meeting {
    public: bool,
    private: bool,
    asked: Vec<(PublicKey, Option<[u8; 32]>)>,
    private_key: PublicKey,
}

fn meet(role: Role, remote: Option<Identity>, protection: Protection) -> Meeting {
    let sim = Sim::new(1);
    let (a, b) = (sim.host([10, 0, 0, 1]), sim.host([10, 0, 0, 2]));
    let other = KeyPair::from_seed(&[8; 32]);
    let public = writer_of(3);
    let private = open(Options::new().key_pair(other.clone()));
    private.append("private").unwrap();
    let (public_copy, private_copy) = (reader(), open(Options::new().key(other.public)));
    let guarded = Arc::new(Guarded {
        feeds: FeedSet::from_iter([public, private.clone()]),
        host: a.clone(),
        private: other.public,
        friend: Identity::from_seed(&[7; 32]).public_key(),
        asked: Mutex::default(),
    });
    let wanted = FeedSet::from_iter([public_copy.clone(), private_copy.clone()]);
    let mut ours = Config::default();
    ours.protocol.protection = protection;
    let mut theirs = ours.clone();
    theirs.identity = remote;
    let connection = async {
        let listener = a.listen_tcp(([0, 0, 0, 0], 0).into()).await.unwrap();
        let (dialled, accepted) =
            zip(b.connect_tcp(listener.local_addr()), listener.accept()).await;
        let turned = match role {
            Role::Initiator => Role::Responder,
            Role::Responder => Role::Initiator,
        };
        let source = guarded.clone();
        let ours = replicate(accepted.unwrap(), role, source, a.clone(), ours);
        let theirs = replicate(
            dialled.unwrap(),
            turned,
            Arc::new(wanted),
            b.clone(),
            theirs,
        );
        let _ended = zip(ours, theirs).await;
        unreachable!("the connection stays");
    };
    let blocks = zip(public_copy.get_available(2), private_copy.get_available(0));
    let held = [public_copy.hold_available(), private_copy.hold_available()];
    let answers = async {
        // Both are open, or were refused, by then.
        b.sleep(Duration::from_secs(5)).await;
        drop(held);
        blocks.await
    };
    let (one, other) = sim.run(SOON, or(answers, connection)).expect("answers");
    sim.end();
    let asked = guarded.asked.lock().unwrap().clone();
    if let Some(found) = one.as_ref().unwrap() {
        assert_eq!(*found, block(2));
    }
    Meeting {
        public: one.unwrap().is_some(),
        private: other.unwrap().is_some(),
        asked,
        private_key: private.public_key(),
    }
}

#[test]
fn a_log_is_kept_back_from_strangers_alone() {
    for role in [Role::Initiator, Role::Responder] {
        for (seed, is_friend) in [(7, true), (9, false)] {
            let identity = Identity::from_seed(&[seed; 32]);
            let known = Some(identity.public_key());
            let meeting = meet(role, Some(identity), Protection::Encrypted);
            assert!(meeting.public, "{role:?}");
            assert_eq!(meeting.private, is_friend, "{role:?}");
            assert!(meeting.asked.iter().all(|(_, remote)| *remote == known));
            let private = meeting
                .asked
                .iter()
                .filter(|it| it.0 == meeting.private_key);
            // Of its own accord, and if that was refused once more when the remote offers the log.
            assert!((1..=2).contains(&private.count()), "{role:?}");
        }
    }
}

#[test]
fn without_a_handshake_nobody_is_known() {
    let plain = Protection::Plain(Unprotected::readable_by_anybody_on_the_way());
    let meeting = meet(Role::Responder, None, plain);
    assert!(meeting.public && !meeting.private);
    assert!(meeting.asked.iter().all(|(_, remote)| remote.is_none()));
}
