//! A flood of records pushes out itself, not the records of others.
#![allow(clippy::unwrap_used)]

mod common;

use std::net::SocketAddrV4;

use common::{START, address, after, give, id, query, with_config};
use hyperswarm_dht::wire::{
    Kind, Message, PeersReply, PeersRequest, command, decode_peers, encode_peer,
};
use hyperswarm_dht::{Dht, Id, Timestamp};

fn token(dht: &mut Dht, now: Timestamp, from: SocketAddrV4) -> Vec<u8> {
    let sent = give(dht, now, from, &query(1, command::PING, None).encode());
    let answer = Message::decode(&sent[0].bytes).unwrap();
    answer.token.unwrap().to_vec()
}

fn announce(
    dht: &mut Dht,
    now: Timestamp,
    from: SocketAddrV4,
    token: &[u8],
    topic: &Id,
    request: PeersRequest<'_>,
) {
    let order = Message {
        kind: Kind::Update,
        token: Some(token),
        value: Some(&request.encode()),
        ..query(2, command::PEERS, Some(topic))
    };
    dht.handle_datagram(now, from.into(), &order.encode());
    while dht.poll_transmit().is_some() {}
    while dht.poll_event().is_some() {}
}

fn port(port: u16) -> PeersRequest<'static> {
    PeersRequest {
        port: Some(u64::from(port)),
        ..PeersRequest::default()
    }
}

/// Peers of a topic, and suffixes of local ones in the network of 10.1.
fn look_up(dht: &mut Dht, topic: &Id, now: Timestamp) -> (Vec<SocketAddrV4>, Vec<Vec<u8>>) {
    let local = encode_peer("10.1.200.200:1".parse().unwrap());
    let value = PeersRequest {
        local_address: Some(&local),
        ..PeersRequest::default()
    };
    let question = Message {
        value: Some(&value.encode()),
        ..query(3, command::PEERS, Some(topic))
    };
    let sent = give(dht, now, address(900_000), &question.encode());
    let answer = Message::decode(&sent[0].bytes).unwrap();
    let reply = PeersReply::decode(answer.value.unwrap()).unwrap();
    let locals = reply.local_peers.unwrap_or_default().chunks(4);
    (
        decode_peers(reply.peers.unwrap_or_default()).collect(),
        locals.map(<[u8]>::to_vec).collect(),
    )
}

fn topic(n: u32) -> Id {
    let mut bytes = [0x33; 32];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    Id::from_bytes(bytes)
}

/// A million records over as many topics, from 256 addresses in four networks.
#[test]
fn fault_n4_a_million_records_leave_honest_ones() {
    let mut dht = with_config(1, |_| ());
    let honest: Vec<_> = (0..200)
        .map(|i| (address(500 + i), topic(1_000_000 + i)))
        .collect();
    for (from, topic) in &honest {
        let token = token(&mut dht, START, *from);
        announce(&mut dht, START, *from, &token, topic, port(0));
    }
    let attackers: Vec<_> = (0..256_u32)
        .map(|i| {
            let [.., host] = i.to_be_bytes();
            let from = SocketAddrV4::new([60, 0, host % 4, host].into(), 4000);
            (from, token(&mut dht, START, from))
        })
        .collect();
    for i in 0..1_000_000_u32 {
        let (from, token) = &attackers[i as usize % attackers.len()];
        announce(
            &mut dht,
            after(u64::from(i) / 10_000),
            *from,
            token,
            &topic(i),
            port(0),
        );
    }
    assert!(dht.stored_records() <= 65_536);
    for (from, topic) in &honest {
        assert_eq!(look_up(&mut dht, topic, after(1000)).0, [*from]);
    }
    println!("{} records kept", dht.stored_records());
}

#[test]
fn fault_n4_quotas_of_an_address() {
    let mut dht = with_config(1, |_| ());
    let from = address(1);
    let token = token(&mut dht, START, from);
    for i in 1..=100 {
        announce(&mut dht, START, from, &token, &topic(1), port(i));
    }
    assert_eq!(dht.stored_records(), 20);
    for i in 0..1000 {
        announce(&mut dht, START, from, &token, &topic(i), port(0));
    }
    assert_eq!(dht.stored_records(), 500);
}

#[test]
fn fault_n4_quota_of_a_topic() {
    let mut dht = with_config(1, |_| ());
    let honest = address(1);
    let name = topic(1);
    let honest_token = token(&mut dht, START, honest);
    announce(&mut dht, START, honest, &honest_token, &name, port(0));
    for i in 0..300 {
        let from = address(1000 + i);
        let token = token(&mut dht, START, from);
        for p in 1..=2 {
            announce(&mut dht, START, from, &token, &name, port(p));
        }
    }
    assert_eq!(dht.stored_records(), 512);
    let mut seen = false;
    for _ in 0..200 {
        seen |= look_up(&mut dht, &name, START).0.contains(&honest);
    }
    assert!(
        seen,
        "whoever has one record there does not give way to those who have two"
    );
}

#[test]
fn fault_n4_local_addresses_of_wrong_lengths() {
    let mut dht = with_config(1, |_| ());
    let from = address(1);
    let token = token(&mut dht, START, from);
    let good = encode_peer("10.1.2.3:9000".parse().unwrap());
    for local in [
        &[][..],
        &good[..5],
        &[good, good].concat(),
        &[10, 1, 2, 3, 0, 0],
    ] {
        let request = PeersRequest {
            local_address: Some(local),
            ..port(0)
        };
        announce(&mut dht, START, from, &token, &topic(1), request);
    }
    assert_eq!(look_up(&mut dht, &topic(1), START), (vec![from], vec![]));
    let request = PeersRequest {
        local_address: Some(&good),
        ..port(0)
    };
    announce(&mut dht, START, from, &token, &topic(1), request);
    assert_eq!(
        look_up(&mut dht, &topic(1), START),
        (vec![from], vec![good[2..].to_vec()])
    );
}

#[test]
fn records_are_kept_for_twenty_minutes() {
    let mut dht = with_config(1, |_| ());
    let from = address(1);
    let token = token(&mut dht, START, from);
    announce(&mut dht, START, from, &token, &id(3), port(0));
    common::pass(&mut dht, after(19 * 60_000));
    assert_eq!(dht.stored_records(), 1);
    common::pass(&mut dht, after(21 * 60_000));
    assert_eq!(dht.stored_records(), 0);
}

/// Nobody removes or adds what belongs to another address.
#[test]
fn records_are_changed_from_their_own_address_only() {
    let mut dht = with_config(1, |_| ());
    let [one, other] = [address(1), address(2)];
    let tokens = [token(&mut dht, START, one), token(&mut dht, START, other)];
    announce(&mut dht, START, one, &tokens[0], &topic(1), port(0));
    let removal = PeersRequest {
        unannounce: Some(true),
        ..port(4000)
    };
    announce(&mut dht, START, other, &tokens[1], &topic(1), removal);
    assert_eq!(dht.stored_records(), 1);
    // With a token that is another's, nothing happens at all.
    announce(&mut dht, START, one, &tokens[1], &topic(1), removal);
    assert_eq!(dht.stored_records(), 1);
    announce(&mut dht, START, one, &tokens[0], &topic(1), removal);
    assert_eq!(dht.stored_records(), 0);
}
