//! Questions and orders of others.

use std::net::SocketAddrV4;

use super::Dht;
use crate::address::{Scope, may_speak_of};
use crate::query::read_signed;
use crate::values::Refusal;
use crate::wire::{
    Kind, Message, Mutable, NODE_BYTES, Node, PeersReply, PeersRequest, Punch, command,
    decode_peer, encode_nodes, encode_peer,
};
use crate::{CLOSEST_NODES, Event, Id, Served, SignedValue};

/// An answer, before it is cut to size.
#[derive(Default)]
struct Answer {
    /// The nodes nearest to this are told.
    near: Option<Id>,
    value: Option<Vec<u8>>,
    /// An answer that is an error has no token.
    error: Option<&'static str>,
}

/// Who asks, and how much may be sent in return.
#[derive(Clone, Copy)]
struct Asker {
    address: SocketAddrV4,
    rid: u64,
    /// In bytes.
    allowance: usize,
}

impl Dht {
    pub(super) fn serve_query(
        &mut self,
        from: SocketAddrV4,
        id: Option<Id>,
        message: &Message<'_>,
        allowance: usize,
    ) {
        let mut asker = Asker {
            address: from,
            rid: message.rid,
            allowance,
        };
        let target = message.target.and_then(Id::from_slice);
        match (message.command, target) {
            (Some(command::PING), _) => self.serve_ping(&mut asker, message.value),
            (Some(command::HOLEPUNCH), _) => {
                self.serve_punch(&mut asker, message.value.unwrap_or_default());
            }
            (Some(command), Some(target)) => {
                if let Some(answer) = self.answer_query(asker, command, target, message.value) {
                    self.reply(&mut asker, answer);
                }
            }
            _ => return,
        }
        self.met(asker, id);
    }

    pub(super) fn serve_update(
        &mut self,
        from: SocketAddrV4,
        id: Option<Id>,
        message: &Message<'_>,
        allowance: usize,
    ) {
        let token = message.token.unwrap_or_default();
        if !self.tokens.is_valid(token, from, self.now) {
            return;
        }
        let target = message.target.and_then(Id::from_slice);
        let (Some(command), Some(target)) = (message.command, target) else {
            return;
        };
        let mut asker = Asker {
            address: from,
            rid: message.rid,
            allowance,
        };
        if let Some(answer) = self.answer_update(from, command, target, message.value) {
            self.reply(&mut asker, answer);
        }
        self.met(asker, id);
    }

    /// Somebody unproven has shown an id. If there is room for it, it is asked whether it is there.
    fn met(&mut self, asker: Asker, id: Option<Id>) {
        let address = asker.address;
        if let Some(id) = id
            && asker.allowance >= CHECK_BYTES
            && self.table.is_welcome(Node { id, address })
        {
            let before = self.outgoing.len();
            self.check(Node { id, address });
            if self.outgoing.len() > before {
                self.budget.sent(*address.ip(), CHECK_BYTES);
            }
        }
    }

    fn serve_ping(&mut self, asker: &mut Asker, expected: Option<&[u8]>) {
        if expected.is_none_or(|id| id == self.id.as_bytes()) {
            let answer = Answer {
                value: Some(encode_peer(asker.address).to_vec()),
                ..Answer::default()
            };
            self.reply(asker, answer);
        }
    }

    /// `None` if the question deserves no answer.
    fn answer_query(
        &mut self,
        asker: Asker,
        command: &str,
        target: Id,
        value: Option<&[u8]>,
    ) -> Option<Answer> {
        let near = Some(target);
        let found = |value| Answer {
            near,
            value,
            error: None,
        };
        Some(match command {
            command::FIND_NODE => found(None),
            command::PEERS => match value {
                None => refused(near, INVALID_INPUT),
                Some(value) => {
                    let request = PeersRequest::decode(value).ok()?;
                    let what = Served::Lookup;
                    self.served(what, target, asker.address);
                    found(Some(self.sample_peers(asker, target, &request)))
                }
            },
            command::IMMUTABLE => found(self.values.immutable(&target).map(<[u8]>::to_vec)),
            command::MUTABLE => match value {
                None => refused(near, INVALID_INPUT),
                Some(value) => {
                    let request = Mutable::decode(value).ok()?;
                    let lowest = request.seq.unwrap_or(0);
                    let stored = self.values.mutable(&target, request.salt);
                    found(
                        stored
                            .filter(|stored| stored.seq >= lowest)
                            .map(encode_signed),
                    )
                }
            },
            _ => refused(near, UNSUPPORTED_COMMAND),
        })
    }

    /// Records for an asker, as many as fit.
    fn sample_peers(&mut self, asker: Asker, topic: Id, request: &PeersRequest<'_>) -> Vec<u8> {
        // Nodes are told first; a quarter is always for peers.
        let room = asker.allowance.saturating_sub(ANSWER_OVERHEAD_BYTES);
        let mut room = room
            .saturating_sub(CLOSEST_NODES * NODE_BYTES)
            .max(room / 4);
        let local = request.local_address.and_then(decode_peer);
        let local_peers: Vec<u8> = match local {
            Some(own) => {
                let count = MAX_LOCAL_PEERS.min(room / 4);
                self.peers
                    .sample_local(topic, own, count, &mut self.random)
                    .concat()
            }
            None => Vec::new(),
        };
        room -= local_peers.len();
        let count = (MAX_PEERS - local_peers.len() / 4).min(room / 6);
        // The record that the asker has, or would have.
        let port = request.port.and_then(|port| u16::try_from(port).ok());
        let port = port.filter(|port| *port != 0);
        let own = SocketAddrV4::new(*asker.address.ip(), port.unwrap_or(asker.address.port()));
        let peers = self
            .peers
            .sample(topic, own, count, &mut self.random)
            .concat();
        let some = |bytes: &'_ Vec<u8>| !bytes.is_empty();
        let reply = PeersReply {
            peers: Some(&peers).filter(|it| some(it)).map(Vec::as_slice),
            local_peers: Some(&local_peers).filter(|it| some(it)).map(Vec::as_slice),
        };
        reply.encode()
    }

    /// `None` if the order deserves no answer.
    fn answer_update(
        &mut self,
        from: SocketAddrV4,
        command: &str,
        target: Id,
        value: Option<&[u8]>,
    ) -> Option<Answer> {
        let near = Some(target);
        let done = Answer {
            near,
            ..Answer::default()
        };
        let Some(value) = value else {
            return Some(match command {
                command::PEERS | command::IMMUTABLE | command::MUTABLE => {
                    refused(near, INVALID_INPUT)
                }
                _ => refused_command(near, command),
            });
        };
        Some(match command {
            command::PEERS => {
                let request = PeersRequest::decode(value).ok()?;
                match self.update_peers(from, target, &request) {
                    Ok(()) => done,
                    Err(error) => refused(near, error),
                }
            }
            command::IMMUTABLE => {
                let stored = self
                    .values
                    .put_immutable(target, value, *from.ip(), self.now);
                match stored {
                    Ok(()) => done,
                    Err(_) => refused(near, INVALID_INPUT),
                }
            }
            command::MUTABLE => {
                let record = Mutable::decode(value).ok()?;
                if record.value.is_none() || record.signature.is_none() {
                    return Some(done);
                }
                let salt = record.salt.map(<[u8]>::to_vec);
                let Some(signed) = read_signed(target, value, salt) else {
                    return Some(refused(near, INVALID_INPUT));
                };
                // The reference stores the value even after it has refused it.
                match self.values.put_mutable(signed, *from.ip(), self.now) {
                    Ok(()) => done,
                    Err(Refusal::Invalid) => refused(near, INVALID_INPUT),
                    Err(Refusal::SameSeq(stored)) => outdated(near, stored, INVALID_SEQ),
                    Err(Refusal::Older(stored)) => outdated(near, stored, SEQ_MUST_EXCEED),
                }
            }
            _ => refused_command(near, command),
        })
    }

    fn update_peers(
        &mut self,
        from: SocketAddrV4,
        topic: Id,
        request: &PeersRequest<'_>,
    ) -> Result<(), &'static str> {
        let port = match u16::try_from(request.port.unwrap_or(0)) {
            Ok(0) => from.port(),
            Ok(port) => port,
            Err(_) => return Err(INVALID_PORT),
        };
        let peer = SocketAddrV4::new(*from.ip(), port);
        let local = request
            .local_address
            .and_then(decode_peer)
            .filter(|local| Scope::of(*local.ip()) != Scope::Nowhere);
        let (ip, now) = (*from.ip(), self.now);
        if request.unannounce == Some(true) {
            self.peers.unannounce(topic, peer);
            if let Some(local) = local {
                self.peers.unannounce_local(topic, local);
            }
            self.served(Served::Unannounce, topic, from);
        } else {
            self.peers.announce(topic, peer, ip, now);
            if let Some(local) = local {
                self.peers.announce_local(topic, local, ip, now);
            }
            self.served(Served::Announce, topic, from);
        }
        Ok(())
    }

    /// A packet of a hole punch: one to be forwarded, one to be answered, or one that was to open the
    /// NAT of its sender and came through ours.
    ///
    /// The reference passes the last over. Its answer goes where the sender's NAT lets it in, even
    /// if that has chosen another port for us than the one that the referrer knows.
    fn serve_punch(&mut self, asker: &mut Asker, value: &[u8]) {
        let Ok(punch) = Punch::decode(value) else {
            return;
        };
        if let Some(peer) = punch.to.and_then(decode_peer) {
            self.forward_punch(asker.address, asker.rid, peer);
        } else if let Some(peer) = punch.from.and_then(decode_peer) {
            self.answer_punch(asker.address, asker.rid, peer);
        } else if punch == Punch::default() {
            self.reply(asker, Answer::default());
        }
    }

    /// Tells a peer that somebody wants to reach it, if that peer counts on us for it: it has
    /// announced itself here or stands in our table.
    fn forward_punch(&mut self, from: SocketAddrV4, rid: u64, peer: SocketAddrV4) {
        let is_live = self.peers.contains_address(peer) || self.table.contains_address(peer);
        if peer == from
            || !is_live
            || !may_speak_of(*from.ip(), peer)
            || !self.punches.allow(*from.ip(), *peer.ip(), self.now)
        {
            return;
        }
        let (to, asker) = (encode_peer(peer), encode_peer(from));
        let punch = Punch {
            from: Some(&asker),
            to: None,
        };
        let value = punch.encode();
        let message = Message {
            to: Some(&to),
            id: self.shown_id(),
            command: Some(command::HOLEPUNCH),
            value: Some(&value),
            ..Message::new(Kind::Query, rid)
        };
        let datagram = message.encode();
        self.transmit(peer, datagram);
    }

    /// Answers whoever wants to reach us, which opens our NAT. Only a node that has answered us may
    /// ask for it: those that keep our announcements have.
    fn answer_punch(&mut self, referrer: SocketAddrV4, rid: u64, peer: SocketAddrV4) {
        if peer == referrer
            || !self.proven.contains(referrer)
            || !may_speak_of(*referrer.ip(), peer)
            || !self.punches.allow(*referrer.ip(), *peer.ip(), self.now)
        {
            return;
        }
        let to = encode_peer(peer);
        let token = self.tokens.token(peer, self.now);
        let message = Message {
            to: Some(&to),
            id: self.shown_id(),
            token: Some(&token),
            ..Message::new(Kind::Response, rid)
        };
        let datagram = message.encode();
        let is_proven = self.proven.contains(peer);
        if !self
            .budget
            .may_send(*peer.ip(), datagram.len(), is_proven, self.now)
        {
            return;
        }
        self.transmit(peer, datagram);
        self.inform(Event::PunchRequested {
            from: peer,
            referrer,
        });
    }

    fn served(&mut self, what: Served, topic: Id, from: SocketAddrV4) {
        self.inform(Event::Served { what, topic, from });
    }

    /// Sends an answer that is no longer than the asker's allowance: first fewer nodes, then no
    /// token, at last no answer.
    fn reply(&mut self, asker: &mut Asker, answer: Answer) {
        let to = encode_peer(asker.address);
        let token = self.tokens.token(asker.address, self.now);
        let mut message = Message {
            to: Some(&to),
            id: self.shown_id(),
            token: answer.error.is_none().then_some(&token),
            error: answer.error,
            value: answer.value.as_deref(),
            ..Message::new(Kind::Response, asker.rid)
        };
        let mut bytes = message.encoded_bytes();
        if bytes > asker.allowance {
            message.token = None;
            bytes = message.encoded_bytes();
        }
        if bytes > asker.allowance {
            return;
        }
        let nodes = answer.near.map(|near| {
            let room = asker.allowance.saturating_sub(bytes + NODES_OVERHEAD_BYTES);
            let count = CLOSEST_NODES.min(room / NODE_BYTES);
            encode_nodes(&self.table.closest(&near, count))
        });
        message.closer_nodes = nodes
            .as_deref()
            .filter(|_| bytes + NODES_OVERHEAD_BYTES <= asker.allowance);
        let datagram = message.encode();
        asker.allowance -= datagram.len();
        self.budget.sent(*asker.address.ip(), datagram.len());
        self.transmit(asker.address, datagram);
    }
}

fn encode_signed(stored: &SignedValue) -> Vec<u8> {
    let record = Mutable {
        value: Some(&stored.value),
        signature: Some(stored.signature.as_bytes()),
        seq: Some(stored.seq),
        salt: stored.salt.as_deref(),
    };
    record.encode()
}

fn refused(near: Option<Id>, error: &'static str) -> Answer {
    Answer {
        near,
        value: None,
        error: Some(error),
    }
}

fn refused_command(near: Option<Id>, command: &str) -> Answer {
    let is_known = matches!(command, command::PING | command::FIND_NODE);
    let error = if is_known {
        UPDATE_NOT_SUPPORTED
    } else {
        UNSUPPORTED_COMMAND
    };
    refused(near, error)
}

/// A refusal with the proof that it is right.
fn outdated(near: Option<Id>, stored: &SignedValue, error: &'static str) -> Answer {
    Answer {
        near,
        value: Some(encode_signed(stored)),
        error: Some(error),
    }
}

/// Peers in one answer, local ones included, as in the reference.
const MAX_PEERS: usize = 128;
const MAX_LOCAL_PEERS: usize = 32;

/// What an answer has beside nodes and peers: numbers, address, id, token, tags and lengths.
const ANSWER_OVERHEAD_BYTES: usize = 15 + 9 + 35 + 35 + 3 + 3 + 6;

/// Tag and length of the nodes.
const NODES_OVERHEAD_BYTES: usize = 3;

/// Most that is sent to see whether somebody is there: a ping with the id that is expected, twice.
const CHECK_BYTES: usize = 2 * 98;

// The reference's words, to which its clients pay attention.
const UNSUPPORTED_COMMAND: &str = "Unsupported command";
const UPDATE_NOT_SUPPORTED: &str = "Update not supported";
const INVALID_PORT: &str = "Invalid port";
const INVALID_INPUT: &str = "ERR_INVALID_INPUT";
const INVALID_SEQ: &str = "ERR_INVALID_SEQ";
const SEQ_MUST_EXCEED: &str = "ERR_SEQ_MUST_EXCEED_CURRENT";
