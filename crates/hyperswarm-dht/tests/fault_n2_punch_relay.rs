//! Hole punches go to those who count on them, and not often.
#![allow(clippy::unwrap_used)]

mod common;

use std::net::SocketAddrV4;

use common::{START, address, after, events, give, id, persistent, query, response_to, sent};
use hyperswarm_dht::wire::{Kind, Message, Node, PeersRequest, Punch, command, encode_peer};
use hyperswarm_dht::{Dht, Event, Timestamp, Transmit};

const VICTIM: SocketAddrV4 = SocketAddrV4::new(std::net::Ipv4Addr::new(50, 1, 1, 1), 80);

fn punch(from: Option<SocketAddrV4>, to: Option<SocketAddrV4>) -> Vec<u8> {
    let (from, to) = (from.map(encode_peer), to.map(encode_peer));
    let value = Punch {
        from: from.as_ref().map(|it| it.as_slice()),
        to: to.as_ref().map(|it| it.as_slice()),
    };
    let message = Message {
        value: Some(&value.encode()),
        ..query(5, command::HOLEPUNCH, None)
    };
    message.encode()
}

fn announce(dht: &mut Dht, now: Timestamp, from: SocketAddrV4) {
    let sent = give(dht, now, from, &query(1, command::PING, None).encode());
    let token = Message::decode(&sent[0].bytes)
        .unwrap()
        .token
        .unwrap()
        .to_vec();
    let topic = id(3);
    let value = PeersRequest {
        port: Some(0),
        ..PeersRequest::default()
    }
    .encode();
    let order = Message {
        kind: Kind::Update,
        token: Some(&token),
        value: Some(&value),
        ..query(2, command::PEERS, Some(&topic))
    };
    give(dht, now, from, &order.encode());
}

/// A node that answers our ping is proven.
fn prove(dht: &mut Dht, node: Node) {
    dht.ping(START, node.address);
    let pings: Vec<Transmit> = sent(dht);
    let ping = pings.iter().find(|it| it.to == node.address).unwrap();
    give(
        dht,
        START,
        node.address,
        &response_to(ping, &node.id).encode(),
    );
}

#[test]
fn fault_n2_forwarded_to_live_entries_only() {
    let mut dht = persistent(1);
    let asker = address(1);
    assert_eq!(give(&mut dht, START, asker, &punch(None, Some(VICTIM))), []);

    let announcer = address(2);
    announce(&mut dht, START, announcer);
    let forwarded = give(&mut dht, START, asker, &punch(None, Some(announcer)));
    assert_eq!(forwarded.len(), 1);
    assert_eq!(forwarded[0].to, announcer);
    let message = Message::decode(&forwarded[0].bytes).unwrap();
    let value = Punch::decode(message.value.unwrap()).unwrap();
    assert_eq!(value.from, Some(&encode_peer(asker)[..]));
    assert_eq!(message.rid, 5);

    let node = Node {
        id: id(9),
        address: address(3),
    };
    prove(&mut dht, node);
    assert_eq!(
        give(&mut dht, START, asker, &punch(None, Some(node.address))).len(),
        1
    );
    // Nobody is sent their own.
    assert_eq!(
        give(&mut dht, START, announcer, &punch(None, Some(announcer))),
        []
    );
    // When the record is too old, that is over.
    dht.handle_timeout(after(21 * 60_000));
    sent(&mut dht);
    assert_eq!(
        give(
            &mut dht,
            after(21 * 60_000),
            asker,
            &punch(None, Some(announcer))
        ),
        []
    );
}

#[test]
fn fault_n2_answered_for_proven_nodes_only() {
    let mut dht = persistent(1);
    let referrer = Node {
        id: id(9),
        address: address(3),
    };
    let request = punch(Some(VICTIM), None);
    assert_eq!(give(&mut dht, START, referrer.address, &request), []);
    prove(&mut dht, referrer);
    events(&mut dht);
    let answer = give(&mut dht, START, referrer.address, &request);
    assert_eq!(answer.len(), 1);
    assert_eq!(answer[0].to, VICTIM);
    assert!(answer[0].bytes.len() <= 3 * request.len());
    assert_eq!(
        events(&mut dht),
        [Event::PunchRequested {
            from: VICTIM,
            referrer: referrer.address
        }]
    );
}

#[test]
fn fault_n2_five_a_second_for_source_and_destination() {
    let mut dht = persistent(1);
    let announcers: Vec<_> = (0..20).map(|i| address(100 + i)).collect();
    for announcer in &announcers {
        announce(&mut dht, START, *announcer);
    }
    let count = |dht: &mut Dht, now, asker, to: &[SocketAddrV4]| {
        to.iter()
            .map(|to| give(dht, now, asker, &punch(None, Some(*to))).len())
            .sum::<usize>()
    };
    assert_eq!(count(&mut dht, after(100), address(1), &announcers), 5);
    // Ten askers for one destination.
    let one = announcers[19];
    let forwarded: usize = (0..10)
        .map(|i| count(&mut dht, after(100), address(10 + i), &[one]))
        .sum();
    assert_eq!(forwarded, 5);
    assert_eq!(count(&mut dht, after(1100), address(1), &announcers), 5);
}

#[test]
fn fault_n2_private_networks_are_left_alone() {
    let mut dht = persistent(1);
    let referrer = Node {
        id: id(9),
        address: address(3),
    };
    prove(&mut dht, referrer);
    for private in [
        "10.0.0.1:80",
        "192.168.1.1:80",
        "127.0.0.1:80",
        "0.0.0.1:80",
        "224.0.0.1:80",
    ] {
        let private: SocketAddrV4 = private.parse().unwrap();
        assert_eq!(
            give(
                &mut dht,
                START,
                referrer.address,
                &punch(Some(private), None)
            ),
            []
        );
        // Even when it has announced itself here, nobody outside is led to it.
        announce(&mut dht, START, private);
        assert_eq!(
            give(&mut dht, START, address(1), &punch(None, Some(private))),
            []
        );
    }
    // Within one private network it is right.
    let [one, other] = ["192.168.1.7:80", "192.168.1.8:80"].map(|it| it.parse().unwrap());
    announce(&mut dht, START, one);
    assert_eq!(
        give(&mut dht, START, other, &punch(None, Some(one))).len(),
        1
    );
}
