//! Streams over uTP carry everything, also over links that lose, and end on both sides.
#![cfg(feature = "utp")]
#![allow(clippy::unwrap_used)]

use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_lite::future::zip;
use futures_lite::io::split;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use hypercore_runtime::Runtime;
use hyperswarm::Connection;
use hyperswarm_dht::wire::is_utp;

mod common;
use common::lossy::Lossy;
use common::on_tokio;
use common::utp::Pair;

/// More than fits a window.
const MUCH: usize = 3 << 20;

#[test]
fn both_directions_carry_everything_at_once() {
    on_tokio(|runtime| async move {
        let mut pair = Pair::meet(&runtime, &runtime).await;
        exchange(&mut pair, MUCH).await;
    });
}

/// One datagram of uTP in a hundred, on either side.
#[test]
fn everything_arrives_over_links_that_lose() {
    on_tokio(|runtime| async move {
        let lost = Arc::new(AtomicUsize::new(0));
        let accepts = losing_one_in(100, &runtime, &lost);
        let dials = losing_one_in(100, &runtime, &lost);
        let mut pair = Pair::meet(&accepts, &dials).await;
        exchange(&mut pair, MUCH).await;
        let lost = lost.load(Ordering::Relaxed);
        assert!(lost > 2 * MUCH / 1402 / 100, "{lost}");
    });
}

#[test]
fn closing_waits_until_everything_has_arrived_and_tells_the_other_end() {
    on_tokio(|runtime| async move {
        let Pair {
            mut dialled,
            mut accepted,
            _alive,
        } = Pair::meet(&runtime, &runtime).await;
        let said = pattern(MUCH, 1);
        let close = async {
            dialled.write_all(&said).await.unwrap();
            dialled.close().await.unwrap();
            // Twice does no harm, and nothing more can be said.
            dialled.close().await.unwrap();
            assert!(dialled.write(b"more").await.is_err());
        };
        let mut heard = Vec::new();
        let (_, read) = zip(close, accepted.read_to_end(&mut heard)).await;
        read.unwrap();
        assert!(heard == said);
        accepted.close().await.unwrap();
        assert_eq!(dialled.read(&mut [0; 1]).await.unwrap(), 0);
    });
}

#[test]
fn what_was_written_before_the_stream_was_dropped_arrives() {
    on_tokio(|runtime| async move {
        let Pair {
            mut dialled,
            mut accepted,
            _alive,
        } = Pair::meet(&runtime, &runtime).await;
        let said = pattern(MUCH, 2);
        let write = async {
            dialled.write_all(&said).await.unwrap();
            drop(dialled);
        };
        let mut heard = Vec::new();
        let ((), read) = zip(write, accepted.read_to_end(&mut heard)).await;
        read.unwrap();
        assert!(heard == said);
    });
}

#[test]
fn pieces_are_written_in_order_and_nothing_is_written_of_none() {
    on_tokio(|runtime| async move {
        let mut pair = Pair::meet(&runtime, &runtime).await;
        let pieces = [&b"one"[..], b"", b"two"].map(IoSlice::new);
        assert_eq!(pair.dialled.write_vectored(&pieces).await.unwrap(), 6);
        assert_eq!(pair.dialled.write(b"").await.unwrap(), 0);
        let mut heard = [0; 6];
        pair.accepted.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, *b"onetwo");
    });
}

/// Each side says much while it hears the other.
async fn exchange(pair: &mut Pair, bytes: usize) {
    let (a, b) = (pattern(bytes, 3), pattern(bytes, 4));
    let (heard_a, heard_b) = zip(
        say_and_hear(&mut pair.accepted, &b, bytes),
        say_and_hear(&mut pair.dialled, &a, bytes),
    )
    .await;
    assert!(heard_a == a && heard_b == b);
}

async fn say_and_hear(connection: &mut Connection, said: &[u8], bytes: usize) -> Vec<u8> {
    let (mut reader, mut writer) = split(connection);
    let mut heard = vec![0; bytes];
    let (write, read) = zip(writer.write_all(said), reader.read_exact(&mut heard)).await;
    write.unwrap();
    read.unwrap();
    heard
}

fn losing_one_in(
    every: usize,
    runtime: &Arc<dyn Runtime>,
    lost: &Arc<AtomicUsize>,
) -> Arc<dyn Runtime> {
    let (sent, lost) = (AtomicUsize::new(1), lost.clone());
    Lossy::over(runtime, move |datagram| {
        let is_lost =
            is_utp(datagram) && sent.fetch_add(1, Ordering::Relaxed).is_multiple_of(every);
        lost.fetch_add(usize::from(is_lost), Ordering::Relaxed);
        is_lost
    })
}

fn pattern(bytes: usize, seed: u8) -> Vec<u8> {
    let mut state = u32::from(seed);
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(bytes)
    .collect()
}
