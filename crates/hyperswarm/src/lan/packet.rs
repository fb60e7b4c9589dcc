use std::net::Ipv4Addr;

use super::name::{self, Cursor, Labels};

/// The largest multicast packet that is looked at, in bytes.
pub const MAX_PACKET_BYTES: usize = 2048;

/// Questions and records of one packet together. A packet that claims more is refused.
pub const MAX_RECORDS: usize = 128;

/// What names a topic on a local network: its first 20 bytes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LanTopic(pub [u8; 20]);

impl LanTopic {
    /// The name of a topic.
    pub fn of(topic: &[u8; 32]) -> Self {
        let mut prefix = [0; 20];
        prefix.copy_from_slice(&topic[..20]);
        Self(prefix)
    }
}

/// What a multicast packet says, as far as it concerns us (`docs/formats/swarm.md`, "Packets").
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Packet {
    /// Somebody looks for peers.
    Query {
        /// Of these topics.
        topics: Vec<LanTopic>,
        /// Who asks, if the packet tells.
        ids: Vec<[u8; 32]>,
    },
    /// Somebody is a peer.
    Response {
        /// Of these topics.
        services: Vec<Service>,
        /// Who answers.
        ids: Vec<[u8; 32]>,
    },
}

/// A peer of a topic, in a response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Service {
    /// The topic.
    pub topic: LanTopic,
    /// The peer's address; `None` if it is where the packet comes from.
    pub host: Option<Ipv4Addr>,
    /// The peer's TCP port, never 0.
    pub port: u16,
}

/// What we say of one topic.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The topic.
    pub topic: LanTopic,
    /// Our TCP port.
    pub port: u16,
    /// Tells our answers from those of others; random for each topic.
    pub id: [u8; 32],
}

/// Why a packet was refused. Always the sender's fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// It is longer than [`MAX_PACKET_BYTES`].
    #[error("a packet of {bytes} bytes, and {MAX_PACKET_BYTES} are the limit")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It ends within what it claims to hold.
    #[error("the packet ends early")]
    Truncated,
    /// It claims more records than [`MAX_RECORDS`].
    #[error("a packet of {records} records, and {MAX_RECORDS} are the limit")]
    TooManyRecords {
        /// The sum of its four counts.
        records: usize,
    },
    /// A name is longer than DNS allows, or refers forward.
    #[error("a name that no packet may hold")]
    Name,
}

impl Packet {
    /// Reads a packet of any sender. Records that are none of ours are skipped, and a packet without
    /// any of ours is an empty query or response.
    pub fn decode(bytes: &[u8]) -> Result<Self, PacketError> {
        if bytes.len() > MAX_PACKET_BYTES {
            return Err(PacketError::TooLong { bytes: bytes.len() });
        }
        let mut cursor = Cursor::new(bytes);
        let _id = cursor.u16()?;
        let is_response = cursor.u16()? & RESPONSE != 0;
        let questions = usize::from(cursor.u16()?);
        let mut records = 0;
        for _ in 0..3 {
            records += usize::from(cursor.u16()?);
        }
        if questions + records > MAX_RECORDS {
            return Err(PacketError::TooManyRecords {
                records: questions + records,
            });
        }
        let mut topics = Vec::new();
        for _ in 0..questions {
            let name = cursor.name()?;
            let kind = cursor.u16()?;
            let class = cursor.u16()? & !UNICAST_WANTED;
            if let (SRV, INTERNET, Some(topic)) = (kind, class, topic_of(&name)) {
                topics.push(topic);
            }
        }
        let mut services = Vec::new();
        let mut ids = Vec::new();
        for _ in 0..records {
            let name = cursor.name()?;
            let kind = cursor.u16()?;
            let _class = cursor.u16()?;
            let _ttl = cursor.u32()?;
            let length = usize::from(cursor.u16()?);
            let mut data = cursor.split(length)?;
            let Some(topic) = topic_of(&name) else {
                continue;
            };
            match kind {
                SRV => services.extend(service(topic, &mut data)?),
                TXT => ids.extend(id(&mut data)?),
                _ => {}
            }
        }
        Ok(if is_response {
            Self::Response { services, ids }
        } else {
            Self::Query { topics, ids }
        })
    }

    /// The packet that asks for peers of a topic.
    pub fn query(topic: LanTopic) -> Vec<u8> {
        let mut packet = header(0, 1, 0);
        put_name(&mut packet, topic);
        put_u16s(&mut packet, [SRV, INTERNET]);
        packet
    }

    /// The packet that says where we are. `asker` is whoever asked, if somebody did; receivers make
    /// no use of it.
    pub fn response(answer: &Answer, asker: Option<Ipv4Addr>) -> Vec<u8> {
        let records = 2 + u16::from(asker.is_some());
        let mut packet = header(RESPONSE | AUTHORITATIVE, 0, records);
        put_name(&mut packet, answer.topic);
        put_u16s(&mut packet, [SRV, INTERNET, 0, 0]);
        put_data(&mut packet, |data| {
            put_u16s(data, [0, 0, answer.port]);
            name::put(data, &[b"0", b"0", b"0", b"0"]);
        });
        put_name(&mut packet, answer.topic);
        put_u16s(&mut packet, [TXT, INTERNET, 0, 0]);
        put_data(&mut packet, |data| {
            data.push(TXT_BYTES);
            data.extend_from_slice(ID_KEY);
            data.extend_from_slice(&answer.id);
        });
        if let Some(asker) = asker {
            name::put(&mut packet, &[b"referrer", DOMAIN[0], DOMAIN[1]]);
            put_u16s(&mut packet, [A, INTERNET, 0, 0]);
            put_data(&mut packet, |data| data.extend_from_slice(&asker.octets()));
        }
        packet
    }
}

fn header(flags: u16, questions: u16, records: u16) -> Vec<u8> {
    let mut packet = Vec::with_capacity(256);
    put_u16s(&mut packet, [0, flags, questions, records, 0, 0]);
    packet
}

fn put_u16s<const N: usize>(packet: &mut Vec<u8>, numbers: [u16; N]) {
    for number in numbers {
        packet.extend_from_slice(&number.to_be_bytes());
    }
}

/// Writes a record's data behind its length.
fn put_data(packet: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = packet.len();
    put_u16s(packet, [0]);
    write(packet);
    let length = u16::try_from(packet.len() - at - 2).unwrap_or(u16::MAX);
    packet[at..at + 2].copy_from_slice(&length.to_be_bytes());
}

fn put_name(packet: &mut Vec<u8>, topic: LanTopic) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = [0; 40];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(topic.0) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    name::put(packet, &[&hex, DOMAIN[0], DOMAIN[1]]);
}

/// The topic that a name stands for. Letters count the same in either case, as everywhere in DNS.
fn topic_of(name: &Labels<'_>) -> Option<LanTopic> {
    let &[hex, first, second] = name.as_slice() else {
        return None;
    };
    if !first.eq_ignore_ascii_case(DOMAIN[0]) || !second.eq_ignore_ascii_case(DOMAIN[1]) {
        return None;
    }
    let mut topic = [0; 20];
    if hex.len() != 2 * topic.len() {
        return None;
    }
    for (byte, pair) in topic.iter_mut().zip(hex.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = u8::try_from(digit(0)? << 4 | digit(1)?).ok()?;
    }
    Some(LanTopic(topic))
}

/// The data of an SRV record; `None` if its target is no address, or its port none.
fn service(topic: LanTopic, data: &mut Cursor<'_>) -> Result<Option<Service>, PacketError> {
    let _priority = data.u16()?;
    let _weight = data.u16()?;
    let port = data.u16()?;
    let target = data.name()?;
    let mut octets = [0; 4];
    if port == 0 || target.as_slice().len() != octets.len() {
        return Ok(None);
    }
    for (octet, label) in octets.iter_mut().zip(target.as_slice()) {
        let number = std::str::from_utf8(label)
            .ok()
            .and_then(|text| text.parse().ok());
        let Some(number) = number else {
            return Ok(None);
        };
        *octet = number;
    }
    let host = Ipv4Addr::from(octets);
    Ok(Some(Service {
        topic,
        host: (!host.is_unspecified()).then_some(host),
        port,
    }))
}

/// The id among the strings of a TXT record.
fn id(data: &mut Cursor<'_>) -> Result<Option<[u8; 32]>, PacketError> {
    let mut id = None;
    while !data.is_empty() {
        let length = usize::from(data.u8()?);
        let text = data.bytes(length)?;
        if let Some(value) = text.strip_prefix(ID_KEY) {
            id = id.or(value.try_into().ok());
        }
    }
    Ok(id)
}

/// What follows the topic in every name.
const DOMAIN: [&[u8]; 2] = [b"hyperswarm", b"local"];

/// What precedes the id in a TXT string, and the length of such a string.
const ID_KEY: &[u8] = b"id=";
const TXT_BYTES: u8 = 35;

/// Flags of the header (RFC 1035, section 4.1.1).
const RESPONSE: u16 = 0x8000;
const AUTHORITATIVE: u16 = 0x0400;

/// Types and the one class of records (RFC 1035, section 3.2; RFC 2782).
const A: u16 = 1;
const TXT: u16 = 16;
const SRV: u16 = 33;
const INTERNET: u16 = 1;

/// The bit in a question's class that asks for an answer to the asker alone (RFC 6762, section 5.4).
const UNICAST_WANTED: u16 = 0x8000;
