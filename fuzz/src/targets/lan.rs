use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use hyperswarm::lan::{
    ANSWER_BURST, ANSWER_INTERVAL, Lan, LanEvent, LanJoin, Link, MAX_PACKET_BYTES, Packet,
};

use crate::input::Input;
use crate::plant;

/// Local discovery among strangers: each byte is a step, followed by what it needs.
///
/// Whatever they send, nobody is believed about others, whoever is not on the link is not heard, and
/// what is sent in reaction keeps to its pace.
pub fn lan(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut world = World::new();
    while !input.is_empty() {
        match input.byte() & 7 {
            0..=2 => {
                let from = stranger(input.byte());
                world.hear(from, input.piece());
            }
            3 => world.pass(Duration::from_millis(20 * u64::from(input.byte()))),
            4 => world.pass(Duration::from_secs(u64::from(input.byte()))),
            5 => {
                let choice = input.byte();
                let join = LanJoin {
                    announce: (choice & 4 != 0).then_some(5000),
                    lookup: choice & 8 != 0,
                };
                world.join(topic(choice), join);
            }
            6 => {
                let topic = topic(input.byte());
                world.lan.leave(&topic);
                world.joined.remove(&topic);
            }
            _ => {
                world.lan.refresh(world.now);
                // Asked for by us, so of no account.
                world.said(None);
                world.answers.clear();
            }
        }
    }
}

struct World {
    lan: Lan,
    now: Duration,
    joined: BTreeMap<[u8; 32], LanJoin>,
    /// Answers sent about each topic since its pace was begun, and when that was.
    answers: BTreeMap<[u8; 20], (u32, Duration)>,
}

impl World {
    fn new() -> Self {
        let now = Duration::from_secs(1);
        let mut world = Self {
            lan: Lan::new([7; 32], now),
            now,
            joined: BTreeMap::new(),
            answers: BTreeMap::new(),
        };
        world.lan.set_links(now, vec![LINK]);
        let both = LanJoin {
            announce: Some(5000),
            lookup: true,
        };
        world.join(topic(0), both);
        world
    }

    fn join(&mut self, topic: [u8; 32], join: LanJoin) {
        self.joined.insert(topic, join);
        self.lan.join(self.now, topic, join);
        self.said(None);
        self.answers.clear();
    }

    fn hear(&mut self, from: SocketAddrV4, packet: &[u8]) {
        let before = self.lan.stats();
        self.lan.handle_packet(self.now, from, packet);
        let after = self.lan.stats();
        let counted =
            |it: hyperswarm::lan::LanStats| it.accepted + it.off_link + it.too_many + it.malformed;
        assert_eq!(counted(after), counted(before) + 1);
        self.said(Some(from));
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.lan.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.lan.handle_timeout(self.now);
            let next = self.lan.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "{next:?} is over");
            self.said(None);
        }
        self.now = end;
    }

    /// Looks at what was sent, and at what was learned from a packet of somebody.
    fn said(&mut self, from: Option<SocketAddrV4>) {
        while let Some(packet) = self.lan.poll_transmit() {
            assert!(packet.len() <= MAX_PACKET_BYTES);
            match Packet::decode(&packet) {
                Ok(Packet::Query { topics, .. }) => assert_eq!(topics.len(), 1),
                Ok(Packet::Response { services, .. }) => {
                    assert_eq!(services.len(), 1);
                    self.answered(services[0].topic.0);
                }
                Err(error) => panic!("what was sent: {error}"),
            }
        }
        while let Some(LanEvent::Peer { topic, address }) = self.lan.poll_event() {
            let from = from.expect("peers are learned from packets");
            assert!(LINK.contains(*from.ip()) && from.port() == 5353);
            assert_eq!(address.ip(), from.ip());
            assert_ne!(address.port(), 0);
            assert!(self.joined.get(&topic).is_some_and(|it| it.lookup));
            // As if a port were taken for another, of those that no seed has.
            let is_new = ![5000, 6000].contains(&address.port());
            assert!(!plant::strikes(is_new), "{address}");
        }
    }

    fn answered(&mut self, topic: [u8; 20]) {
        let (count, since) = self.answers.entry(topic).or_insert((0, self.now));
        *count += 1;
        let passed = self.now.saturating_sub(*since).as_millis() / ANSWER_INTERVAL.as_millis();
        let allowed = u128::from(ANSWER_BURST) + passed + 1;
        assert!(u128::from(*count) <= allowed, "{count} answers");
    }
}

/// Strangers by number: on our link, on it with a port of their own, and elsewhere.
fn stranger(number: u8) -> SocketAddrV4 {
    match number >> 6 {
        0 | 1 => SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, number), 5353),
        2 => SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, number), 4000),
        _ => SocketAddrV4::new(Ipv4Addr::new(50, 1, 2, number), 5353),
    }
}

/// Topics by number; the first is that of the vectors.
fn topic(number: u8) -> [u8; 32] {
    let mut topic = [0; 32];
    let known = "8197ab16630da3b3298f75d68a4230d39e4fb4d2ef46ec65aa3eadbb6cdb3048";
    hex::decode_to_slice(known, &mut topic).expect("32 bytes");
    topic[0] ^= number & 3;
    topic
}

const LINK: Link = Link {
    address: Ipv4Addr::new(192, 168, 0, 1),
    netmask: Ipv4Addr::new(255, 255, 255, 0),
};
