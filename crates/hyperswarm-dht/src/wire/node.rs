use std::net::{Ipv4Addr, SocketAddrV4};

use crate::Id;

/// An address as sent: four bytes of IPv4 address, two of port, big-endian.
pub const PEER_BYTES: usize = 6;

/// A node as sent: id, then address.
pub const NODE_BYTES: usize = Id::BYTES + PEER_BYTES;

/// A node that others can be told of.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Node {
    /// Its id.
    pub id: Id,
    /// Where it answers.
    pub address: SocketAddrV4,
}

/// An address as sent.
pub fn encode_peer(address: SocketAddrV4) -> [u8; PEER_BYTES] {
    let mut bytes = [0; PEER_BYTES];
    bytes[..4].copy_from_slice(&address.ip().octets());
    bytes[4..].copy_from_slice(&address.port().to_be_bytes());
    bytes
}

/// Reads an address; `None` if it is not six bytes or has port 0 or no host.
pub fn decode_peer(bytes: &[u8]) -> Option<SocketAddrV4> {
    let [a, b, c, d, high, low] = bytes.try_into().ok()?;
    let ip = Ipv4Addr::new(a, b, c, d);
    let port = u16::from_be_bytes([high, low]);
    (port != 0 && !ip.is_unspecified()).then(|| SocketAddrV4::new(ip, port))
}

/// Reads addresses. Those without host or port are left out, and so is a rest of fewer than six
/// bytes.
pub fn decode_peers(bytes: &[u8]) -> impl Iterator<Item = SocketAddrV4> {
    bytes.chunks_exact(PEER_BYTES).filter_map(decode_peer)
}

/// Nodes as sent.
pub fn encode_nodes<'a>(nodes: impl IntoIterator<Item = &'a Node>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for node in nodes {
        bytes.extend_from_slice(node.id.as_bytes());
        bytes.extend_from_slice(&encode_peer(node.address));
    }
    bytes
}

/// Reads nodes. Those without host or port are left out, and so is an incomplete last one.
pub fn decode_nodes(bytes: &[u8]) -> impl Iterator<Item = Node> {
    bytes.chunks_exact(NODE_BYTES).filter_map(|entry| {
        let (id, address) = entry.split_at(Id::BYTES);
        Some(Node {
            id: Id::from_slice(id)?,
            address: decode_peer(address)?,
        })
    })
}
