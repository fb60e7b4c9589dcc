//! The simulated runtime keeps the promises of a real one, on a clock of its own.
#![allow(clippy::unwrap_used)]

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::{or, zip};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use hypercore_runtime::{Runtime, TcpStream};
use testkit::{Link, Sim, SimRuntime};

const LONG: Duration = Duration::from_secs(3600);

async fn pair(a: &Arc<SimRuntime>, b: &Arc<SimRuntime>) -> (TcpStream, TcpStream) {
    let listener = b.listen_tcp(([0, 0, 0, 0], 0).into()).await.unwrap();
    let (dialled, accepted) = zip(a.connect_tcp(listener.local_addr()), listener.accept()).await;
    (dialled.unwrap(), accepted.unwrap())
}

fn hosts(sim: &Sim) -> (Arc<SimRuntime>, Arc<SimRuntime>) {
    (sim.host([10, 0, 0, 1]), sim.host([10, 0, 0, 2]))
}

fn link(millis: u64, bandwidth: u64) -> Link {
    let delay = Duration::from_millis(millis);
    Link {
        delay: delay..delay,
        bandwidth,
        ..Link::default()
    }
}

#[test]
fn bytes_take_their_time() {
    let sim = Sim::new(1);
    sim.set_link(link(50, 100_000));
    let (a, b) = hosts(&sim);
    let took = sim.run(LONG, async {
        let (mut dialled, mut accepted) = pair(&a, &b).await;
        let before = sim.now();
        dialled.write_all(&[7; 100_000]).await.unwrap();
        let mut read = vec![0; 100_000];
        accepted.read_exact(&mut read).await.unwrap();
        assert!(read.iter().all(|byte| *byte == 7));
        sim.now() - before
    });
    let took = took.unwrap();
    let expected = Duration::from_millis(1050);
    assert!(
        took.abs_diff(expected) < Duration::from_millis(1),
        "{took:?}"
    );
}

#[test]
fn a_writer_waits_for_its_reader() {
    let sim = Sim::new(2);
    let (a, b) = hosts(&sim);
    sim.run(LONG, async {
        let (mut dialled, mut accepted) = pair(&a, &b).await;
        let writing = async {
            dialled.write_all(&[1; 1 << 20]).await.unwrap();
            true
        };
        let waiting = async {
            a.sleep(Duration::from_secs(60)).await;
            false
        };
        assert!(!or(writing, waiting).await, "the buffer has an end");
        let mut read = vec![0; 256 << 10];
        accepted.read_exact(&mut read).await.unwrap();
    })
    .unwrap();
}

#[test]
fn the_end_of_a_stream_comes_after_its_bytes() {
    let sim = Sim::new(3);
    sim.set_link(link(20, 0));
    let (a, b) = hosts(&sim);
    sim.run(LONG, async {
        let (mut dialled, mut accepted) = pair(&a, &b).await;
        dialled.write_all(b"last words").await.unwrap();
        dialled.close().await.unwrap();
        let mut heard = String::new();
        accepted.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "last words");
        drop(dialled);
        let error = accepted.write_all(b"?").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    })
    .unwrap();
}

#[test]
fn a_cut_breaks_both_ends() {
    let sim = Sim::new(4);
    let (a, b) = hosts(&sim);
    sim.run(LONG, async {
        let (mut dialled, mut accepted) = pair(&a, &b).await;
        sim.cut([10, 0, 0, 2]);
        let error = accepted.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        dialled.write_all(b"?").await.unwrap_err();
        // The hosts are still there.
        pair(&a, &b).await;
    })
    .unwrap();
}

#[test]
fn nobody_listens_where_nobody_listens() {
    let sim = Sim::new(5);
    let (a, b) = hosts(&sim);
    let error = sim.run(LONG, async {
        let listener = b.listen_tcp(([0, 0, 0, 0], 80).into()).await.unwrap();
        let address = listener.local_addr();
        let twice = b.listen_tcp(([0, 0, 0, 0], 80).into()).await.unwrap_err();
        assert_eq!(twice.kind(), io::ErrorKind::AddrInUse);
        drop(listener);
        a.connect_tcp(address).await.unwrap_err()
    });
    assert_eq!(error.unwrap().kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn timers_fire_in_order_and_dropped_ones_do_not_hold_up_the_clock() {
    let sim = Sim::new(6);
    let (a, _) = hosts(&sim);
    drop(a.sleep(Duration::from_secs(1)));
    let (sender, receiver) = std::sync::mpsc::channel();
    for seconds in [3, 1, 2] {
        let (host, sender) = (a.clone(), sender.clone());
        a.spawn(Box::pin(async move {
            host.sleep(Duration::from_secs(seconds)).await;
            sender.send((seconds, host.now())).unwrap();
        }));
    }
    sim.pass(Duration::from_secs(2));
    let fired: Vec<_> = receiver.try_iter().collect();
    assert_eq!(fired, [1, 2].map(|s| (s, Duration::from_secs(s))));
    // A machine that slept finds its timers overdue.
    sim.jump(LONG);
    sim.pass(Duration::ZERO);
    let late = Duration::from_secs(2) + LONG;
    assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [(3, late)]);
}

#[test]
fn a_seed_repeats_everything() {
    let run = |seed| {
        let sim = Sim::new(seed);
        sim.set_link(Link {
            delay: Duration::ZERO..Duration::from_secs(1),
            ..Link::default()
        });
        let (a, b) = hosts(&sim);
        let (sender, receiver) = std::sync::mpsc::channel();
        for number in 0..10 {
            let (a, b, sender) = (a.clone(), b.clone(), sender.clone());
            a.clone().spawn(Box::pin(async move {
                let (mut dialled, mut accepted) = pair(&a, &b).await;
                dialled.write_all(&[1]).await.unwrap();
                accepted.read_exact(&mut [0]).await.unwrap();
                sender.send((number, a.now())).unwrap();
            }));
        }
        sim.pass(LONG);
        receiver.try_iter().collect::<Vec<_>>()
    };
    assert_eq!(run(7).len(), 10);
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}
