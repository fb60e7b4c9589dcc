//! Nodes that keep to the protocol as far as it takes to be in everybody's tables, and no further.

use std::net::{Ipv4Addr, SocketAddrV4};

use hyperswarm_dht::wire::{Kind, Message, Node, PeersReply, command, encode_nodes, encode_peer};
use hyperswarm_dht::{Dht, Id};
use testkit::Rng;

/// What a hostile node does to those who ask it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hostile {
    /// Does not answer, except to pings.
    Silent,
    /// Tells of nodes beside the target that do not exist.
    Poison,
    /// Tells of its accomplices nearest to the target, and of nobody else.
    Eclipse,
}

impl Hostile {
    pub const ALL: [Self; 3] = [Self::Silent, Self::Poison, Self::Eclipse];
}

/// All that act together.
#[derive(Default)]
pub struct Gang(Vec<Node>);

impl Gang {
    pub fn add(&mut self, id: Id, address: SocketAddrV4) {
        self.0.push(Node { id, address });
    }

    fn closest(&self, target: &Id, count: usize) -> Vec<Node> {
        let mut nodes = self.0.clone();
        if nodes.len() > count {
            nodes.select_nth_unstable_by_key(count, |node| node.id.distance(target));
            nodes.truncate(count);
        }
        nodes
    }
}

/// What a hostile node answers: `None` leaves it to the honest part, `Some(None)` is silence.
pub fn answer(
    kind: Hostile,
    dht: &Dht,
    gang: &Gang,
    from: SocketAddrV4,
    datagram: &[u8],
    rng: &mut Rng,
) -> Option<Option<Vec<u8>>> {
    let request = Message::decode(datagram).ok()?;
    if request.kind == Kind::Response || request.command == Some(command::PING) {
        return None;
    }
    let target = Id::from_bytes(request.target?.try_into().ok()?);
    let nodes = match kind {
        Hostile::Silent => return Some(None),
        Hostile::Poison => (0..20)
            .map(|_| Node {
                id: beside(target, 40, rng),
                address: nowhere(rng),
            })
            .collect(),
        Hostile::Eclipse => gang.closest(&target, 20),
    };
    let (to, id) = (encode_peer(from), dht.id());
    let nodes = encode_nodes(&nodes);
    // Orders are confirmed and not carried out; lookups find somebody who is not there.
    let peer = encode_peer(nowhere(rng));
    let peers = PeersReply {
        peers: Some(&peer),
        local_peers: None,
    };
    let value = peers.encode();
    let is_lookup = request.kind == Kind::Query && request.command == Some(command::PEERS);
    let answer = Message {
        to: Some(&to),
        id: Some(id.as_bytes()),
        token: Some(&[1; 32]),
        closer_nodes: Some(&nodes),
        value: is_lookup.then_some(&value),
        ..Message::new(Kind::Response, request.rid)
    };
    Some(Some(answer.encode()))
}

/// An id that shares at least so many leading bits with another.
pub fn beside(target: Id, bits: usize, rng: &mut Rng) -> Id {
    let mut bytes = *target.as_bytes();
    for byte in &mut bytes[bits / 8..] {
        *byte = rng.next_u64().to_le_bytes()[0];
    }
    Id::from_bytes(bytes)
}

/// An address where nobody is.
fn nowhere(rng: &mut Rng) -> SocketAddrV4 {
    let [a, b, c, d] = rng.next_u64().to_le_bytes()[..4].try_into().unwrap();
    SocketAddrV4::new(Ipv4Addr::new(80 + a % 16, b, c, d), 4000)
}
