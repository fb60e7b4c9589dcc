//! Whoever connects can be turned away before it learns anything.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{reader, writer_of};
use futures_core::stream::BoxStream;
use futures_lite::future::zip;
use hypercore::Feed;
use hypercore_crypto::DiscoveryKey;
use hypercore_protocol::Role;
use hypercore_replication::{Config, FeedSet, FeedSource, Identity, ReplicationError, replicate};
use hypercore_runtime::{BoxFuture, Runtime};
use testkit::{Sim, SimRuntime};

const SOON: Duration = Duration::from_secs(10);

/// Logs for those whom it lets in, after some thought.
struct Guarded {
    feeds: FeedSet,
    host: Arc<SimRuntime>,
    lets_in: bool,
    asked: Mutex<Vec<[u8; 32]>>,
}

impl FeedSource for Guarded {
    fn find(&self, discovery_key: DiscoveryKey) -> BoxFuture<'_, Option<Feed>> {
        self.feeds.find(discovery_key)
    }

    fn opened(&self) -> BoxStream<'static, Feed> {
        self.feeds.opened()
    }

    fn authenticate(&self, remote_public_key: [u8; 32]) -> BoxFuture<'_, bool> {
        self.asked.lock().unwrap().push(remote_public_key);
        Box::pin(async {
            self.host.sleep(Duration::from_secs(1)).await;
            self.lets_in
        })
    }
}

/// A guarded writer in a role, and a reader on the other side: what became of the writer's connection,
/// how many bytes the reader received, and how many blocks.
fn meet(role: Role, lets_in: bool) -> (Result<(), ReplicationError>, u64, u64) {
    let sim = Sim::new(1);
    let (a, b) = (sim.host([10, 0, 0, 1]), sim.host([10, 0, 0, 2]));
    let (author, copy) = (writer_of(10), reader());
    let guarded = Arc::new(Guarded {
        feeds: FeedSet::from_iter([author.clone()]),
        host: a.clone(),
        lets_in,
        asked: Mutex::default(),
    });
    let open = Arc::new(FeedSet::from_iter([copy.clone()]));
    let mut config = Config::default();
    config.live = false;
    let all = copy.download(0..10);
    let connection = async {
        let listener = a.listen_tcp(([0, 0, 0, 0], 0).into()).await.unwrap();
        let (theirs, ours) = zip(b.connect_tcp(listener.local_addr()), listener.accept()).await;
        let other = match role {
            Role::Initiator => Role::Responder,
            Role::Responder => Role::Initiator,
        };
        let ours = replicate(
            ours.unwrap(),
            role,
            guarded.clone(),
            a.clone(),
            config.clone(),
        );
        let theirs = replicate(theirs.unwrap(), other, open, b.clone(), config.clone());
        zip(ours, theirs).await
    };
    let (ours, theirs) = sim.run(SOON, connection).expect("both ends come to an end");
    drop(all);
    let asked = guarded.asked.lock().unwrap().len();
    assert_eq!(asked, 1, "it is asked once");
    let received = theirs.expect("it sees the stream end").bytes_received;
    (ours.map(|_| ()), received, copy.downloaded(0..10))
}

#[test]
fn who_is_not_wanted_is_told_nothing() {
    for role in [Role::Initiator, Role::Responder] {
        let (result, received, blocks) = meet(role, false);
        assert!(matches!(result, Err(ReplicationError::Refused)), "{role:?}");
        // Nothing beyond the first message of the handshake, or its second.
        let handshake = match role {
            Role::Initiator => 59,
            Role::Responder => 123,
        };
        assert_eq!(received, handshake, "bytes that went to the remote");
        assert_eq!(blocks, 0);
    }
}

#[test]
fn who_is_wanted_gets_everything() {
    for role in [Role::Initiator, Role::Responder] {
        let (result, _, blocks) = meet(role, true);
        assert!(result.is_ok(), "{result:?}");
        assert_eq!(blocks, 10);
    }
}

#[test]
fn who_has_an_identity_is_recognised() {
    let identity = Identity::from_seed(&[7; 32]);
    let known = identity.public_key();
    let keys = |identity: Option<Identity>| {
        let sim = Sim::new(1);
        let (a, b) = (sim.host([10, 0, 0, 1]), sim.host([10, 0, 0, 2]));
        let feeds = || Arc::new(FeedSet::from_iter([writer_of(1)]));
        let mut plain = Config::default();
        plain.live = false;
        let mut config = plain.clone();
        config.identity = identity;
        let connection = async {
            let listener = a.listen_tcp(([0, 0, 0, 0], 0).into()).await.unwrap();
            let (theirs, ours) = zip(b.connect_tcp(listener.local_addr()), listener.accept()).await;
            let ours = replicate(ours.unwrap(), Role::Responder, feeds(), a.clone(), config);
            let theirs = replicate(theirs.unwrap(), Role::Initiator, feeds(), b.clone(), plain);
            zip(ours, theirs).await.1.unwrap().remote_public_key
        };
        sim.run(SOON, connection)
            .expect("both ends come to an end")
            .expect("the handshake tells the key")
    };
    assert_eq!(keys(Some(identity.clone())), known);
    assert_eq!(keys(Some(identity)), known);
    assert_ne!(
        keys(None),
        keys(None),
        "otherwise each connection has its own"
    );
}
