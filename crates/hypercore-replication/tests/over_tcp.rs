//! The driver, on both runtimes.

#![allow(clippy::unwrap_used)]

mod common;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use common::{block, open, reader, writer, writer_of};
use futures_lite::{FutureExt, future};
use hypercore::{Feed, Options};
use hypercore_crypto::KeyPair;
use hypercore_protocol::Role;
use hypercore_replication::{Config, FeedSet, ReplicationError, Summary, replicate};
use hypercore_runtime::{AsyncStd, Runtime, Tokio};

/// Runs the test on each runtime.
fn on_both<F: Future<Output = ()>>(test: impl Fn(Arc<dyn Runtime>) -> F) {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    tokio.block_on(async { test(Arc::new(Tokio::current())).await });
    async_std::task::block_on(test(Arc::new(AsyncStd::default())));
}

type Ended = Result<Summary, ReplicationError>;

/// Connects two sets of logs; the future is both connections.
async fn connect(
    runtime: &Arc<dyn Runtime>,
    a: &FeedSet,
    b: &FeedSet,
    config: Config,
) -> impl Future<Output = (Ended, Ended)> + use<> {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = runtime.listen_tcp(address).await.unwrap();
    let dialled = runtime.connect_tcp(listener.local_addr()).await.unwrap();
    let accepted = listener.accept().await.unwrap();
    let (a, b) = (Arc::new(a.clone()), Arc::new(b.clone()));
    future::zip(
        replicate(dialled, Role::Initiator, a, runtime.clone(), config.clone()),
        replicate(accepted, Role::Responder, b, runtime.clone(), config),
    )
}

/// The future's output, which must come before the connection ends and before long.
async fn during<T>(
    runtime: &Arc<dyn Runtime>,
    connection: impl Future<Output = (Ended, Ended)>,
    future: impl Future<Output = T>,
) -> T {
    let ended = async { panic!("the connection ended: {:?}", connection.await) };
    let late = async {
        runtime.sleep(Duration::from_secs(60)).await;
        panic!("nothing came of it in a minute")
    };
    future.or(ended).or(late).await
}

fn set(feeds: &[&Feed]) -> FeedSet {
    feeds.iter().map(|feed| (*feed).clone()).collect()
}

#[test]
fn ten_thousand_blocks_and_one_of_a_megabyte() {
    on_both(|runtime| async move {
        let (writer, reader) = (writer_of(10_000), reader());
        let large = vec![5; 1 << 20];
        writer.append(&large).unwrap();
        let connection = connect(
            &runtime,
            &set(&[&reader]),
            &set(&[&writer]),
            Config::default(),
        )
        .await;
        during(&runtime, connection, reader.download(0..10_001))
            .await
            .unwrap();
        assert_eq!(reader.get_local(10_000).unwrap().unwrap(), large);
        assert_eq!(reader.get_local(4711).unwrap().unwrap(), block(4711));
    });
}

#[test]
fn logs_added_to_a_live_connection() {
    on_both(|runtime| async move {
        let other = KeyPair::from_seed(&[8; 32]);
        let (a, a_copy) = (writer_of(3), reader());
        let b = open(Options::new().key_pair(other.clone()));
        let b_copy = open(Options::new().key(other.public));
        let (left, right) = (set(&[&a_copy]), set(&[&a]));
        let connection = connect(&runtime, &left, &right, Config::default()).await;
        during(&runtime, connection, async {
            a_copy.download(0..3).await.unwrap();
            // Offered while the other side does not have it: refused, and taken up later.
            left.add(&b_copy);
            assert!(b_copy.get_available(0).await.unwrap().is_none());
            right.add(&b);
            let block = b_copy.get(0);
            b.append("late").unwrap();
            assert_eq!(&block.await.unwrap()[..], b"late");
        })
        .await;
    });
}

#[test]
fn an_update_waits_for_a_connection_that_is_being_made() {
    on_both(|runtime| async move {
        let (writer, reader) = (writer_of(7), reader());
        let hold = reader.hold_available();
        let updated = reader.update();
        let (left, right) = (set(&[&reader]), set(&[&writer]));
        let connection = async {
            let connection = connect(&runtime, &left, &right, Config::default()).await;
            let (a, b) = future::zip(connection, async move {
                // The connection has taken over: it says itself whether it was answered.
                future::yield_now().await;
                drop(hold);
            })
            .await
            .0;
            (a, b)
        };
        assert!(during(&runtime, connection, updated).await.unwrap());
        assert_eq!(reader.length(), 7);
    });
}

#[test]
fn a_connection_that_is_not_live_ends_when_all_is_here() {
    on_both(|runtime| async move {
        let (writer, reader) = (writer_of(100), reader());
        let mut config = Config::default();
        config.live = false;
        let everything = reader.download(0..100);
        let connection = connect(&runtime, &set(&[&reader]), &set(&[&writer]), config).await;
        let (a, b) = connection.await;
        assert!(a.unwrap().bytes_received == b.unwrap().bytes_sent);
        everything.await.unwrap();
    });
}

#[test]
fn the_end_of_the_stream_ends_the_connection() {
    on_both(|runtime| async move {
        let (writer, reader) = (writer(), reader());
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = runtime.listen_tcp(address).await.unwrap();
        let dialled = runtime.connect_tcp(listener.local_addr()).await.unwrap();
        let accepted = listener.accept().await.unwrap();
        let config = Config::default;
        let source = Arc::new(set(&[&reader]));
        let reading = replicate(dialled, Role::Initiator, source, runtime.clone(), config());
        let source = Arc::new(set(&[&writer]));
        let writing = replicate(accepted, Role::Responder, source, runtime.clone(), config());
        // The writer's end is dropped as soon as the block is with the reader.
        let block = async {
            let block = reader.get(0);
            writer.append("x").unwrap();
            block.await.map(|_| ())
        };
        let ended = async {
            let _ = writing.await;
            Ok(())
        };
        let block = async { block.or(ended).await.unwrap() };
        let (ended, ()) = future::zip(reading, block).await;
        assert!(ended.is_ok());
        assert_eq!((reader.peers(), writer.peers()), (0, 0));
    });
}
