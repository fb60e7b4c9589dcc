//! A log opened twice, and callbacks of the caller's that panic while the log is locked.

mod common;

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use common::{block, make_log, pair};
use hypercore::{
    Feed, Hypercore, OpenError, Options, Peer, Received, RemoteTree, Request, RequestLimits, Signer,
};
use hypercore_crypto::{PublicKey, Signature};
use hypercore_storage::{DiskDir, MemoryDir, StorageDir};

#[test]
fn fault_c2_two_opens_in_a_process() {
    let scratch = tempfile::tempdir().unwrap();
    let places: [&dyn Fn() -> Arc<dyn StorageDir>; 2] = [
        &{
            let dir = MemoryDir::new();
            move || Arc::new(dir.clone())
        },
        // Two of them, as two parts of a program would make them.
        &|| Arc::new(DiskDir::new(scratch.path())),
    ];
    for place in places {
        let open = || Hypercore::open(place(), Options::new().key_pair(pair()));
        let mut first = open().unwrap();
        first.append("block").unwrap();
        assert!(matches!(open(), Err(OpenError::Locked)));
        assert_eq!(first.append("another").unwrap(), 1);
        first.close().unwrap();
        let mut again = open().unwrap();
        assert_eq!(again.append("a third").unwrap(), 2);
        // Dropped and not closed, it is free as well.
        drop(again);
        assert_eq!(open().unwrap().length(), 3);
    }
}

/// Panics where it is asked to, once.
#[derive(Debug, Default)]
struct Trap(AtomicBool);

impl Trap {
    fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn step(&self) {
        assert!(!self.0.swap(false, Ordering::SeqCst), "as the test wants");
    }
}

impl Signer for Trap {
    fn public_key(&self) -> PublicKey {
        pair().public
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, Box<dyn Error + Send + Sync>> {
        self.step();
        Ok(pair().sign(message))
    }
}

/// Whether a call panics.
fn panics<T>(call: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(call)).is_err()
}

#[test]
fn fault_c2_a_signer_that_panics() {
    let trap = Arc::new(Trap::default());
    let dir = MemoryDir::new();
    let open = || {
        let options = Options::new().signer(trap.clone());
        Feed::new(Hypercore::open(Arc::new(dir.clone()), options).unwrap())
    };
    let feed = open();
    feed.append(block(0)).unwrap();
    trap.set();
    assert!(panics(|| feed.append(block(1))));
    // The log is as before, and no lock stays taken.
    assert_eq!(feed.length(), 1);
    assert_eq!(feed.append(block(1)).unwrap(), 1);
    feed.flush().unwrap();
    feed.close().unwrap();
    let again = open();
    assert_eq!(again.get_range_local(0..2).unwrap(), [block(0), block(1)]);
    assert!(again.audit().unwrap().is_clean());
}

#[test]
fn fault_c2_a_hook_that_panics() {
    let author = make_log(&MemoryDir::new(), "single", 3);
    let trap = Arc::new(Trap::default());
    let hook = trap.clone();
    let options = Options::new().key(pair().public);
    let options = options.before_store(move |_, _| {
        hook.step();
        true
    });
    let log = Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap();
    let feed = Feed::new(log);
    let _all = feed.download(0..3);
    let deliver = |peer: &Peer, request: Request| {
        let proof = author.proof(request.index, request.nodes, false, &mut RemoteTree::new());
        let value = author.get(request.index).unwrap();
        peer.handle_data(request.index, value, proof.unwrap().unwrap())
    };

    let peer = join(&feed);
    let asked = requests(&peer);
    trap.set();
    assert!(panics(|| deliver(&peer, asked[0])));
    assert_eq!(feed.downloaded(0..3), 0);
    // Whoever drove the connection has ended with the panic. Another one brings all of it.
    drop(peer);
    let peer = join(&feed);
    let mut again = requests(&peer);
    again.sort_by_key(|request| request.index);
    let indexes: Vec<u64> = again.iter().map(|request| request.index).collect();
    assert_eq!(indexes, [0, 1, 2]);
    for request in again {
        assert_eq!(deliver(&peer, request).unwrap(), Received::Stored);
    }
    assert!(feed.has_range(0..3));
    feed.flush().unwrap();
}

/// A peer that has all three blocks.
fn join(feed: &Feed) -> Peer {
    let peer = feed.join(Waker::noop().clone());
    peer.handle_open();
    peer.handle_have(0..3);
    peer
}

fn requests(peer: &Peer) -> Vec<Request> {
    let mut requests = Vec::new();
    let limits = RequestLimits {
        urgent: 16,
        bulk: 16,
    };
    peer.poll_requests(limits, &mut requests);
    requests.retain(|request| !request.hash);
    requests
}
