//! Peers on one link find each other, and nobody else gets a word in.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use hyperswarm::lan::{
    ANSWER_BURST, ANSWER_INTERVAL, Answer, Lan, LanEvent, LanJoin, LanStats, LanTopic, Link, Packet,
};

const TOPIC: [u8; 32] = [7; 32];
const BOTH: LanJoin = LanJoin {
    announce: Some(5000),
    lookup: true,
};

#[test]
fn two_on_a_link_find_each_other_at_once() {
    let mut a = lan(1, [10, 0, 0, 1]);
    let mut b = lan(2, [10, 0, 0, 2]);
    a.join(at(0), TOPIC, BOTH);
    let early = packets(&mut a);
    assert_eq!(early.len(), 2, "an announcement and a query");
    b.join(
        at(1),
        TOPIC,
        LanJoin {
            announce: Some(6000),
            ..BOTH
        },
    );
    // What b says reaches a; what a says to that reaches b.
    for packet in packets(&mut b) {
        a.handle_packet(at(2), from([10, 0, 0, 2]), &packet);
    }
    for packet in packets(&mut a) {
        b.handle_packet(at(3), from([10, 0, 0, 1]), &packet);
    }
    assert_eq!(peers(&mut a), [address([10, 0, 0, 2], 6000)]);
    assert_eq!(peers(&mut b), [address([10, 0, 0, 1], 5000)]);
}

#[test]
fn ones_own_words_are_not_taken_for_a_peer() {
    let mut a = lan(1, [10, 0, 0, 1]);
    a.join(at(0), TOPIC, BOTH);
    for packet in packets(&mut a) {
        a.handle_packet(at(1), from([10, 0, 0, 1]), &packet);
    }
    assert_eq!(peers(&mut a), []);
}

#[test]
fn two_processes_of_one_machine_find_each_other() {
    // Same address, other id.
    let mut a = lan(1, [10, 0, 0, 1]);
    let mut b = lan(2, [10, 0, 0, 1]);
    a.join(at(0), TOPIC, BOTH);
    b.join(at(0), TOPIC, BOTH);
    for packet in packets(&mut b) {
        a.handle_packet(at(1), from([10, 0, 0, 1]), &packet);
    }
    assert_eq!(peers(&mut a), [address([10, 0, 0, 1], 5000)]);
}

#[test]
fn who_only_looks_says_nothing_and_who_only_tells_asks_nothing() {
    let mut looks = lan(1, [10, 0, 0, 1]);
    looks.join(
        at(0),
        TOPIC,
        LanJoin {
            announce: None,
            lookup: true,
        },
    );
    assert_eq!(packets(&mut looks), [Packet::query(LanTopic::of(&TOPIC))]);
    looks.handle_packet(
        at(1),
        from([10, 0, 0, 2]),
        &Packet::query(LanTopic::of(&TOPIC)),
    );
    assert_eq!(packets(&mut looks), [] as [Vec<u8>; 0]);

    let mut tells = lan(2, [10, 0, 0, 2]);
    tells.join(
        at(0),
        TOPIC,
        LanJoin {
            lookup: false,
            ..BOTH
        },
    );
    assert_eq!(packets(&mut tells).len(), 1);
    assert_eq!(tells.poll_timeout(), None);
    tells.handle_packet(at(1), from([10, 0, 0, 3]), &answer(6000, 9));
    assert_eq!(peers(&mut tells), []);
}

#[test]
fn queries_are_repeated_after_half_a_minute_to_a_minute() {
    let mut a = lan(1, [10, 0, 0, 1]);
    a.join(at(0), TOPIC, BOTH);
    packets(&mut a);
    let mut now = at(0);
    for _ in 0..20 {
        let next = a.poll_timeout().expect("it goes on");
        let pause = next - now;
        assert!(pause >= Duration::from_secs(30) && pause < Duration::from_secs(60));
        a.handle_timeout(next - Duration::from_millis(1));
        assert_eq!(packets(&mut a).len(), 0, "early");
        a.handle_timeout(next);
        assert_eq!(packets(&mut a).len(), 1);
        now = next;
    }
    a.leave(&TOPIC);
    assert_eq!(a.poll_timeout(), None);
}

#[test]
fn a_new_link_is_told_and_asked() {
    let mut a = Lan::new([1; 32], at(0));
    a.join(at(0), TOPIC, BOTH);
    packets(&mut a);
    a.set_links(at(10_000), vec![link([10, 0, 0, 1])]);
    assert_eq!(packets(&mut a).len(), 2);
    a.set_links(at(20_000), vec![link([10, 0, 0, 1])]);
    assert_eq!(packets(&mut a).len(), 0, "nothing is new");
    a.set_links(
        at(30_000),
        vec![link([10, 0, 0, 1]), link([192, 168, 0, 1])],
    );
    assert_eq!(packets(&mut a).len(), 2);
}

#[test]
fn answers_are_rationed_and_none_who_asked_is_forgotten() {
    let mut a = lan(1, [10, 0, 0, 1]);
    a.join(
        at(0),
        TOPIC,
        LanJoin {
            lookup: false,
            ..BOTH
        },
    );
    let mut answers = packets(&mut a).len();
    let query = Packet::query(LanTopic::of(&TOPIC));
    for _ in 0..100 {
        a.handle_packet(at(1), from([10, 0, 0, 2]), &query);
    }
    answers += packets(&mut a).len();
    assert_eq!(answers, ANSWER_BURST as usize);
    let due = a.poll_timeout().expect("an answer is owed");
    assert_eq!(due, at(0) + ANSWER_INTERVAL);
    a.handle_timeout(due);
    assert_eq!(packets(&mut a).len(), 1);
    assert_eq!(a.poll_timeout(), None);
}

#[test]
fn fault_n8_answers_from_off_link_are_dropped() {
    let mut a = lan(1, [10, 0, 0, 1]);
    a.join(at(0), TOPIC, BOTH);
    packets(&mut a);
    // Another network, an address that only looks near, and another port than everybody's.
    a.handle_packet(at(1), from([8, 8, 8, 8]), &answer(6000, 9));
    a.handle_packet(at(1), from([10, 0, 1, 2]), &answer(6000, 9));
    let other_port = SocketAddrV4::new([10, 0, 0, 2].into(), 5354);
    a.handle_packet(at(1), other_port, &answer(6000, 9));
    assert_eq!(peers(&mut a), []);
    assert_eq!(a.stats().off_link, 3);
    // Nor do they get an answer.
    a.handle_packet(
        at(1),
        from([8, 8, 8, 8]),
        &Packet::query(LanTopic::of(&TOPIC)),
    );
    assert_eq!(packets(&mut a), [] as [Vec<u8>; 0]);
}

#[test]
fn fault_n8_an_answer_that_names_somebody_else_is_dropped() {
    let mut a = lan(1, [10, 0, 0, 1]);
    a.join(at(0), TOPIC, BOTH);
    // The reference's answer, with the address of a victim for the four zeros.
    let mut packet = answer(6000, 9);
    let zeros = [1, b'0', 1, b'0', 1, b'0', 1, b'0', 0];
    let place = packet
        .windows(9)
        .position(|it| it == zeros)
        .expect("a target");
    for label in [1, 3, 5, 7] {
        packet[place + label] = b'9';
    }
    a.handle_packet(at(1), from([10, 0, 0, 2]), &packet);
    assert_eq!(peers(&mut a), []);
    assert_eq!(a.stats().foreign, 1);
    // The sender itself may be named.
    a.handle_packet(at(1), from([9, 9, 9, 9]), &packet);
    assert_eq!(peers(&mut a), []);
    a.set_links(at(2), vec![link([9, 9, 9, 1])]);
    a.handle_packet(at(3), from([9, 9, 9, 9]), &packet);
    assert_eq!(peers(&mut a), [address([9, 9, 9, 9], 6000)]);
}

#[test]
fn fault_n8_a_flood_leaves_room_for_others() {
    // 10^4 answers a second from one neighbour, for ten seconds, and one honest answer in each.
    let mut a = lan(1, [10, 0, 0, 1]);
    a.join(at(0), TOPIC, BOTH);
    let mut honest = 0;
    let mut hostile = 0;
    for tick in 0..100_000 {
        let now = Duration::from_micros(tick * 100);
        let port = 1 + u16::try_from(tick % 60_000).expect("below 60,000");
        a.handle_packet(now, from([10, 0, 0, 66]), &answer(port, 6));
        if tick % 10_000 == 5_000 {
            a.handle_packet(now, from([10, 0, 0, 2]), &answer(6000, 9));
        }
        for peer in peers(&mut a) {
            if *peer.ip() == Ipv4Addr::new(10, 0, 0, 2) {
                honest += 1;
            } else {
                hostile += 1;
            }
        }
    }
    assert_eq!(honest, 10);
    // A burst of 200, then 50 a second.
    assert!((690..=710).contains(&hostile), "{hostile}");
    let stats: LanStats = a.stats();
    assert_eq!(stats.accepted + stats.too_many, 100_010);
}

#[test]
fn fault_n8_floods_from_many_addresses_are_bounded_too() {
    let mut a = Lan::new([1; 32], at(0));
    let wide = Link {
        address: [10, 0, 0, 1].into(),
        netmask: [255, 0, 0, 0].into(),
    };
    a.set_links(at(0), vec![wide]);
    a.join(at(0), TOPIC, BOTH);
    let mut found = 0;
    for tick in 0..100_000u32 {
        let now = Duration::from_micros(u64::from(tick) * 100);
        let [_, b, c, d] = tick.to_be_bytes();
        a.handle_packet(now, from([10, b, c, d]), &answer(6000, 6));
        found += peers(&mut a).len();
    }
    // A burst of 1000, then 500 a second.
    assert!(found <= 6000, "{found}");
    // When the flood is over, others are heard again.
    a.handle_packet(at(60_000), from([10, 200, 0, 1]), &answer(6000, 9));
    assert_eq!(peers(&mut a), [address([10, 200, 0, 1], 6000)]);
}

#[test]
fn hostile_packets_are_counted_and_forgotten() {
    let mut a = lan(1, [10, 0, 0, 1]);
    a.join(at(0), TOPIC, BOTH);
    a.handle_packet(at(1), from([10, 0, 0, 2]), &[]);
    a.handle_packet(at(1), from([10, 0, 0, 2]), &[0xff; 2048]);
    a.handle_packet(at(1), from([10, 0, 0, 2]), &[0; 65_000]);
    assert_eq!(a.stats().malformed, 3);
    assert_eq!(peers(&mut a), []);
}

fn lan(seed: u8, address: [u8; 4]) -> Lan {
    let mut lan = Lan::new([seed; 32], at(0));
    lan.set_links(at(0), vec![link(address)]);
    lan
}

fn link(address: [u8; 4]) -> Link {
    Link {
        address: address.into(),
        netmask: [255, 255, 255, 0].into(),
    }
}

fn answer(port: u16, id: u8) -> Vec<u8> {
    let answer = Answer {
        topic: LanTopic::of(&TOPIC),
        port,
        id: [id; 32],
    };
    Packet::response(&answer, None)
}

fn packets(lan: &mut Lan) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| lan.poll_transmit()).collect()
}

fn peers(lan: &mut Lan) -> Vec<SocketAddrV4> {
    let events = std::iter::from_fn(|| lan.poll_event());
    events
        .map(|event| match event {
            LanEvent::Peer { topic, address } => {
                assert_eq!(topic, TOPIC);
                address
            }
            other => panic!("{other:?}"),
        })
        .collect()
}

fn from(ip: [u8; 4]) -> SocketAddrV4 {
    address(ip, 5353)
}

fn address(ip: [u8; 4], port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(ip.into(), port)
}

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
