//! Multicast packets are the reference's, byte for byte, and hostile ones are refused.

use std::net::Ipv4Addr;

use hyperswarm::lan::{
    Answer, LanTopic, MAX_PACKET_BYTES, MAX_RECORDS, Packet, PacketError, Service,
};
use proptest::prelude::*;
use testkit::vectors;

#[test]
fn queries_and_responses_are_those_of_the_reference() {
    let reference = Reference::load();
    let packets = &reference.packets;
    assert_eq!(Packet::query(reference.topic), packets[0]);
    assert_eq!(Packet::response(&reference.answer(), None), packets[1]);
    let asker = Some(Ipv4Addr::LOCALHOST);
    assert_eq!(Packet::response(&reference.answer(), asker), packets[2]);
}

#[test]
fn packets_of_the_reference_are_understood() {
    let reference = Reference::load();
    let query = Packet::Query {
        topics: vec![reference.topic],
        ids: vec![],
    };
    assert_eq!(Packet::decode(&reference.packets[0]), Ok(query));
    let service = |port| Service {
        topic: reference.topic,
        host: None,
        port,
    };
    for packet in &reference.packets[1..] {
        let response = Packet::Response {
            services: vec![service(5000)],
            ids: vec![reference.id],
        };
        assert_eq!(Packet::decode(packet), Ok(response));
    }
    let Ok(Packet::Response { services, ids }) = Packet::decode(&reference.foreign) else {
        panic!("a response is one");
    };
    assert_eq!(services, [service(6000)]);
    assert_ne!(ids, [reference.id]);
}

#[test]
fn names_may_be_compressed_and_in_either_case() {
    // Others on this port do both, and a resolver between us and Node may rewrite.
    let reference = Reference::load();
    let mut packet = vec![0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 1];
    packet.extend_from_slice(&reference.packets[0][12..71].to_ascii_uppercase());
    packet.extend_from_slice(&[0, 33, 0x80, 1, 0, 0, 0, 120]);
    let target = [1, b'0', 1, b'0', 1, b'0', 1, b'0', 0];
    put_data(
        &mut packet,
        &[&[0, 0, 0, 0, 0x13, 0x88][..], &target].concat(),
    );
    // The same name again, and a string before the one that matters.
    packet.extend_from_slice(&[0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 120]);
    put_data(&mut packet, &[&b"\x04v=42\x23id="[..], &[7; 32]].concat());
    let service = Service {
        topic: reference.topic,
        host: None,
        port: 5000,
    };
    let response = Packet::Response {
        services: vec![service],
        ids: vec![[7; 32]],
    };
    assert_eq!(Packet::decode(&packet), Ok(response));
}

#[test]
fn packets_cut_anywhere_are_refused() {
    let reference = Reference::load();
    for packet in &reference.packets {
        for length in 0..packet.len() {
            let cut = Packet::decode(&packet[..length]);
            assert_eq!(cut, Err(PacketError::Truncated), "{length}");
        }
    }
}

#[test]
fn length_and_records_have_limits() {
    let reference = Reference::load();
    let mut packet = reference.packets[0].clone();
    packet.resize(MAX_PACKET_BYTES, 0);
    assert!(Packet::decode(&packet).is_ok());
    packet.push(0);
    let error = PacketError::TooLong { bytes: 2049 };
    assert_eq!(Packet::decode(&packet), Err(error));

    let questions = |count: usize| {
        let mut packet = vec![0; 12];
        packet[5] = u8::try_from(count).expect("a small number");
        packet.extend([0, 0, 33, 0, 1].repeat(count));
        Packet::decode(&packet)
    };
    assert!(questions(MAX_RECORDS).is_ok());
    let records = MAX_RECORDS + 1;
    assert_eq!(
        questions(records),
        Err(PacketError::TooManyRecords { records })
    );
    // Claims cost nothing.
    let claims = [0, 0, 0x84, 0, 255, 255, 255, 255, 255, 255, 255, 255];
    let records = 4 * 65535;
    let error = PacketError::TooManyRecords { records };
    assert_eq!(Packet::decode(&claims), Err(error));
}

#[test]
fn names_that_go_in_circles_are_refused() {
    let question = |name: &[u8]| {
        let mut packet = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        packet.extend_from_slice(name);
        packet.extend_from_slice(&[0, 33, 0, 1]);
        Packet::decode(&packet)
    };
    // To itself, forward, and back into its own labels, which would repeat them without end.
    assert_eq!(question(&[0xc0, 12]), Err(PacketError::Name));
    assert_eq!(question(&[0xc0, 14]), Err(PacketError::Name));
    assert_eq!(question(&[1, b'a', 0xc0, 12]), Err(PacketError::Name));
    // Into the header, whose zeros are an empty name.
    assert!(question(&[0xc0, 0]).is_ok());
    // The longest name, and one that is longer by a byte.
    let mut longest = [[63].as_slice(), &[b'a'; 63]].concat().repeat(3);
    longest.extend_from_slice(&[[61].as_slice(), &[b'a'; 61], &[0]].concat());
    assert_eq!(longest.len(), 255);
    assert!(question(&longest).is_ok());
    longest[192] = 62;
    longest.insert(193, b'a');
    assert_eq!(question(&longest), Err(PacketError::Name));
    // Kinds of labels that do not exist.
    assert_eq!(question(&[0x40, 0]), Err(PacketError::Name));
    assert_eq!(question(&[0x80, 0]), Err(PacketError::Name));
}

proptest! {
    #[test]
    fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Packet::decode(&bytes);
    }

    #[test]
    fn damaged_packets_are_taken(at in 0usize..300, to: u8, which in 0usize..3) {
        let reference = Reference::load();
        let mut packet = reference.packets[which].clone();
        let at = at % packet.len();
        packet[at] = to;
        let _ = Packet::decode(&packet);
    }
}

/// A record's data behind its length.
fn put_data(packet: &mut Vec<u8>, data: &[u8]) {
    packet.push(0);
    packet.push(u8::try_from(data.len()).expect("little data"));
    packet.extend_from_slice(data);
}

struct Reference {
    topic: LanTopic,
    id: [u8; 32],
    packets: Vec<Vec<u8>>,
    foreign: Vec<u8>,
}

impl Reference {
    fn load() -> Self {
        let mdns = &vectors::load("tests/vectors/hyperswarm.json")["mdns"];
        let packets = mdns["packets"].as_array().expect("a list");
        let id: [u8; 35] = vectors::array(&mdns["id"]);
        Self {
            topic: LanTopic::of(&vectors::array(&mdns["topic"])),
            id: id[3..].try_into().expect("32 bytes"),
            packets: packets
                .iter()
                .map(|it| vectors::bytes(&it["hex"]))
                .collect(),
            foreign: vectors::bytes(&mdns["foreign"]),
        }
    }

    fn answer(&self) -> Answer {
        Answer {
            topic: self.topic,
            port: 5000,
            id: self.id,
        }
    }
}
