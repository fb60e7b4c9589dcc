//! The datagrams, to the byte.
//!
//! [`Dht`](crate::Dht) reads and writes them by itself; they are public for tools, tests and
//! simulations. Formats: `docs/formats/dht.md`.
//!
//! One datagram is one protobuf message. Fields are written in the order of the reference, which is
//! not that of their numbers, and read in any. Absent and empty are different things, so every bytes
//! field is an `Option`. Reading is strict: a length that runs past the end, a group, a known field
//! of the wrong type make the whole datagram [malformed](WireError).

mod fields;
mod message;
mod node;
mod payload;

pub use message::{Kind, MAX_DATAGRAM_BYTES, MAX_ERROR_BYTES, Message};
pub use node::{
    NODE_BYTES, Node, PEER_BYTES, decode_nodes, decode_peer, decode_peers, encode_nodes,
    encode_peer,
};
pub use payload::{Mutable, PeersReply, PeersRequest, Punch};

/// The names of the commands.
pub mod command {
    /// Asks for nothing but an answer; the value may hold the id that the receiver must have.
    pub const PING: &str = "_ping";
    /// Asks for the nodes nearest to the target.
    pub const FIND_NODE: &str = "_find_node";
    /// Opens NATs; see [`Punch`](super::Punch).
    pub const HOLEPUNCH: &str = "_holepunch";
    /// Asks for, adds or removes peers of a topic.
    pub const PEERS: &str = "peers";
    /// Asks for or stores a value under its hash.
    pub const IMMUTABLE: &str = "immutable-store";
    /// Asks for or stores a value under the key that signed it.
    pub const MUTABLE: &str = "mutable-store";
}

/// The datagram, or a message inside of it, is malformed. The sender is at fault; it is to be
/// dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("malformed datagram: {0}")]
pub struct WireError(pub(crate) &'static str);

/// Whether a datagram is one of uTP, which shares the socket with the DHT; all others are ours.
pub fn is_utp(datagram: &[u8]) -> bool {
    const HEADER_BYTES: usize = 20;
    datagram.len() >= HEADER_BYTES
        && datagram[0] & 0xf == 1
        && datagram[0] >> 4 < 5
        && datagram[1] < 3
}
