//! Bad entries among the nodes of an answer are left out, and the good ones count.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::net::SocketAddrV4;

use common::{START, address, events, give, id, pass, response_to, sent, with_config};
use hyperswarm_dht::wire::{Message, Node, encode_nodes};
use hyperswarm_dht::{Dht, Event, Id, Transmit};

/// Who is asked in consequence of one answer that tells of these nodes.
fn asked_after(dht: &mut Dht, nodes: &[u8]) -> BTreeSet<SocketAddrV4> {
    dht.find_node(START, id(0x55));
    let first = sent(dht);
    let from = id(0x99);
    let answer = Message {
        closer_nodes: Some(nodes),
        ..response_to(&first[0], &from)
    };
    let reaction = give(dht, START, first[0].to, &answer.encode());
    reaction.iter().map(|it| it.to).collect()
}

fn with_bootstrap() -> Dht {
    with_config(1, |config| config.bootstrap = vec![address(1)])
}

#[test]
fn fault_n3_bad_entries_are_left_out_singly() {
    let mut dht = with_bootstrap();
    let at = |text: &str| -> SocketAddrV4 { text.parse().unwrap() };
    let own = dht.id();
    let good = [
        Node {
            id: id(1),
            address: address(11),
        },
        Node {
            id: id(2),
            address: address(12),
        },
    ];
    let bad = [
        Node {
            id: id(3),
            address: at("20.1.1.1:0"),
        },
        Node {
            id: id(4),
            address: at("127.0.0.1:80"),
        },
        Node {
            id: id(5),
            address: at("10.0.0.1:80"),
        },
        Node {
            id: id(6),
            address: at("0.0.0.0:80"),
        },
        Node {
            id: id(7),
            address: at("239.1.1.1:80"),
        },
        Node {
            id: own,
            address: address(13),
        },
    ];
    let mut bytes = encode_nodes([&good[0]].into_iter().chain(&bad).chain([&good[1]]));
    bytes.extend([1, 2, 3]);
    let asked = asked_after(&mut dht, &bytes);
    assert_eq!(asked, good.iter().map(|it| it.address).collect());
}

#[test]
fn fault_n3_our_own_address_is_left_out() {
    let mut dht = with_bootstrap();
    let own = address(77);
    let own_bytes = hyperswarm_dht::wire::encode_peer(own);
    for i in 0..3 {
        dht.ping(START, address(20 + i));
        let ping = sent(&mut dht);
        let name = id(20 + u8::try_from(i).unwrap());
        let mut pong = response_to(&ping[0], &name);
        pong.to = Some(&own_bytes);
        give(&mut dht, START, address(20 + i), &pong.encode());
    }
    assert_eq!(dht.observed_address().unwrap().port, Some(own.port()));
    events(&mut dht);
    let nodes = encode_nodes([
        &Node {
            id: id(1),
            address: own,
        },
        &Node {
            id: id(2),
            address: address(12),
        },
    ]);
    let asked = asked_after(&mut dht, &nodes);
    assert!(asked.contains(&address(12)));
    assert!(!asked.contains(&own));
}

#[test]
fn fault_n3_a_thousand_entries() {
    let mut dht = with_bootstrap();
    let nodes: Vec<Node> = (0..50)
        .map(|i| {
            let mut bytes = [0x55; 32];
            bytes[31] = i;
            Node {
                id: Id::from_bytes(bytes),
                address: address(1000 + u32::from(i)),
            }
        })
        .collect();
    // A datagram holds no thousand; as many as it does, and then again from each that is asked.
    dht.find_node(START, id(0x55));
    let mut outgoing = sent(&mut dht);
    let mut requests = 0;
    let mut asked = BTreeSet::new();
    while let Some(request) = outgoing.pop() {
        requests += 1;
        asked.insert(request.to);
        let name = nodes
            .iter()
            .find(|it| it.address == request.to)
            .map_or(id(9), |it| it.id);
        let list = encode_nodes(&nodes);
        let answer = Message {
            closer_nodes: Some(&list),
            ..response_to(&request, &name)
        };
        outgoing.extend(give(&mut dht, START, request.to, &answer.encode()));
    }
    // Twenty are read of each answer, and these are always the same.
    assert_eq!(asked.len(), 21);
    assert_eq!(requests, 21);
}

/// Each answer tells of other nodes, nearer than all before, that do not exist.
#[test]
fn fault_n3_endless_tips_end() {
    let mut dht = with_bootstrap();
    dht.find_node(START, id(0x55));
    let mut now = START;
    let mut outgoing: Vec<Transmit> = sent(&mut dht);
    let mut made = 0_u32;
    let mut requests = 0;
    let result = loop {
        requests += outgoing.len();
        for request in std::mem::take(&mut outgoing) {
            let name = id(0x99);
            let nodes: Vec<Node> = (0..20)
                .map(|_| {
                    made += 1;
                    let mut bytes = [0x55; 32];
                    bytes[24..28].copy_from_slice(&(u32::MAX - made).to_be_bytes());
                    Node {
                        id: Id::from_bytes(bytes),
                        address: address(1000 + made),
                    }
                })
                .collect();
            let list = encode_nodes(&nodes);
            let answer = Message {
                closer_nodes: Some(&list),
                ..response_to(&request, &name)
            };
            dht.handle_datagram(now, request.to.into(), &answer.encode());
        }
        now = now + std::time::Duration::from_millis(20);
        outgoing = pass(&mut dht, now);
        let done = events(&mut dht).into_iter().find_map(|event| match event {
            Event::Done { result, .. } => Some(result),
            _ => None,
        });
        if let Some(result) = done {
            break result;
        }
    };
    println!("{requests} datagrams in {:?}", now.since_start());
    assert!(result.unwrap().requests <= 120);
    assert!(now.since_start() <= std::time::Duration::from_secs(30));
}
