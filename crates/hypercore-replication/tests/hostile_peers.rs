//! Remotes that lie, keep silent or ask for too much.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::{Link, Ours, Scripted, World, block, honest, log_of, open, pair, reader, writer_of};
use hypercore::{Feed, Hypercore, Options};
use hypercore_crypto::KeyPair;
use hypercore_protocol::{
    Channel, Connection, Data, Event, Have, Message, Request, Role, Unhave, Want,
};
use hypercore_replication::Config;
use hypercore_storage::MemoryDir;

const SOON: Duration = Duration::from_secs(2);

/// Connects a reader to a peer that follows a script.
fn hostile<'a>(
    feeds: &[&Feed],
    script: impl FnMut(&mut Connection, Event) + 'a,
) -> (Link<'a>, common::Watch) {
    let ours = Ours::new(Role::Initiator, Config::default(), feeds);
    let watch = ours.watch.clone();
    (Link::new(ours, Scripted::new(vec![pair()], script)), watch)
}

/// Connects a reader to one of our own that holds what `source` holds.
fn friendly<'a>(feed: &Feed, source: &Feed) -> Link<'a> {
    Link::new(
        Ours::new(Role::Initiator, Config::default(), &[feed]),
        Ours::new(Role::Responder, Config::default(), &[source]),
    )
}

/// Says to hold `blocks` blocks, whether asked or not.
fn announce(connection: &mut Connection, event: &Event, blocks: u64) {
    if let Event::Opened(channel) = event {
        connection
            .send(*channel, Message::Have(Have::range(0, blocks)))
            .unwrap();
    }
    if let Event::Message(channel, Message::Want(want)) = event {
        let bitfield = Some(Bytes::new());
        let have = Have {
            start: want.start,
            length: want.length,
            bitfield,
            ack: false,
        };
        // An answer that says nothing: everything was said before.
        connection.send(*channel, Message::Have(have)).unwrap();
    }
}

fn on_request(event: &Event) -> Option<(Channel, Request)> {
    match event {
        Event::Message(channel, Message::Request(request)) => Some((*channel, *request)),
        _ => None,
    }
}

#[test]
fn who_sends_blocks_that_do_not_verify_is_dropped_and_others_are_asked() {
    let (writer, reader) = (writer_of(100), reader());
    let log = log_of(100);
    let (liar, watch) = hostile(&[&reader], move |connection, event| {
        announce(connection, &event, 100);
        if let Some((channel, request)) = on_request(&event) {
            let mut data = honest(&log, request);
            data.value = Some(Bytes::from_static(b"something else"));
            let _ = connection.send(channel, Message::Data(data));
        }
    });
    let mut world = World::new([liar, friendly(&reader, &writer)]);
    world.run(SOON, reader.download(0..100)).unwrap().unwrap();
    assert_eq!(
        reader.get_range_local(0..100).unwrap(),
        writer.get_range_local(0..100).unwrap()
    );
    assert_eq!(
        watch.error().as_deref(),
        Some("the peer was at fault 8 times")
    );
}

#[test]
fn fault_w9_a_silent_peer_with_a_phantom_length_does_not_keep_others_from_helping() {
    let (writer, reader) = (writer_of(100), reader());
    let (silent, _) = hostile(&[&reader], |connection, event| {
        announce(connection, &event, 1 << 50);
    });
    let mut world = World::new([silent, friendly(&reader, &writer)]);
    assert!(
        world
            .run(SOON, reader.wait_longer_than(99))
            .unwrap()
            .is_ok()
    );
    assert_eq!(world.run(SOON, reader.get(42)).unwrap().unwrap(), block(42));
    world.run(SOON, reader.download(0..100)).unwrap().unwrap();
    assert_eq!(reader.length(), 100);
}

#[test]
fn fault_w9_an_update_from_silent_peers_alone_ends() {
    let reader = reader();
    let (silent, watch) = hostile(&[&reader], |connection, event| {
        announce(connection, &event, 1 << 50);
    });
    let mut world = World::new([silent]);
    let updated = world.run(Duration::from_secs(60), reader.update());
    assert!(!updated.unwrap().unwrap());
    assert_eq!(watch.error(), None);
}

#[test]
fn a_peer_that_never_opens_the_log_is_not_waited_for() {
    let reader = reader();
    let config = hypercore_protocol::Config::default();
    let silent = Scripted {
        connection: Connection::new(
            Role::Responder,
            common::secrets(9),
            config,
            Default::default(),
        ),
        script: |_: &mut Connection, _| {},
    };
    let ours = Ours::new(Role::Initiator, Config::default(), &[&reader]);
    let mut world = World::new([Link::new(ours, silent)]);
    let updated = world.run(Duration::from_secs(5), reader.update());
    assert!(!updated.unwrap().unwrap());
    let got = world.run(Duration::from_secs(5), reader.get_available(0));
    assert!(got.unwrap().unwrap().is_none());
}

#[test]
fn fault_w10_answers_may_come_in_any_order() {
    let (reader, log) = (reader(), log_of(200));
    let mut waiting: Vec<Data> = Vec::new();
    let (peer, watch) = hostile(&[&reader], move |connection, event| {
        announce(connection, &event, 200);
        if let Some((channel, request)) = on_request(&event) {
            waiting.push(honest(&log, request));
            if waiting.len() == 8 || request.index == 199 || log.length() < 200 {
                while let Some(data) = waiting.pop() {
                    let _ = connection.send(channel, Message::Data(data));
                }
            }
        }
    });
    let mut world = World::new([peer]);
    world.run(SOON, reader.download(0..192)).unwrap().unwrap();
    assert_eq!(watch.error(), None);
}

#[test]
fn fault_w10_what_was_not_asked_for_is_dropped() {
    let (reader, log) = (reader(), log_of(50));
    let mut refused = 0;
    let mut told = 0;
    let (peer, watch) = hostile(&[&reader], |connection, event| {
        announce(connection, &event, 50);
        if let Event::Message(channel, Message::Want(_)) = event {
            // A Want of our own, so that we are told what is refused.
            let want = Want {
                start: 0,
                length: 1 << 20,
            };
            connection.send(channel, Message::Want(want)).unwrap();
            for index in 0..50 {
                for hash in [false, true] {
                    let request = Request {
                        index,
                        hash,
                        ..Request::default()
                    };
                    connection
                        .send(channel, Message::Data(honest(&log, request)))
                        .unwrap();
                    told += 1;
                }
            }
        }
        if let Event::Message(_, Message::Unhave(_)) = event {
            refused += 1;
        }
    });
    let mut world = World::new([peer]);
    world.settle();
    drop(world);
    assert_eq!((told, refused), (100, 50));
    assert_eq!((reader.length(), reader.downloaded(0..50)), (0, 0));
    assert_eq!(watch.error(), None);
}

#[test]
fn fault_w10_answers_that_are_repeated_count_once() {
    let (reader, log) = (reader(), log_of(50));
    let (peer, watch) = hostile(&[&reader], move |connection, event| {
        announce(connection, &event, 50);
        if let Some((channel, request)) = on_request(&event) {
            for _ in 0..3 {
                let _ = connection.send(channel, Message::Data(honest(&log, request)));
            }
        }
    });
    let mut world = World::new([peer]);
    world.run(SOON, reader.download(0..50)).unwrap().unwrap();
    world.settle();
    assert_eq!(reader.stats().downloaded_blocks, 50);
    assert_eq!(watch.error(), None);
}

/// Ten logs on one connection to a peer that answers about the first of them as `answer` does, and
/// honestly about the others. Returns what became of the connection.
#[track_caller]
fn ten_logs<'a>(
    mut answer: impl FnMut(&mut Connection, Channel, Request, &Hypercore) + 'a,
) -> (World<'a>, Vec<Feed>, common::Watch) {
    let pairs: Vec<KeyPair> = (0..10)
        .map(|seed| KeyPair::from_seed(&[seed; 32]))
        .collect();
    let logs: Vec<Hypercore> = pairs
        .iter()
        .map(|pair| {
            let options = Options::new().key_pair(pair.clone());
            let mut log = Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap();
            log.append_batch(&(0..40).map(block).collect::<Vec<_>>())
                .unwrap();
            log
        })
        .collect();
    let feeds: Vec<Feed> = pairs
        .iter()
        .map(|pair| open(Options::new().key(pair.public)))
        .collect();
    let ours = Ours::new(
        Role::Initiator,
        Config::default(),
        &feeds.iter().collect::<Vec<_>>(),
    );
    let watch = ours.watch.clone();
    let peer = Scripted::new(pairs, move |connection: &mut Connection, event| {
        announce(connection, &event, 40);
        if let Some((channel, request)) = on_request(&event) {
            let key = connection.discovery_key(channel).copied();
            let at = logs.iter().position(|log| Some(log.discovery_key()) == key);
            match at.unwrap() {
                0 => answer(connection, channel, request, &logs[0]),
                at => {
                    let data = Message::Data(honest(&logs[at], request));
                    connection.send(channel, data).unwrap();
                }
            }
        }
    });
    let mut world = World::new([Link::new(ours, peer)]);
    for feed in &feeds[1..] {
        world.run(SOON, feed.download(0..40)).unwrap().unwrap();
    }
    (world, feeds, watch)
}

#[test]
fn fault_w8_bad_proofs_about_one_log_of_ten() {
    let mut lies = 0;
    let (mut world, feeds, watch) = ten_logs(|connection, channel, request, log| {
        let mut data = honest(log, request);
        if lies < 7 {
            lies += 1;
            data.value = Some(Bytes::from_static(b"forged"));
        }
        connection.send(channel, Message::Data(data)).unwrap();
    });
    // Seven lies are forgiven: the blocks are asked for again, as soon as they are announced again.
    let _all = feeds[0].download(0..40);
    world.pass(SOON);
    assert_eq!((watch.closed(), watch.error()), (0, None));
    assert!(feeds[0].downloaded(0..40) >= 33);
    drop(world);
    assert_eq!(lies, 7);
}

#[test]
fn fault_w8_late_answers_about_one_log_of_ten() {
    let (mut world, feeds, watch) = ten_logs(|_, _, _, _| {});
    let _all = feeds[0].download(0..40);
    world.pass(Duration::from_secs(60));
    assert_eq!((watch.closed(), watch.error()), (0, None));
    // The others still answer.
    for feed in &feeds[1..] {
        assert_eq!(feed.downloaded(0..40), 40);
        assert!(!world.run(SOON, feed.update()).unwrap().unwrap());
    }
}

#[test]
fn fault_w8_refusals_about_one_log_of_ten() {
    let (mut world, feeds, watch) = ten_logs(|connection, channel, request, _| {
        let unhave = Unhave {
            start: request.index,
            length: 1,
        };
        connection.send(channel, Message::Unhave(unhave)).unwrap();
    });
    let got = world.run(SOON, feeds[0].get_available(3));
    assert!(got.unwrap().unwrap().is_none());
    assert_eq!((watch.closed(), watch.error()), (0, None));
}

/// A proof of nothing in answer to a question for a hash. It ended the reference's process.
#[test]
fn fault_w2_hash_replies_without_nodes() {
    let (mut world, feeds, watch) = ten_logs(|connection, channel, request, _| {
        let data = Data {
            index: request.index,
            ..Data::default()
        };
        connection.send(channel, Message::Data(data)).unwrap();
    });
    let grown = world.run(SOON, feeds[0].update());
    assert!(!grown.unwrap().unwrap());
    assert_eq!((feeds[0].length(), watch.error()), (0, None));
}

#[test]
fn a_refused_block_is_asked_of_somebody_else() {
    let (writer, reader) = (writer_of(20), reader());
    let (refusing, _) = hostile(&[&reader], |connection, event| {
        announce(connection, &event, 20);
        if let Some((channel, request)) = on_request(&event) {
            let unhave = Unhave {
                start: request.index,
                length: 1,
            };
            connection.send(channel, Message::Unhave(unhave)).unwrap();
        }
    });
    let mut world = World::new([refusing]);
    assert!(
        world
            .run(SOON, reader.get_available(3))
            .unwrap()
            .unwrap()
            .is_none()
    );
    world.links.push(friendly(&reader, &writer));
    world.run(SOON, reader.download(0..20)).unwrap().unwrap();
}

/// Sends one bad message about a log, and expects that log to be given up and another to go on.
#[track_caller]
fn check_isolated(bad: Message) {
    let other = KeyPair::from_seed(&[8; 32]);
    let (reader, second) = (reader(), open(Options::new().key(other.public)));
    let ours = Ours::new(Role::Initiator, Config::default(), &[&reader, &second]);
    let watch = ours.watch.clone();
    let mut sent = false;
    let peer = Scripted::new(vec![pair(), other], move |connection, event| {
        if let Event::Opened(channel) = event
            && !std::mem::replace(&mut sent, true)
        {
            connection.send(channel, bad.clone()).unwrap();
        }
    });
    let mut world = World::new([Link::new(ours, peer)]);
    world.settle();
    assert_eq!(
        (watch.opened(), watch.closed(), watch.error()),
        (2, 1, None)
    );
}

#[test]
fn fault_w2_a_bitfield_at_a_crooked_place_costs_the_log_only() {
    let bitfield = Some(Bytes::from_static(&[0x17]));
    check_isolated(Message::Have(Have {
        start: 7,
        length: 1 << 20,
        bitfield,
        ack: false,
    }));
}

#[test]
fn fault_w2_a_bitfield_that_does_not_decode_costs_the_log_only() {
    let bitfield = Some(Bytes::from_static(&[0x10]));
    check_isolated(Message::Have(Have {
        start: 0,
        length: 1 << 20,
        bitfield,
        ack: false,
    }));
}

#[test]
fn fault_w1_a_bitfield_that_unpacks_to_too_much_costs_the_log_only() {
    // A run of 2^40 bytes.
    let bomb = Bytes::from_static(&[0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]);
    let have = |length| Have {
        start: 0,
        length,
        bitfield: Some(bomb.clone()),
        ack: false,
    };
    for length in [0, 1, 8192, 1 << 20, (1 << 53) - 1] {
        check_isolated(Message::Have(have(length)));
    }
}

#[test]
fn fault_w3_endless_ranges_cost_no_time() {
    let reader = reader();
    let mut rounds = 0;
    let (peer, watch) = hostile(&[&reader], |connection, event| {
        if let Event::Opened(channel) = event {
            for round in 0..500_000 {
                let start = (round * 7919) % (1 << 50);
                let range = Have::range(start, (1 << 53) - 1 - start);
                connection.send(channel, Message::Have(range)).unwrap();
                let Have { start, length, .. } = range_of(round);
                connection
                    .send(channel, Message::Unhave(Unhave { start, length }))
                    .unwrap();
                rounds += 1;
            }
        }
    });
    let mut world = World::new([peer]);
    world.settle();
    drop(world);
    assert_eq!((rounds, watch.error()), (500_000, None));
}

fn range_of(round: u64) -> Have {
    Have::range((round * 104_729) % (1 << 45), 1 << (round % 53))
}

#[test]
fn fault_w5_a_flood_of_requests_is_answered_no_faster_than_it_is_read() {
    // The scripted side reads nothing until it is told to, so everything answered is queued.
    let big = vec![7_u8; 1 << 20];
    let writer = common::writer();
    writer.append_batch(&[&big[..]; 8]).unwrap();
    let mut ours = Ours::new(Role::Initiator, Config::default(), &[&writer]);
    let mut peer = Scripted::new(vec![pair()], |connection: &mut Connection, event| {
        if let Event::Opened(channel) = event {
            for round in 0..100_000 {
                let request = Request {
                    index: round % 8,
                    nodes: round,
                    ..Request::default()
                };
                connection.send(channel, Message::Request(request)).unwrap();
            }
        }
    });
    use common::End;
    let now = Default::default();
    // The handshake and the opening.
    for _ in 0..4 {
        while let Some(bytes) = ours.transmit() {
            peer.input(now, &bytes);
        }
        while ours.replicator.connection().handshake_hash().is_none()
            && let Some(bytes) = peer.transmit()
        {
            ours.input(now, &bytes);
        }
    }
    // Only what the peer sends is carried from here on.
    let mut accepted = 0;
    while !ours.is_paused()
        && let Some(bytes) = peer.transmit()
    {
        accepted += bytes.len();
        ours.input(now, &bytes);
        ours.tick(now);
    }
    assert!(ours.is_paused(), "took {accepted} bytes of requests");
    let mut most = 0;
    // The peer begins to read, a little at a time.
    for _ in 0..100 {
        assert!(ours.transmit().is_some());
        most = most.max(ours.replicator.connection().queued_bytes());
    }
    assert!(most <= (1 << 20) + (1 << 19), "{most} bytes waited");
}

#[test]
fn questions_beyond_reason_are_not_answered() {
    let writer = writer_of(5);
    let mut answers = Vec::new();
    let (peer, watch) = hostile(&[&writer], |connection, event| match event {
        Event::Opened(channel) => {
            for want in [
                Want {
                    start: 1,
                    length: 8192,
                },
                Want {
                    start: 0,
                    length: 100,
                },
                Want {
                    start: 1 << 45,
                    length: 8192,
                },
                Want {
                    start: 0,
                    length: 0,
                },
            ] {
                connection.send(channel, Message::Want(want)).unwrap();
            }
            for index in [5, 1 << 52, (1 << 53) - 1] {
                let request = Request {
                    index,
                    ..Request::default()
                };
                connection.send(channel, Message::Request(request)).unwrap();
            }
        }
        Event::Message(_, Message::Have(have)) => answers.push((have.start, have.length)),
        Event::Message(_, Message::Unhave(unhave)) => answers.push((unhave.start, u64::MAX)),
        _ => {}
    });
    let mut world = World::new([peer]);
    world.settle();
    drop(world);
    let missing = [5, 1 << 52, (1 << 53) - 1].map(|index| (index, u64::MAX));
    assert_eq!(
        answers[..2],
        [(4, 1), (0, 0)],
        "the whole bitfield, and nothing else"
    );
    assert_eq!(answers[2..], missing);
    assert_eq!(watch.error(), None);
}
