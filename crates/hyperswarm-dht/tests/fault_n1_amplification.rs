//! Nobody uses a node to flood a third party.
#![allow(clippy::unwrap_used)]

mod common;

use std::net::SocketAddrV4;

use common::{START, address, after, give, id, pass, persistent, query, response_to, with_config};
use hyperswarm_dht::wire::{Kind, Message, Node, PeersRequest, Punch, command, encode_peer};
use hyperswarm_dht::{Dht, MAX_REPLY_BYTES};

/// A node with a full table, and a topic with as many records as one can have.
fn busy() -> Dht {
    let mut dht = persistent(1);
    for i in 0..200_u8 {
        let node = Node {
            id: id(i),
            address: address(1000 + u32::from(i)),
        };
        let mut question = query(1, command::PING, None);
        question.id = Some(node.id.as_bytes());
        let sent = give(&mut dht, START, node.address, &question.encode());
        for check in &sent[1..] {
            give(
                &mut dht,
                START,
                node.address,
                &response_to(check, &node.id).encode(),
            );
        }
    }
    for i in 0..512_u32 {
        announce(&mut dht, address(5000 + i), 3);
    }
    dht
}

fn announce(dht: &mut Dht, from: SocketAddrV4, topic: u8) {
    let sent = give(dht, START, from, &query(1, command::PING, None).encode());
    let token = Message::decode(&sent[0].bytes)
        .unwrap()
        .token
        .unwrap()
        .to_vec();
    let value = PeersRequest {
        port: Some(0),
        ..PeersRequest::default()
    };
    let topic = id(topic);
    let order = Message {
        kind: Kind::Update,
        token: Some(&token),
        value: Some(&value.encode()),
        ..query(2, command::PEERS, Some(&topic))
    };
    assert_eq!(give(dht, START, from, &order.encode()).len(), 1);
}

fn lookup() -> Vec<u8> {
    let topic = id(3);
    let message = Message {
        value: Some(b""),
        ..query(1, command::PEERS, Some(&topic))
    };
    message.encode()
}

#[test]
fn fault_n1_no_answer_is_longer_than_a_packet() {
    let mut dht = busy();
    let sent = give(&mut dht, START, address(1), &lookup());
    let length = sent[0].bytes.len();
    println!("{} bytes of question, {length} of answer", lookup().len());
    assert!((1100..=MAX_REPLY_BYTES).contains(&length));
}

/// What a forger can make one node send to one victim.
#[test]
fn fault_n1_flood_from_one_address() {
    let mut dht = busy();
    let (mut received, mut sent) = (0, 0);
    // 20 s of 5,000 questions a second: two periods and the one in which we are.
    for step in 0..100_000_u64 {
        let question = lookup();
        received += question.len();
        let answers = give(&mut dht, after(step / 5), address(1), &question);
        sent += answers.iter().map(|it| it.bytes.len()).sum::<usize>();
    }
    let periods = 3;
    let allowed = 3 * received + periods * (64 << 10);
    println!(
        "received {received} bytes, sent {sent}: {:.2} for one",
        sent as f64 / received as f64
    );
    assert!(sent <= allowed);
    // Whoever asks in earnest is still answered, if briefly.
    let answer = give(&mut dht, after(20_000), address(1), &lookup());
    assert_eq!(answer.len(), 1);
}

/// The rule at each moment of a period, whatever is made to come out: answers, signs of life asked
/// for, and answers to hole punches that another node was told to pass on.
#[test]
fn fault_n1_never_more_than_the_allowance_and_three_for_one() {
    let mut dht = busy();
    let victim = address(1);
    let referrer = Node {
        id: id(250),
        address: address(2),
    };
    prove(&mut dht, referrer);
    let (mut received, mut sent) = (0, 0);
    let mut kinds = [0_usize; 5];
    for step in 0..4_000_u64 {
        let mut name = [0; 32];
        name[..8].copy_from_slice(&step.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        let topic = id(3);
        let punch = encode_peer(victim);
        let punch = Punch {
            from: Some(&punch),
            to: None,
        };
        let punch = punch.encode();
        let (from, question) = match step % 5 {
            0 => (victim, lookup()),
            1 => {
                let mut question = query(step, command::PING, None);
                question.id = Some(&name);
                (victim, question.encode())
            }
            2 => {
                let mut question = query(step, command::FIND_NODE, Some(&topic));
                question.id = Some(&name);
                (victim, question.encode())
            }
            3 => (victim, query(step, command::HOLEPUNCH, None).encode()),
            _ => {
                let mut question = query(step, command::HOLEPUNCH, None);
                question.value = Some(&punch);
                (referrer.address, question.encode())
            }
        };
        if from == victim {
            received += question.len();
        }
        let now = after(1 + 2 * step);
        let mut all = pass(&mut dht, now);
        all.extend(give(&mut dht, now, from, &question));
        let bytes = all.iter().filter(|it| it.to == victim);
        let bytes = bytes.map(|it| it.bytes.len()).sum::<usize>();
        kinds[usize::try_from(step % 5).unwrap()] += bytes;
        sent += bytes;
        assert!(sent <= (64 << 10) + 3 * received, "{step}");
    }
    println!("received {received} bytes, sent {sent}, by kind {kinds:?}");
    // The flood got as much as it may, and each kind some.
    assert!(sent + MAX_REPLY_BYTES >= (64 << 10) + 3 * received);
    assert!(kinds.iter().all(|it| *it > 0));
}

/// Whoever is not counted, since too many are, has no allowance at all.
#[test]
fn fault_n1_three_for_one_for_those_that_are_not_counted() {
    let mut dht = with_config(1, |config| config.max_counted_ips = 1);
    give(&mut dht, START, address(9), &lookup());
    for i in 0..200_u64 {
        let mut name = [0; 32];
        name[..8].copy_from_slice(&(i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        let mut question = query(1, command::PING, None);
        question.id = Some(&name);
        let question = question.encode();
        let now = after(10 * i);
        let mut all = give(&mut dht, now, address(1), &question);
        all.extend(pass(&mut dht, after(10 * i + 9)));
        let sent: usize = all.iter().map(|it| it.bytes.len()).sum();
        assert!((1..=3 * question.len()).contains(&sent), "{sent}");
    }
}

/// A node that answers our ping is proven.
fn prove(dht: &mut Dht, node: Node) {
    dht.ping(START, node.address);
    let pings: Vec<_> = std::iter::from_fn(|| dht.poll_transmit()).collect();
    let ping = pings.iter().find(|it| it.to == node.address).unwrap();
    let answer = response_to(ping, &node.id).encode();
    give(dht, START, node.address, &answer);
}

#[test]
fn fault_n1_flood_from_ten_thousand_addresses() {
    let mut dht = busy();
    let sources = 10_000;
    let (mut received, mut sent) = (0, 0);
    for step in 0..200_000_u32 {
        let question = lookup();
        received += question.len();
        let from = address(100_000 + step % sources);
        let answers = give(&mut dht, after(u64::from(step) / 20), from, &question);
        sent += answers.iter().map(|it| it.bytes.len()).sum::<usize>();
    }
    println!(
        "received {received} bytes, sent {sent}: {:.2} for one",
        sent as f64 / received as f64
    );
    // One period, and the one that begins with its last datagram.
    assert!(sent <= 3 * received + 2 * (8 << 20));
    // Those that are not counted get no allowance at all.
    let mut uncounted = 0;
    for i in 0..1000 {
        let answers = give(&mut dht, after(9_999), address(200_000 + i), &lookup());
        uncounted += answers.iter().map(|it| it.bytes.len()).sum::<usize>();
    }
    assert!(uncounted <= 3 * 1000 * lookup().len());
    assert!(uncounted > 0);
}

/// An id in a question makes us ask back; that is counted too, and bounded.
#[test]
fn fault_n1_questions_with_ids_of_others() {
    let mut dht = persistent(1);
    let (mut received, mut sent) = (0, 0);
    for step in 0..50_000_u64 {
        let mut name = [0; 32];
        name[..8].copy_from_slice(&step.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        let mut question = query(step, command::PING, None);
        question.id = Some(&name);
        let question = question.encode();
        received += question.len();
        let now = after(step / 5);
        dht.handle_timeout(now);
        let answers = give(&mut dht, now, address(1), &question);
        sent += answers.iter().map(|it| it.bytes.len()).sum::<usize>();
    }
    println!(
        "received {received} bytes, sent {sent}: {:.2} for one",
        sent as f64 / received as f64
    );
    assert!(sent <= 3 * received + 2 * (64 << 10));
}
