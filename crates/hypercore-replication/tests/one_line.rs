//! Streams of tokio and of async-std are replicated over as they are.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{block, open, reader, writer_of};
use hypercore::{Feed, Options};
use hypercore_crypto::KeyPair;
use hypercore_replication::{Config, FeedSet, FeedSource, Replicate, Role, replicate};
use hypercore_runtime::Tokio;

#[path = "../examples/one_line.rs"]
mod example;

const SOON: Duration = Duration::from_secs(30);

#[test]
fn the_example_reads_on_both_runtimes() {
    example::main().expect("the example runs to its end");
}

/// Two logs, and copies of them.
fn two_logs() -> ([Feed; 2], [Feed; 2]) {
    let other = KeyPair::from_seed(&[8; 32]);
    let logs = [writer_of(3), open(Options::new().key_pair(other.clone()))];
    logs[1].append("other").unwrap();
    (logs, [reader(), open(Options::new().key(other.public))])
}

#[tokio::test]
async fn every_log_of_a_set_shares_a_unix_socket() {
    let (logs, copies) = two_logs();
    let (ours, theirs) = tokio::net::UnixStream::pair().unwrap();
    let mut config = Config::default();
    config.live = false;
    let downloads = [copies[0].download(0..3), copies[1].download(0..1)];
    let served: Arc<dyn FeedSource> = Arc::new(FeedSet::from_iter(logs));
    let serving = served.replicate_with(ours, Role::Responder, config.clone());
    let set = FeedSet::from_iter(copies.clone());
    let fetching = set.replicate_with(theirs, Role::Initiator, config);
    let both = async { tokio::join!(serving, fetching) };
    let (served, fetched) = tokio::time::timeout(SOON, both).await.unwrap();
    assert_eq!(served.unwrap().bytes_sent, fetched.unwrap().bytes_received);
    drop(downloads);
    assert_eq!(copies[0].get_local(2).unwrap().unwrap(), block(2));
    assert_eq!(copies[1].get_local(0).unwrap().unwrap(), "other");
}

#[test]
fn unix_sockets_of_async_std_are_replicated_over() {
    let (writer, copy) = (writer_of(3), reader());
    async_std::task::block_on(async {
        let (ours, theirs) = async_std::os::unix::net::UnixStream::pair().unwrap();
        let mut config = Config::default();
        config.live = false;
        let all = copy.download(0..3);
        let serving = writer.replicate_with(ours, Role::Responder, config.clone());
        let fetching = copy.replicate_with(theirs, Role::Initiator, config);
        let both = futures_lite::future::zip(serving, fetching);
        let (served, fetched) = async_std::future::timeout(SOON, both).await.unwrap();
        served.unwrap();
        fetched.unwrap();
        drop(all);
    });
    assert!(copy.has_range(0..3));
}

/// A stream that is no socket, such as one of TLS.
#[tokio::test]
async fn any_stream_of_tokio_can_be_adapted() {
    let (writer, copy) = (writer_of(3), reader());
    let (ours, theirs) = tokio::io::duplex(100);
    let runtime = Arc::new(Tokio::current());
    let side = |stream, role, feed: &Feed| {
        let source = Arc::new(feed.clone());
        let stream = Tokio::adapt(stream);
        replicate(stream, role, source, runtime.clone(), Config::default())
    };
    tokio::spawn(side(ours, Role::Responder, &writer));
    tokio::spawn(side(theirs, Role::Initiator, &copy));
    let got = tokio::time::timeout(SOON, copy.get(1)).await.unwrap();
    assert_eq!(got.unwrap(), block(1));
}
