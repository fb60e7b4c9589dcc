//! Requests, their repetitions and their answers.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{
    START, address, after, events, give, id, pass, persistent, query, response_to, sent,
    with_config,
};
use hyperswarm_dht::wire::{Kind, Message, Node, command, encode_nodes, encode_peer};
use hyperswarm_dht::{Dht, Event, QueryError, Timestamp};

#[test]
fn an_answer_from_elsewhere_is_none() {
    let mut dht = persistent(1);
    dht.ping(START, address(1));
    let ping = sent(&mut dht);
    let name = id(9);
    let answer = response_to(&ping[0], &name).encode();
    give(&mut dht, START, address(2), &answer);
    assert_eq!(events(&mut dht), []);
    let same_host = std::net::SocketAddrV4::new(*address(1).ip(), 4001);
    give(&mut dht, START, same_host, &answer);
    assert_eq!(events(&mut dht), []);
    give(&mut dht, START, address(1), &answer);
    assert_eq!(events(&mut dht).len(), 2);
    // The same once more is an answer to nothing.
    give(&mut dht, START, address(1), &answer);
    assert_eq!(events(&mut dht), []);
}

#[test]
fn request_ids_are_not_foretold() {
    let mut dht = persistent(1);
    let mut ids: Vec<u64> = (0..50)
        .map(|i| {
            dht.ping(START, address(i + 1));
            Message::decode(&sent(&mut dht)[0].bytes).unwrap().rid
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 50);
    assert!(ids.iter().any(|rid| *rid > 1 << 16));
    assert!(ids.iter().all(|rid| *rid < 1 << 32));
}

/// Half a second when nothing is known, then by the round trips that were seen.
#[test]
fn the_patience_follows_the_round_trips() {
    let mut dht = persistent(1);
    dht.ping(START, address(1));
    assert_eq!(sent(&mut dht).len(), 1);
    assert_eq!(pass(&mut dht, after(499)).len(), 0);
    assert_eq!(pass(&mut dht, after(500)).len(), 1);
    let mut now = after(60_000);
    pass(&mut dht, now);
    for i in 0..30 {
        dht.ping(now, address(2 + i));
        let ping = sent(&mut dht);
        now = now + Duration::from_millis(100);
        let name = id(9);
        give(
            &mut dht,
            now,
            address(2 + i),
            &response_to(&ping[0], &name).encode(),
        );
    }
    pass(&mut dht, now);
    dht.ping(now, address(99));
    sent(&mut dht);
    let patience = waits(&mut dht, now);
    assert!((100..=250).contains(&patience.as_millis()), "{patience:?}");
}

/// Where every answer takes three seconds, the first requests are given up, and later ones not.
#[test]
fn a_slow_link_is_learnt() {
    let mut dht = persistent(1);
    let mut now = START;
    let mut answered = false;
    for i in 0..60 {
        let query = dht.ping(now, address(1 + i));
        let mut flying: Vec<(Timestamp, Vec<u8>)> = Vec::new();
        let name = id(9);
        let end = now + Duration::from_secs(30);
        'ping: while now < end {
            for transmit in sent(&mut dht) {
                if Message::decode(&transmit.bytes).unwrap().command == Some(command::PING)
                    && transmit.to == address(1 + i)
                {
                    let answer = response_to(&transmit, &name).encode();
                    flying.push((now + Duration::from_secs(3), answer));
                }
            }
            now = now + Duration::from_millis(50);
            dht.handle_timeout(now);
            while let Some(at) = flying.iter().position(|it| it.0 <= now) {
                let (_, answer) = flying.remove(at);
                dht.handle_datagram(now, address(1 + i).into(), &answer);
            }
            for event in events(&mut dht) {
                match event {
                    Event::Pong { .. } => answered = true,
                    Event::Done { query: over, .. } if over == query => break 'ping,
                    _ => {}
                }
            }
        }
    }
    assert!(answered);
}

#[test]
fn every_sending_has_an_id_of_its_own() {
    let mut dht = persistent(1);
    dht.ping(START, address(1));
    let mut all = sent(&mut dht);
    all.extend(pass(&mut dht, after(1900)));
    assert_eq!(all.len(), 3);
    let ids: Vec<u64> = all
        .iter()
        .map(|it| Message::decode(&it.bytes).unwrap().rid)
        .collect();
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    // The answer to the first is as good as the one to the last.
    let name = id(9);
    give(
        &mut dht,
        after(1900),
        address(1),
        &response_to(&all[0], &name).encode(),
    );
    let seen = events(&mut dht);
    assert!(
        matches!(seen[0], Event::Pong { round_trip, .. } if round_trip == Duration::from_millis(1900)),
        "{seen:?}"
    );
}

#[test]
fn without_an_answer_an_operation_fails() {
    let mut dht = with_config(1, |config| config.bootstrap = vec![address(1), address(2)]);
    let query = dht.find_node(START, id(3));
    pass(&mut dht, after(10_000));
    let failed = Event::Done {
        query,
        result: Err(QueryError::NoReplies),
    };
    assert_eq!(events(&mut dht), [failed]);
    // Alone in the world, the first walk has nowhere to go, and that is no failure.
    let mut dht = persistent(1);
    let query = dht.bootstrap(START);
    let seen = events(&mut dht);
    assert_eq!(seen[0], Event::Ready { nodes: 0 });
    assert!(matches!(&seen[1], Event::Done { query: it, result: Ok(_) } if *it == query));
}

#[test]
fn operations_have_a_limit() {
    let mut dht = with_config(1, |config| {
        config.max_queries = 3;
        config.bootstrap = vec![address(1)];
    });
    for i in 0..3 {
        dht.find_node(START, id(i));
    }
    let query = dht.ping(START, address(5));
    let refused = Event::Done {
        query,
        result: Err(QueryError::TooMany),
    };
    assert_eq!(events(&mut dht), [refused]);
    let query = dht.find_node(START, id(9));
    let refused = Event::Done {
        query,
        result: Err(QueryError::TooMany),
    };
    assert_eq!(events(&mut dht), [refused]);
}

#[test]
fn cancelled_operations_are_silent() {
    let mut dht = with_config(1, |config| config.bootstrap = vec![address(1)]);
    let query = dht.find_node(START, id(3));
    let request = sent(&mut dht);
    dht.cancel(query);
    let name = id(9);
    give(
        &mut dht,
        START,
        address(1),
        &response_to(&request[0], &name).encode(),
    );
    assert_eq!(pass(&mut dht, after(10_000)).len(), 0);
    assert_eq!(events(&mut dht), []);
}

/// Many operations at once take turns, and all end.
#[test]
fn requests_at_once_have_a_limit() {
    let mut dht = with_config(1, |config| {
        config.max_in_flight = 10;
        config.bootstrap = (1..=8).map(address).collect();
    });
    for i in 0..50 {
        dht.find_node(START, id(i));
    }
    // Each may have one request, however many there are.
    let first = sent(&mut dht).len();
    assert!(first <= 10 + 50, "{first}");
    let mut done = 0;
    let mut now = START;
    while done < 50 {
        now = now + Duration::from_millis(100);
        pass(&mut dht, now);
        done += events(&mut dht)
            .iter()
            .filter(|it| matches!(it, Event::Done { .. }))
            .count();
        assert!(now < after(120_000));
    }
}

#[test]
fn tokens_are_for_one_address_and_ten_minutes() {
    let mut dht = persistent(1);
    let ask = |dht: &mut Dht, now, from| {
        let sent = give(dht, now, from, &query(1, command::PING, None).encode());
        Message::decode(&sent[0].bytes)
            .unwrap()
            .token
            .unwrap()
            .to_vec()
    };
    let order = |dht: &mut Dht, now, from, token: &[u8]| {
        let target = id(3);
        let message = Message {
            kind: Kind::Update,
            token: Some(token),
            value: Some(b"\x08\x00"),
            ..query(2, command::PEERS, Some(&target))
        };
        give(dht, now, from, &message.encode()).len()
    };
    let token = ask(&mut dht, after(299_000), address(1));
    assert_eq!(order(&mut dht, after(299_000), address(1), &token), 1);
    assert_eq!(order(&mut dht, after(299_000), address(2), &token), 0);
    let other_port = std::net::SocketAddrV4::new(*address(1).ip(), 1);
    assert_eq!(order(&mut dht, after(299_000), other_port, &token), 0);
    assert_eq!(order(&mut dht, after(599_000), address(1), &token), 1);
    assert_eq!(order(&mut dht, after(601_000), address(1), &token), 0);
    assert_eq!(order(&mut dht, after(601_000), address(1), b""), 0);
    assert_eq!(order(&mut dht, after(601_000), address(1), &token[..31]), 0);
}

/// A token of another node's making is repeated to it, as long as it is no longer than it may be.
#[test]
fn tokens_of_others_are_repeated() {
    for (length, repeated) in [(1, true), (64, true), (65, false)] {
        let mut dht = with_config(1, |config| config.bootstrap = vec![address(1)]);
        dht.announce(START, id(3), Default::default());
        let request = sent(&mut dht);
        let (name, token) = (id(9), vec![5; length]);
        let answer = Message {
            token: Some(&token),
            closer_nodes: Some(b""),
            ..response_to(&request[0], &name)
        };
        let orders = give(&mut dht, START, address(1), &answer.encode());
        let found = orders
            .iter()
            .any(|it| Message::decode(&it.bytes).unwrap().token == Some(&token[..]));
        assert_eq!(found, repeated, "{length}");
    }
}

#[test]
fn what_others_see_needs_three_who_agree() {
    let mut dht = persistent(1);
    let mut report = |by: u32, address_seen: &str| {
        dht.ping(START, address(by));
        let ping = sent(&mut dht);
        let ping = ping.iter().find(|it| it.to == address(by)).unwrap().clone();
        let (name, to) = (
            id(u8::try_from(by).unwrap()),
            encode_peer(address_seen.parse().unwrap()),
        );
        let mut pong = response_to(&ping, &name);
        pong.to = Some(&to);
        give(&mut dht, START, address(by), &pong.encode());
        events(&mut dht);
        dht.observed_address()
            .map(|it| (it.ip.to_string(), it.port))
    };
    let seen = |port| Some(("70.0.0.1".to_owned(), port));
    assert_eq!(report(1, "70.0.0.1:1"), None);
    assert_eq!(report(1, "70.0.0.1:1"), None, "one host has one vote");
    assert_eq!(report(2, "70.0.0.1:1"), None);
    assert_eq!(report(3, "70.0.0.1:1"), seen(Some(1)));
    assert_eq!(report(4, "70.0.0.1:2"), seen(Some(1)));
    assert_eq!(report(5, "70.0.0.1:3"), seen(Some(1)));
    assert_eq!(
        report(6, "70.0.0.1:4"),
        seen(None),
        "the ports differ too often"
    );
    for by in 7..10 {
        report(by, "70.0.0.2:9");
    }
    assert_eq!(dht.observed_address(), None);
    // Nobody outside makes us believe that we are at home.
    for by in 10..30 {
        dht.ping(START, address(by));
        let ping = sent(&mut dht);
        let ping = ping.iter().find(|it| it.to == address(by)).unwrap().clone();
        let (name, to) = (
            id(u8::try_from(by).unwrap()),
            encode_peer("127.0.0.1:9".parse().unwrap()),
        );
        let mut pong = response_to(&ping, &name);
        pong.to = Some(&to);
        give(&mut dht, START, address(by), &pong.encode());
    }
    assert_eq!(dht.observed_address(), None);
}

/// A node whose answer has to come through a NAT is asked for through whoever told of it.
#[test]
fn silent_nodes_are_asked_for_at_their_referrer() {
    let mut dht = with_config(1, |config| config.bootstrap = vec![address(1)]);
    dht.find_node(START, id(3));
    let request = sent(&mut dht);
    let (name, hidden) = (
        id(9),
        Node {
            id: id(4),
            address: address(2),
        },
    );
    let list = encode_nodes(&[hidden]);
    let answer = Message {
        closer_nodes: Some(&list),
        ..response_to(&request[0], &name)
    };
    let asked = give(&mut dht, START, address(1), &answer.encode());
    assert!(asked.iter().any(|it| it.to == hidden.address));
    let again = pass(&mut dht, after(300));
    let punch = again.iter().find(|it| {
        it.to == address(1)
            && Message::decode(&it.bytes).unwrap().command == Some(command::HOLEPUNCH)
    });
    let punch = punch.expect("the referrer is asked");
    // The hidden node answers the punch, and is asked at once.
    let opened = give(
        &mut dht,
        after(300),
        hidden.address,
        &response_to(punch, &hidden.id).encode(),
    );
    let to_hidden: Vec<_> = opened.iter().filter(|it| it.to == hidden.address).collect();
    assert_eq!(to_hidden.len(), 1);
    let message = Message::decode(&to_hidden[0].bytes).unwrap();
    assert_eq!(message.command, Some(command::FIND_NODE));
}

fn waits(dht: &mut Dht, now: Timestamp) -> Duration {
    for millis in 1..10_000 {
        let then = now + Duration::from_millis(millis);
        let due = dht.poll_timeout().is_some_and(|due| due <= then);
        if due && !pass(dht, then).is_empty() {
            return Duration::from_millis(millis);
        }
    }
    panic!("nothing is due");
}
