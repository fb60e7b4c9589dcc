//! Who is in the routing table, and who is told of.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::net::SocketAddrV4;

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};
use common::{
    START, address, after, give, id, pass, persistent, query, response_to, vectors, with_config,
};
use hyperswarm_dht::wire::{Message, Node, command, decode_nodes};
use hyperswarm_dht::{Dht, Id, Timestamp, Transmit};
use testkit::vectors::{array, number};

/// 200 nodes come, one after the other, and all are there when they are asked: the first ones of
/// each bucket stay, as in the reference.
#[test]
fn kept_nodes_are_those_of_the_reference() {
    let vectors = vectors();
    let vector = &vectors["kbucket"];
    let ids: Vec<Id> = (0..200).map(|i| hash(&format!("kad {i}"))).collect();
    let own = Id::from_bytes(array(&vector["local"]));
    assert_eq!(own, hash("kad local"));
    let mut dht = with_config(1, |config| config.id = Some(own));
    for (i, id) in ids.iter().enumerate() {
        meet(
            &mut dht,
            START,
            Node {
                id: *id,
                address: place(i),
            },
            &ids,
        );
    }
    let numbers = |list: &testkit::vectors::Value| -> Vec<usize> {
        let list = list.as_array().unwrap().iter();
        list.map(|it| usize::try_from(number(it)).unwrap())
            .collect()
    };
    let kept: BTreeSet<Id> = dht.nodes().map(|node| node.id).collect();
    let expected = numbers(&vector["kept"]);
    assert_eq!(kept, expected.iter().map(|i| ids[*i]).collect());

    let target = Id::from_bytes(array(&vector["target"]));
    let closest: Vec<Id> = numbers(&vector["closest20"])
        .into_iter()
        .map(|i| ids[i])
        .collect();
    let told: Vec<Id> = find_node(&mut dht, START, target)
        .into_iter()
        .map(|it| it.id)
        .collect();
    assert_eq!(told, closest);
}

/// Regression: the reference adds whoever sends it anything.
#[test]
fn nobody_comes_in_without_a_round_trip() {
    let mut dht = persistent(1);
    let stranger = Node {
        id: id(7),
        address: address(1),
    };
    let mut question = query(1, command::FIND_NODE, Some(&stranger.id));
    question.id = Some(stranger.id.as_bytes());
    let sent = give(&mut dht, START, stranger.address, &question.encode());
    let [answer, check] = &sent[..] else {
        panic!("{sent:?}")
    };
    assert_eq!((answer.to, check.to), (stranger.address, stranger.address));
    assert_eq!(dht.nodes().count(), 0);
    // An answer to nothing, one from elsewhere, and one by another name.
    let other = id(8);
    let forged = response_to(check, &stranger.id);
    let unsolicited = Message {
        rid: forged.rid ^ 1,
        ..forged
    };
    give(&mut dht, START, stranger.address, &unsolicited.encode());
    give(&mut dht, START, address(2), &forged.encode());
    assert_eq!(dht.nodes().count(), 0);
    let renamed = response_to(check, &other).encode();
    give(&mut dht, START, stranger.address, &renamed);
    let known: Vec<Id> = dht.nodes().map(|it| it.id).collect();
    assert_eq!(
        known,
        [other],
        "whoever answers is known by the name it shows"
    );
}

#[test]
fn an_ephemeral_node_is_not_added_and_not_told_of() {
    let mut dht = persistent(1);
    let question = query(1, command::FIND_NODE, Some(&id(3))).encode();
    assert_eq!(give(&mut dht, START, address(1), &question).len(), 1);
    // Nor is one of an older version, whatever id it shows.
    let own = id(5);
    let mut question = query(1, command::FIND_NODE, Some(&own));
    question.id = Some(own.as_bytes());
    for version in [None, Some(0)] {
        question.version = version;
        assert_eq!(
            give(&mut dht, START, address(1), &question.encode()).len(),
            1
        );
    }
}

#[test]
fn an_address_is_not_replaced_while_it_answers() {
    let mut dht = persistent(1);
    let node = Node {
        id: id(0x90),
        address: address(1),
    };
    meet(&mut dht, START, node, &[node.id]);
    // Another claims the id, from another address, in an answer to a ping of ours.
    let thief = address(2);
    dht.ping(START, thief);
    let sent = pass(&mut dht, START);
    let checks = give(
        &mut dht,
        START,
        thief,
        &response_to(&sent[0], &node.id).encode(),
    );
    assert_eq!(checks[0].to, node.address, "the first is asked");
    assert_eq!(dht.nodes().collect::<Vec<_>>(), [node]);
    // It stays silent: the other comes in, once it has answered too.
    let mut asked = Vec::new();
    for step in 1..200 {
        asked.extend(pass(&mut dht, after(50 * step)));
        if let Some(at) = asked.iter().position(|it| it.to == thief) {
            let answer = response_to(&asked.remove(at), &node.id).encode();
            give(&mut dht, after(50 * step), thief, &answer);
        }
    }
    let moved = Node {
        address: thief,
        ..node
    };
    assert_eq!(dht.nodes().collect::<Vec<_>>(), [moved]);
}

/// Two nodes of an address and eight of a /24 network in a bucket.
#[test]
fn one_network_does_not_fill_a_bucket() {
    let mut dht = with_config(1, |config| config.id = Some(id(0)));
    let bucket = |i: u8| {
        let mut bytes = [0x80; 32];
        bytes[31] = i;
        Id::from_bytes(bytes)
    };
    for i in 0..20 {
        let address = SocketAddrV4::new([50, 0, 0, 1].into(), 1000 + u16::from(i));
        meet_one(
            &mut dht,
            Node {
                id: bucket(i),
                address,
            },
        );
    }
    assert_eq!(dht.nodes().count(), 2);
    for i in 20..50 {
        let address = SocketAddrV4::new([50, 0, 0, i].into(), 1000);
        meet_one(
            &mut dht,
            Node {
                id: bucket(i),
                address,
            },
        );
    }
    assert_eq!(dht.nodes().count(), 8);
    for i in 50..100 {
        let address = SocketAddrV4::new([50, 0, i, 1].into(), 1000);
        meet_one(
            &mut dht,
            Node {
                id: bucket(i),
                address,
            },
        );
    }
    assert_eq!(
        dht.nodes().count(),
        20,
        "and all together no more than a bucket holds"
    );
    // On this machine all nodes share an address.
    let mut dht = with_config(1, |config| config.id = Some(id(0)));
    for i in 0..20 {
        let address = SocketAddrV4::new([127, 0, 0, 1].into(), 1000 + u16::from(i));
        meet_one(
            &mut dht,
            Node {
                id: bucket(i),
                address,
            },
        );
    }
    assert_eq!(dht.nodes().count(), 20);
}

#[test]
fn the_table_has_a_limit() {
    let mut dht = with_config(1, |config| config.max_table_nodes = 10);
    for i in 0..30_u8 {
        let node = Node {
            id: hash(&i.to_string()),
            address: address(u32::from(i)),
        };
        meet_one(&mut dht, node);
    }
    assert_eq!(dht.nodes().count(), 10);
}

#[test]
fn nodes_that_stop_answering_leave() {
    let mut dht = persistent(1);
    for i in 1..=5 {
        meet_one(
            &mut dht,
            Node {
                id: id(16 * i),
                address: address(u32::from(i)),
            },
        );
    }
    assert_eq!(dht.nodes().count(), 5);
    pass(&mut dht, after(10 * 60_000));
    assert_eq!(dht.nodes().count(), 0);
}

fn hash(text: &str) -> Id {
    Id::from_bytes(Blake2b::<U32>::digest(text.as_bytes()).into())
}

/// The address of the `i`th of many: each in a network of its own.
fn place(i: usize) -> SocketAddrV4 {
    address(u32::try_from(i).unwrap() + 1)
}

fn meet_one(dht: &mut Dht, node: Node) {
    meet(dht, START, node, &[]);
}

/// A node shows itself and answers whatever it is asked, as all the others do whose ids are given in
/// the order of their places.
fn meet(dht: &mut Dht, now: Timestamp, node: Node, others: &[Id]) {
    let mut question = query(1, command::PING, None);
    question.id = Some(node.id.as_bytes());
    let mut sent: Vec<Transmit> = give(dht, now, node.address, &question.encode());
    while let Some(transmit) = sent.pop() {
        if Message::decode(&transmit.bytes).unwrap().command.is_none() {
            continue;
        }
        let other = others
            .iter()
            .enumerate()
            .find(|(i, _)| place(*i) == transmit.to);
        let id = other.map_or(node.id, |(_, id)| *id);
        sent.extend(give(
            dht,
            now,
            transmit.to,
            &response_to(&transmit, &id).encode(),
        ));
    }
}

fn find_node(dht: &mut Dht, now: Timestamp, target: Id) -> Vec<Node> {
    let question = query(1, command::FIND_NODE, Some(&target)).encode();
    let sent = give(dht, now, address(99_999), &question);
    let answer = Message::decode(&sent[0].bytes).unwrap();
    decode_nodes(answer.closer_nodes.unwrap()).collect()
}
