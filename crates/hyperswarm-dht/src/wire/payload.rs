//! The messages within the `value` of a datagram.

use super::WireError;
use super::fields::{Fields, put_bytes, put_number};

/// What `peers` asks or orders.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PeersRequest<'a> {
    /// The port to announce; 0 stands for the datagram's own.
    pub port: Option<u64>,
    /// The asker's address in its own network: 6 bytes.
    pub local_address: Option<&'a [u8]>,
    /// Whether the record is to be removed.
    pub unannounce: Option<bool>,
}

impl<'a> PeersRequest<'a> {
    /// Reads the value.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut request = Self::default();
        for field in Fields::new(bytes) {
            let (number, value) = field?;
            match number {
                1 => request.port = Some(value.varint()?),
                2 => request.local_address = Some(value.bytes()?),
                3 => request.unannounce = Some(value.varint()? != 0),
                _ => {}
            }
        }
        Ok(request)
    }

    /// The value.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_number(&mut out, 1, self.port);
        put_bytes(&mut out, 2, self.local_address);
        put_number(&mut out, 3, self.unannounce.map(u64::from));
        out
    }
}

/// The answer to a `peers` query.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PeersReply<'a> {
    /// Addresses, 6 bytes each.
    pub peers: Option<&'a [u8]>,
    /// The last four bytes of addresses in the asker's own network: two of host, two of port.
    pub local_peers: Option<&'a [u8]>,
}

impl<'a> PeersReply<'a> {
    /// Reads the value.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut reply = Self::default();
        for field in Fields::new(bytes) {
            let (number, value) = field?;
            match number {
                1 => reply.peers = Some(value.bytes()?),
                2 => reply.local_peers = Some(value.bytes()?),
                _ => {}
            }
        }
        Ok(reply)
    }

    /// The value.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_bytes(&mut out, 1, self.peers);
        put_bytes(&mut out, 2, self.local_peers);
        out
    }
}

/// What `mutable-store` asks, answers and orders.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Mutable<'a> {
    /// The value. Absent in questions.
    pub value: Option<&'a [u8]>,
    /// Who owns the key has signed salt, number and value: 64 bytes. Absent in questions.
    pub signature: Option<&'a [u8]>,
    /// The value's number; in questions the lowest that is of interest.
    pub seq: Option<u64>,
    /// Tells values of one key apart.
    pub salt: Option<&'a [u8]>,
}

impl<'a> Mutable<'a> {
    /// Reads the value.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut mutable = Self::default();
        for field in Fields::new(bytes) {
            let (number, value) = field?;
            match number {
                1 => mutable.value = Some(value.bytes()?),
                2 => mutable.signature = Some(value.bytes()?),
                3 => mutable.seq = Some(value.varint()?),
                4 => mutable.salt = Some(value.bytes()?),
                _ => {}
            }
        }
        Ok(mutable)
    }

    /// The value.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_bytes(&mut out, 1, self.value);
        put_bytes(&mut out, 2, self.signature);
        put_number(&mut out, 3, self.seq);
        put_bytes(&mut out, 4, self.salt);
        out
    }
}

/// What `_holepunch` carries: to the referrer whom to reach (`to`), from there who wants to
/// (`from`). Without a value it is a packet that only opens the sender's NAT.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Punch<'a> {
    /// Who is to be answered: 6 bytes.
    pub from: Option<&'a [u8]>,
    /// Who is to be reached: 6 bytes.
    pub to: Option<&'a [u8]>,
}

impl<'a> Punch<'a> {
    /// Reads the value.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut punch = Self::default();
        for field in Fields::new(bytes) {
            let (number, value) = field?;
            match number {
                2 => punch.from = Some(value.bytes()?),
                3 => punch.to = Some(value.bytes()?),
                _ => {}
            }
        }
        Ok(punch)
    }

    /// The value.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_bytes(&mut out, 2, self.from);
        put_bytes(&mut out, 3, self.to);
        out
    }
}
