//! What is read ahead follows the rate at which blocks come and are taken, on a simulated network.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{copy_in, store};
use corestore::Corestore;
use hypercore_replication::{Config, Role, replicate};
use hypercore_runtime::Runtime;
use hyperdrive::{Attributes, Drive};
use testkit::{Link, Sim, SimRuntime};

const LIMIT: Duration = Duration::from_secs(3600);
const BLOCK: usize = 65_536;

/// A copy of a drive with one file, `/f`, over a connection like this. Its paths are here already.
fn far_away(sim: &Sim, blocks: usize, link: Link) -> (Drive, Drive, Arc<SimRuntime>) {
    sim.set_link(link);
    let (theirs, ours) = (store(), store());
    let [author, reader] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(|ip| sim.host(ip));
    let made = async {
        let drive = common::drive_in(&theirs, "drive").await;
        let bytes = vec![7; blocks * BLOCK];
        let plain = Attributes::new();
        drive.write_file("/f", bytes, &plain).await.unwrap();
        let copy = copy_in(&ours, &drive).await;
        connect(&author, &theirs, &reader, &ours).await;
        copy.metadata().wait_longer_than(0).await.unwrap();
        copy.stat("/f").await.unwrap();
        copy.content().await.unwrap();
        (drive, copy)
    };
    let (drive, copy) = sim.run(LIMIT, made).unwrap();
    (drive, copy, reader)
}

async fn connect(
    author: &Arc<SimRuntime>,
    theirs: &Corestore,
    reader: &Arc<SimRuntime>,
    ours: &Corestore,
) {
    let any = std::net::SocketAddr::new(author.ip(), 0);
    let listener = author.listen_tcp(any).await.unwrap();
    let dialled = reader.connect_tcp(listener.local_addr()).await.unwrap();
    let accepted = listener.accept().await.unwrap();
    let ends = [
        (accepted, Role::Responder, theirs.source(), author),
        (dialled, Role::Initiator, ours.source(), reader),
    ];
    for (stream, role, source, host) in ends {
        let runtime: Arc<dyn Runtime> = host.clone();
        host.spawn(Box::pin(async move {
            let _ended = replicate(stream, role, source, runtime, Config::default()).await;
        }));
    }
}

/// A fifth of a second for each round trip, and ten million bytes a second.
fn long_and_wide() -> Link {
    let delay = Duration::from_millis(100);
    Link {
        delay: delay..delay + Duration::from_nanos(1),
        bandwidth: 10_000_000,
        buffer: 8 << 20,
    }
}

#[test]
fn a_reader_that_waits_has_the_whole_bandwidth() {
    let sim = Sim::new(1);
    println!("seed 1");
    let blocks = 640;
    let (_drive, copy, host) = far_away(&sim, blocks, long_and_wide());
    let started = host.now();
    let read = async {
        let mut stream = copy.read("/f", ..).await.unwrap();
        let mut bytes = 0;
        while let Some(piece) = stream.next().await {
            bytes += piece.unwrap().len();
        }
        bytes
    };
    assert_eq!(sim.run(LIMIT, read), Some(blocks * BLOCK));
    // On the wire it takes 4.2 s. One MiB for each round trip would be 8 s.
    let took = host.now() - started;
    println!("{took:?}");
    assert!(took < Duration::from_millis(5500), "{took:?}");
    sim.end();
}

#[test]
fn of_a_slow_reader_little_is_fetched_that_may_never_be_read() {
    let sim = Sim::new(2);
    println!("seed 2");
    let (_drive, copy, host) = far_away(&sim, 200, long_and_wide());
    let content = copy.content_now().unwrap();
    let read = async {
        let mut stream = copy.read("/f", ..).await.unwrap();
        let (mut ahead, mut waited) = (Vec::new(), Duration::ZERO);
        for block in 1..=100 {
            let asked = host.now();
            stream.next().await.unwrap().unwrap();
            if block > 1 {
                waited += host.now() - asked;
            }
            host.sleep(Duration::from_millis(300)).await;
            ahead.push(content.downloaded(0..200) - block);
        }
        (ahead, waited)
    };
    let (ahead, waited) = sim.run(LIMIT, read).unwrap();
    println!("{ahead:?} {waited:?}");
    assert!(ahead.iter().all(|ahead| *ahead <= 16), "{ahead:?}");
    let settled = &ahead[80..];
    assert!(settled.iter().all(|ahead| *ahead <= 4), "{ahead:?}");
    assert_eq!(waited, Duration::ZERO);
    // What is not wanted any more does not come.
    let held = content.downloaded(0..200);
    sim.pass(Duration::from_secs(60));
    assert_eq!(content.downloaded(0..200), held);
    sim.end();
}

#[test]
fn nothing_is_asked_for_beyond_the_range() {
    let sim = Sim::new(3);
    println!("seed 3");
    let (_drive, copy, _host) = far_away(&sim, 200, long_and_wide());
    let content = copy.content_now().unwrap();
    let start = 100 * BLOCK as u64;
    let read = async {
        let range = start..start + 3 * BLOCK as u64;
        copy.read("/f", range)
            .await
            .unwrap()
            .gather()
            .await
            .unwrap()
    };
    assert_eq!(sim.run(LIMIT, read).unwrap().len(), 3 * BLOCK);
    sim.pass(Duration::from_secs(60));
    assert!(content.downloaded(0..200) <= 4);
    sim.end();
}
