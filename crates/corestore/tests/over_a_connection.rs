//! Two stores with one connection between them: cores open before and after it was made, and cores
//! that are kept back.
#![cfg(feature = "replication")]

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use corestore::{Corestore, Options};
use hypercore::Feed;
use hypercore_crypto::{DiscoveryKey, KeyPair};
use hypercore_replication::{Config, FeedSource, Role, replicate};
use hypercore_runtime::{Runtime, Tokio};
use hypercore_storage::{DiskDir, MemoryDir};

/// What connections run on. They end with it.
struct Network {
    tokio: tokio::runtime::Runtime,
}

impl Network {
    fn new() -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let tokio = builder.worker_threads(2).enable_all().build();
        Self {
            tokio: tokio.expect("the runtime starts"),
        }
    }

    fn connect(&self, one: Arc<dyn FeedSource>, other: Arc<dyn FeedSource>) {
        let runtime: Arc<dyn Runtime> = Arc::new(Tokio::new(self.tokio.handle().clone()));
        let (dialled, accepted) = self.tokio.block_on(async {
            let local = "127.0.0.1:0".parse().expect("an address");
            let listener = runtime.listen_tcp(local).await.expect("a port");
            let dialled = runtime.connect_tcp(listener.local_addr()).await;
            let accepted = listener.accept().await;
            (
                dialled.expect("it connects"),
                accepted.expect("it connects"),
            )
        });
        let ends = [
            (dialled, Role::Initiator, one),
            (accepted, Role::Responder, other),
        ];
        for (stream, role, source) in ends {
            let runtime = runtime.clone();
            self.tokio.spawn(async move {
                // It ends with the test, which is no failure of it.
                let _ended = replicate(stream, role, source, runtime, Config::default()).await;
            });
        }
    }

    /// Waits for something that the other side has to bring.
    #[track_caller]
    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        let limited = async { tokio::time::timeout(Duration::from_secs(60), future).await };
        self.tokio.block_on(limited).expect("it comes in time")
    }

    #[track_caller]
    fn expect(&self, feed: &Feed, blocks: [&str; 2]) {
        for (index, expected) in (0..).zip(blocks) {
            let block = self.wait(feed.get(index)).expect("it arrives");
            assert_eq!(block[..], *expected.as_bytes());
        }
    }
}

fn store() -> Corestore {
    Corestore::open(Arc::new(MemoryDir::new()), Options::new()).expect("the store opens")
}

fn write(feed: &Feed, blocks: [&str; 2]) {
    for block in blocks {
        feed.append(block).expect("the core is writable");
    }
}

#[test]
fn two_cores_are_copied_over_one_connection() {
    let network = Network::new();
    let (one, other) = (store(), store());
    let default = one.default_feed().unwrap();
    let random = one.create().unwrap();
    let copies = [&default, &random].map(|feed| other.get(&feed.public_key()).unwrap());
    write(&default, ["hello", "world"]);
    write(&random, ["cat", "dog"]);
    network.connect(one.source(), other.source());
    network.expect(&copies[0], ["hello", "world"]);
    network.expect(&copies[1], ["cat", "dog"]);
}

#[test]
fn what_is_on_disk_is_copied_to_disk() {
    let network = Network::new();
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [one, other] = [&folders[0], &folders[1]].map(|folder| {
        Corestore::open(Arc::new(DiskDir::new(folder.path())), Options::new()).unwrap()
    });
    let feed = one.create().unwrap();
    write(&feed, ["hello", "world"]);
    let copy = other.get(&feed.public_key()).unwrap();
    network.connect(one.source(), other.source());
    network.expect(&copy, ["hello", "world"]);
    let key = copy.public_key();
    drop(copy);
    other.close().unwrap();
    let other = Corestore::open(Arc::new(DiskDir::new(folders[1].path())), Options::new());
    let copy = other.unwrap().get(&key).unwrap();
    assert_eq!(copy.get_range_local(0..2).unwrap(), ["hello", "world"]);
}

#[test]
fn stores_with_different_default_cores_exchange_others() {
    let network = Network::new();
    let (one, other) = (store(), store());
    let feed = one.default_feed().unwrap();
    write(&feed, ["cat", "dog"]);
    assert_ne!(
        other.default_feed().unwrap().public_key(),
        feed.public_key()
    );
    network.connect(one.source(), other.source());
    // Opened when the connection is there already.
    let copy = other.get(&feed.public_key()).unwrap();
    assert_eq!(copy.length(), 0);
    network.expect(&copy, ["cat", "dog"]);
}

#[test]
fn a_core_made_later_is_injected_into_the_live_connection() {
    let network = Network::new();
    let (one, other) = (store(), store());
    let first = one.default_feed().unwrap();
    let copy = other.get(&first.public_key()).unwrap();
    network.connect(one.source(), other.source());
    write(&first, ["1", "2"]);
    network.expect(&copy, ["1", "2"]);
    let second = one.create().unwrap();
    let copy = other.get(&second.public_key()).unwrap();
    write(&second, ["hello", "world"]);
    network.expect(&copy, ["hello", "world"]);
}

#[test]
fn cores_of_namespaces_are_served_on_every_connection_of_the_store() {
    let network = Network::new();
    let (one, other) = (store(), store());
    network.connect(one.namespace("a").source(), other.source());
    let feed = one.namespace("b").default_feed().unwrap();
    write(&feed, ["hello", "world"]);
    let copy = other.namespace("c").get(&feed.public_key()).unwrap();
    network.expect(&copy, ["hello", "world"]);
}

#[test]
fn cores_that_are_closed_are_opened_for_who_knows_their_key() {
    let network = Network::new();
    let dir = Arc::new(MemoryDir::new());
    let feeds: Vec<_> = {
        let one = Corestore::open(dir.clone(), Options::new()).unwrap();
        let feeds = (0..50).map(|_| one.create().unwrap());
        let keys = feeds.map(|feed| {
            write(&feed, ["hello", "world"]);
            feed.public_key()
        });
        let keys = keys.collect();
        one.close().unwrap();
        keys
    };
    let one = Corestore::open(dir, Options::new().open_cores(4)).unwrap();
    assert_eq!(one.open_feeds().len(), 0);
    let other = store();
    network.connect(one.source(), other.source());
    for key in &feeds {
        let copy = other.get(key).unwrap();
        network.expect(&copy, ["hello", "world"]);
    }
}

#[test]
fn what_the_policy_keeps_back_is_neither_offered_nor_served() {
    let network = Network::new();
    let (one, other) = (store(), store());
    let [public, secret, later] = ["public", "secret", "later"].map(|name| {
        let feed = one.get_by_name(name).unwrap();
        write(&feed, ["hello", "world"]);
        feed
    });
    let allowed: HashSet<DiscoveryKey> = [public.discovery_key()].into();
    let allowed = Arc::new(Mutex::new(allowed));
    let asked = allowed.clone();
    let policy = move |key: &DiscoveryKey| asked.lock().unwrap().contains(key);
    network.connect(one.source_if(policy.clone()), other.source());
    let copies = [&public, &secret, &later].map(|feed| other.get(&feed.public_key()).unwrap());
    network.expect(&copies[0], ["hello", "world"]);
    for copy in &copies[1..] {
        // Its owner has answered: there is nobody who has it.
        assert_eq!(network.wait(copy.get_available(0)).unwrap(), None);
    }
    // The next connection asks anew.
    allowed.lock().unwrap().insert(later.discovery_key());
    network.connect(one.source_if(policy), other.source());
    network.expect(&copies[2], ["hello", "world"]);
    assert_eq!(network.wait(copies[1].get_available(0)).unwrap(), None);
}

#[test]
fn a_core_of_a_key_pair_is_copied_and_written_by_its_owner_only() {
    let network = Network::new();
    let (one, other) = (store(), store());
    let pair = KeyPair::from_seed(&[7; 32]);
    let feed = one.get_by_key_pair(&pair).unwrap();
    let copy = other.get(&pair.public).unwrap();
    assert!(feed.is_writable() && !copy.is_writable());
    network.connect(other.source(), one.source());
    write(&feed, ["hello", "world"]);
    network.expect(&copy, ["hello", "world"]);
}

/// A core that has just opened had no peers yet, so that whoever looked into it at once was told that
/// nobody has anything.
#[test]
fn a_core_opened_beside_a_connection_is_asked_for_before_nobody_is_said_to_have_it() {
    let network = Network::new();
    let (one, other) = (store(), store());
    let feeds: Vec<_> = (0..20).map(|_| one.create().unwrap()).collect();
    for feed in &feeds {
        write(feed, ["cat", "dog"]);
    }
    let first = other.get(&feeds[0].public_key()).unwrap();
    network.connect(one.source(), other.source());
    network.wait(async {
        // The connection is there.
        first.wait_longer_than(0).await.unwrap();
        for feed in &feeds[1..] {
            let copy = other.get(&feed.public_key()).unwrap();
            assert!(copy.update().await.unwrap());
            assert_eq!(copy.length(), 2);
        }
        // What nobody has is said to be nowhere all the same.
        let missing = other
            .get_by_key_pair(&KeyPair::from_seed(&[9; 32]))
            .unwrap();
        let missing = other.get(&missing.public_key()).unwrap();
        assert!(!missing.update().await.unwrap());
    });
}
