//! Many peers on a simulated network, over the driver itself: connections break, hosts are slow,
//! some of them lie. From seeds, which a failing run prints.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::sim::{keep_dialling, serve, serve_end};
use common::{Scripted, block, honest, log_of, pair, reader, writer, writer_of};
use futures_lite::StreamExt;
use futures_lite::future::zip;
use hypercore::{Feed, FeedEvent, Hypercore};
use hypercore_protocol::{Channel, Connection, Event, Have, Message, Request};
use hypercore_runtime::Runtime;
use testkit::{Link, Rng, Sim, SimRuntime};

/// Time within which everything has to be done, in the world's own measure.
const LIMIT: Duration = Duration::from_secs(300);

fn link(rng: &mut Rng) -> Link {
    let start = Duration::from_millis(rng.below(20));
    Link {
        delay: start..start + Duration::from_millis(1 + rng.below(150)),
        bandwidth: [0, 100_000, 1_000_000][usize::try_from(rng.below(3)).unwrap()],
        buffer: 4096 << rng.below(7),
    }
}

fn host(sim: &Sim, number: usize) -> Arc<SimRuntime> {
    sim.host([10, 0, 0, u8::try_from(number).unwrap()])
}

#[track_caller]
fn check_copy(copy: &Feed, blocks: u64) {
    let stored = copy.get_range_local(0..blocks).unwrap();
    assert!(
        stored
            .iter()
            .zip(0..)
            .all(|(found, index)| *found == block(index))
    );
}

/// One author, several readers that also serve each other, and connections that break all the time.
#[test]
fn everything_arrives_over_connections_that_break() {
    for seed in 0..12 {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let sim = Sim::new(seed);
        sim.set_link(link(&mut rng));
        let (first, later) = (1 + rng.below(400), rng.below(60));
        let author = writer_of(first);
        let readers: Vec<Feed> = (0..2 + rng.below(4)).map(|_| reader()).collect();
        let hosts: Vec<_> = (0..=readers.len())
            .map(|number| host(&sim, number))
            .collect();
        serve(&hosts[0], &[&author]);
        for (number, feed) in readers.iter().enumerate() {
            serve(&hosts[number + 1], &[feed]);
            // Each knows one that came before it, and by chance the author.
            let earlier = usize::try_from(rng.below(number as u64 + 1)).unwrap();
            keep_dialling(&hosts[number + 1], &hosts[earlier], &[feed]);
            if earlier > 0 && rng.one_in(2) {
                keep_dialling(&hosts[number + 1], &hosts[0], &[feed]);
            }
        }
        let total = first + later;
        let downloads: Vec<_> = readers.iter().map(|feed| feed.download(0..total)).collect();
        let breaking = async {
            for index in first..total {
                hosts[0].sleep(Duration::from_millis(rng.below(300))).await;
                author.append(block(index)).unwrap();
                if rng.one_in(8) {
                    let host = usize::try_from(rng.below(hosts.len() as u64)).unwrap();
                    sim.cut(hosts[host].ip());
                }
            }
        };
        let arriving = async {
            for download in downloads {
                download.await.unwrap();
            }
        };
        assert!(
            sim.run(LIMIT, zip(breaking, arriving)).is_some(),
            "seed {seed}"
        );
        readers.iter().for_each(|feed| check_copy(feed, total));
        sim.end();
    }
}

/// Readers that fetch here and there, seek, and change their minds.
#[test]
fn sparse_readers_get_what_they_wait_for() {
    for seed in 0..12 {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let sim = Sim::new(seed);
        sim.set_link(link(&mut rng));
        let blocks = 2000;
        let author = writer_of(blocks);
        let (near, far) = (reader(), reader());
        let hosts = [host(&sim, 1), host(&sim, 2), host(&sim, 3)];
        serve(&hosts[0], &[&author]);
        serve(&hosts[1], &[&near]);
        keep_dialling(&hosts[1], &hosts[0], &[&near]);
        keep_dialling(&hosts[2], &hosts[1], &[&far]);
        keep_dialling(&hosts[2], &hosts[0], &[&far]);
        let reading = async {
            assert_eq!(far.wait_longer_than(0).await.unwrap(), blocks);
            for _ in 0..40 {
                let index = rng.below(blocks);
                let given_up = far.get(rng.below(blocks));
                let started = futures_lite::future::poll_once(given_up).await;
                drop(started);
                match rng.below(3) {
                    0 => assert_eq!(far.get(index).await.unwrap(), block(index)),
                    1 => {
                        let wanted = vec![index, rng.below(blocks)];
                        far.download_blocks(wanted).await.unwrap();
                    }
                    _ => {
                        let at = rng.below(author.byte_length());
                        let found = far.seek(at, 0..blocks).await.unwrap();
                        assert_eq!(found, author.seek(at, 0..blocks).await.unwrap());
                    }
                }
                if rng.one_in(6) {
                    sim.cut(hosts[2].ip());
                }
            }
        };
        assert!(sim.run(LIMIT, reading).is_some(), "seed {seed}");
        let have = far.downloaded(0..blocks);
        assert!(
            have < 300,
            "{have} blocks came for at most 120 that were asked for"
        );
        sim.end();
    }
}

/// What a lying host does with a request.
type Trick = fn(&mut Connection, Channel, Request, &Hypercore);

const TRICKS: [(&str, Trick); 6] = [
    ("other bytes", |connection, channel, request, log| {
        let mut data = honest(log, request);
        data.value = data.value.map(|_| Bytes::from_static(b"forged"));
        data.nodes.iter_mut().for_each(|node| node.size += 1);
        let _ = connection.send(channel, Message::Data(data));
    }),
    (
        "the proof of another block",
        |connection, channel, request, log| {
            let other = Request {
                index: (request.index + 1) % log.length(),
                nodes: 0,
                ..request
            };
            let mut data = honest(log, other);
            data.index = request.index;
            let _ = connection.send(channel, Message::Data(data));
        },
    ),
    (
        "a signature of nothing",
        |connection, channel, request, log| {
            let mut data = honest(
                log,
                Request {
                    nodes: 0,
                    ..request
                },
            );
            data.signature = Some(hypercore_crypto::Signature::from_bytes([7; 64]));
            let _ = connection.send(channel, Message::Data(data));
        },
    ),
    (
        "the hash without the block",
        |connection, channel, request, log| {
            let data = honest(
                log,
                Request {
                    hash: true,
                    ..request
                },
            );
            let _ = connection.send(channel, Message::Data(data));
        },
    ),
    ("nothing", |_, _, _, _| {}),
    (
        "blocks that nobody asked for",
        |connection, channel, _, log| {
            for index in 0..log.length().min(20) {
                let request = Request {
                    index,
                    ..Request::default()
                };
                let _ = connection.send(channel, Message::Data(honest(log, request)));
            }
        },
    ),
];

fn liar(now: hypercore_protocol::Timestamp, blocks: u64, trick: Trick) -> impl common::End + Send {
    let log = log_of(blocks);
    let mut end = Scripted::new(
        vec![pair()],
        move |connection: &mut Connection, event| match event {
            Event::Opened(channel) => {
                let all = Have::range(0, blocks);
                let _ = connection.send(channel, Message::Have(all));
            }
            Event::Message(channel, Message::Want(want)) => {
                let have = Have {
                    start: want.start,
                    length: want.length,
                    bitfield: Some(Bytes::new()),
                    ack: false,
                };
                let _ = connection.send(channel, Message::Have(have));
            }
            Event::Message(channel, Message::Request(request)) => {
                trick(connection, channel, request, &log);
            }
            _ => {}
        },
    );
    let _ = end.connection.handle_timeout(now);
    end
}

/// However many lie, one honest host is enough, and nothing that is wrong is ever stored.
#[test]
fn one_honest_host_is_enough() {
    for seed in 0..TRICKS.len() as u64 * 2 {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let sim = Sim::new(seed);
        sim.set_link(link(&mut rng));
        let blocks = 100 + rng.below(300);
        let author = writer_of(blocks);
        let ours = reader();
        let us = host(&sim, 0);
        let liars = 1 + usize::try_from(rng.below(3)).unwrap();
        for number in 0..liars {
            let first = usize::try_from(seed).unwrap() % TRICKS.len();
            let (name, trick) = TRICKS[(first + 2 * number) % TRICKS.len()];
            println!("a host sends {name}");
            let them = host(&sim, 10 + number);
            serve_end(&them, move |now| liar(now, blocks, trick));
            keep_dialling(&us, &them, &[&ours]);
        }
        let honest = host(&sim, 1);
        serve(&honest, &[&author]);
        keep_dialling(&us, &honest, &[&ours]);
        let all = ours.download(0..blocks);
        assert!(
            sim.run(LIMIT, all).is_some_and(|done| done.is_ok()),
            "seed {seed}"
        );
        assert_eq!(ours.length(), blocks);
        check_copy(&ours, blocks);
        sim.end();
    }
}

/// Who lies is named in an event, and left: not dialled again, and nothing more asked of it.
#[test]
fn a_liar_is_named_and_left() {
    for (seed, (name, trick)) in TRICKS.into_iter().take(3).enumerate() {
        println!("seed {seed}: a host sends {name}");
        let sim = Sim::new(seed as u64);
        let (author, ours) = (writer_of(100), reader());
        let [us, liars, honest] = [1, 2, 3].map(|number| host(&sim, number));
        serve_end(&liars, move |now| liar(now, 100, trick));
        keep_dialling(&us, &liars, &[&ours]);
        let mut events = ours.events();
        let all = ours.download(0..100);
        let mut refused = Vec::new();
        let left = async {
            while let Some(event) = events.next().await {
                match event {
                    FeedEvent::Refused { peer, .. } => refused.push(peer),
                    FeedEvent::PeerRemoved => return,
                    _ => {}
                }
            }
        };
        sim.run(LIMIT, left).unwrap();
        assert!(refused.len() >= 8, "{refused:?}");
        assert!(refused.iter().all(|peer| *peer == refused[0]));
        assert_eq!((ours.length(), ours.peers()), (0, 0));
        sim.pass(Duration::from_secs(60));
        assert_eq!(ours.peers(), 0, "nobody dials it again");
        serve(&honest, &[&author]);
        keep_dialling(&us, &honest, &[&ours]);
        assert!(sim.run(LIMIT, all).unwrap().is_ok());
        check_copy(&ours, 100);
        sim.end();
    }
}

/// A machine that sleeps through its timers finds its peers again (the clock itself never goes back).
#[test]
fn fault_c1_a_machine_that_slept_goes_on() {
    for asleep in [8, 10 * 365 * 24].map(|hours| Duration::from_secs(hours * 3600)) {
        let sim = Sim::new(1);
        let (author, copy) = (writer_of(50), reader());
        let (a, b) = (host(&sim, 1), host(&sim, 2));
        serve(&a, &[&author]);
        keep_dialling(&b, &a, &[&copy]);
        let one = sim.run(LIMIT, copy.get(3)).unwrap();
        assert_eq!(one.unwrap(), block(3));
        sim.jump(asleep);
        let all = copy.download(0..50);
        assert!(sim.run(LIMIT, all).unwrap().is_ok());
        author.append(block(50)).unwrap();
        let grown = sim.run(LIMIT, copy.wait_longer_than(50)).unwrap();
        assert_eq!(grown.unwrap(), 51);
        sim.end();
    }
}

/// Any of the log's futures, and the connection itself, dropped wherever they wait: nothing stays
/// behind that others would wait for.
#[test]
fn fault_c2_futures_dropped_at_any_await() {
    for seed in 0..40 {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let sim = Sim::new(seed);
        sim.set_link(link(&mut rng));
        let blocks = 200;
        let (author, copy) = (writer(), reader());
        let all: Vec<_> = (0..blocks).map(block).collect();
        author.append_batch(&all).unwrap();
        let (a, b) = (host(&sim, 1), host(&sim, 2));
        serve(&a, &[&author]);
        keep_dialling(&b, &a, &[&copy]);
        let mail = copy.mailbox("talk").unwrap();
        for _ in 0..30 {
            let soon = Duration::from_micros(rng.below(400_000));
            let index = rng.below(blocks);
            match rng.below(8) {
                0 => drop(sim.run(soon, copy.get(index))),
                1 => drop(sim.run(soon, copy.get_available(index))),
                2 => drop(sim.run(soon, copy.update())),
                3 => drop(sim.run(soon, copy.wait_longer_than(index))),
                4 => drop(sim.run(soon, copy.seek(7 * index, 0..blocks))),
                5 => drop(sim.run(soon, copy.download(index..blocks))),
                6 => drop(sim.run(soon, mail.receive())),
                _ => {
                    // The connection's own future, at both ends.
                    sim.pass(soon);
                    sim.cut(b.ip());
                }
            }
        }
        let rest = copy.download(0..blocks);
        assert!(
            sim.run(LIMIT, rest).is_some_and(|done| done.is_ok()),
            "seed {seed}"
        );
        check_copy(&copy, blocks);
        sim.end();
        assert_eq!(
            (copy.peers(), author.peers()),
            (0, 0),
            "no peer outlives its connection"
        );
    }
}
