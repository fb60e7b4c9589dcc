//! One operation of the caller: a walk towards a target, and what is stored at its end.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};

use hypercore_crypto::{PublicKey, Signature};

use crate::address::{Scope, may_speak_of};
use crate::candidates::Candidates;
use crate::values::hash;
use crate::wire::{Mutable, PeersReply, PeersRequest, command, decode_peers, encode_peer};
use crate::{Id, SignedValue, Summary, Timestamp};

/// An operation and how far it is.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) target: Id,
    pub(crate) task: Task,
    pub(crate) stage: Stage,
    pub(crate) walk: Candidates,
    /// Bootstrap nodes that are still to be asked.
    pub(crate) roots: Vec<SocketAddrV4>,
    /// Those that have been, and may answer within the usual time.
    pub(crate) roots_asked: usize,
    /// Nodes that still have to be told what to store, and their tokens.
    pub(crate) to_store: VecDeque<(SocketAddrV4, Vec<u8>)>,
    /// Requests without answer.
    pub(crate) waiting: usize,
    pub(crate) started: Timestamp,
    pub(crate) summary: Summary,
    /// The highest number of a mutable value so far.
    pub(crate) best: Option<u64>,
    /// Whether a storer has proved to have a newer value.
    pub(crate) is_outdated: bool,
    /// Whether it began with nobody to ask.
    pub(crate) is_alone: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    Walk,
    Store,
    /// A single request: a ping or a hole punch.
    Single,
}

/// What the caller wants.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    Bootstrap,
    /// A walk of the node's own, of which nobody is told.
    Refresh,
    /// A short one, to a part of the space where hardly anybody is known.
    Fill,
    FindNode,
    Lookup {
        local: Option<SocketAddrV4>,
    },
    Announce {
        port: u16,
        local: Option<SocketAddrV4>,
    },
    Unannounce {
        port: u16,
        local: Option<SocketAddrV4>,
    },
    GetImmutable,
    PutImmutable(Vec<u8>),
    GetMutable {
        seq: u64,
        salt: Option<Vec<u8>>,
    },
    PutMutable(SignedValue),
    Ping,
    Punch,
}

impl Query {
    pub(crate) fn new(target: Id, task: Task, now: Timestamp) -> Self {
        let stage = match task {
            Task::Ping | Task::Punch => Stage::Single,
            _ => Stage::Walk,
        };
        Self {
            target,
            task,
            stage,
            walk: Candidates::new(target),
            roots: Vec::new(),
            roots_asked: 0,
            to_store: VecDeque::new(),
            waiting: 0,
            started: now,
            summary: Summary::default(),
            best: None,
            is_outdated: false,
            is_alone: false,
        }
    }

    /// What was found in an answer about peers; `None` if nothing.
    pub(crate) fn read_peers(
        &self,
        from: Ipv4Addr,
        value: &[u8],
    ) -> Option<(Vec<SocketAddrV4>, Vec<SocketAddrV4>)> {
        let (Task::Lookup { local } | Task::Announce { local, .. }) = &self.task else {
            return None;
        };
        let reply = PeersReply::decode(value).ok()?;
        let peers: Vec<_> = decode_peers(reply.peers.unwrap_or_default())
            .filter(|peer| may_speak_of(from, *peer))
            .take(MAX_PEERS)
            .collect();
        let mut local_peers = Vec::new();
        if let Some(own) = local {
            let [a, b, ..] = own.ip().octets();
            let suffixes = reply.local_peers.unwrap_or_default().chunks_exact(4);
            let addresses = suffixes.filter_map(|suffix| {
                let ip = Ipv4Addr::new(a, b, suffix[0], suffix[1]);
                let port = u16::from_be_bytes([suffix[2], suffix[3]]);
                let is_there = port != 0 && Scope::of(ip) != Scope::Nowhere;
                is_there.then(|| SocketAddrV4::new(ip, port))
            });
            local_peers.extend(addresses.take(MAX_LOCAL_PEERS));
        }
        (!peers.is_empty() || !local_peers.is_empty()).then_some((peers, local_peers))
    }

    /// The immutable value in an answer, if it is the one.
    pub(crate) fn read_immutable(&self, value: &[u8]) -> Option<Vec<u8>> {
        let wanted = matches!(self.task, Task::GetImmutable);
        (wanted && hash(value) == self.target).then(|| value.to_vec())
    }

    /// Whether an answer shows the very value that is to be stored: the reference refuses to store it
    /// again.
    pub(crate) fn is_own_value(&self, value: &[u8]) -> bool {
        match &self.task {
            Task::PutMutable(own) => {
                read_signed(self.target, value, own.salt.clone()).as_ref() == Some(own)
            }
            _ => false,
        }
    }

    /// The mutable value in an answer, if it is valid and newer than what is known.
    pub(crate) fn read_mutable(&mut self, value: &[u8]) -> Option<SignedValue> {
        let (lowest, salt) = match &self.task {
            Task::GetMutable { seq, salt } => (*seq, salt.clone()),
            // The proof that comes with a refusal.
            Task::PutMutable(own) => (own.seq, own.salt.clone()),
            _ => return None,
        };
        let found = read_signed(self.target, value, salt)?;
        if found.seq < lowest || self.best.is_some_and(|best| found.seq <= best) {
            return None;
        }
        found.verify().ok()?;
        self.best = Some(found.seq);
        Some(found)
    }
}

impl Task {
    /// The command of each step of the walk, and its value.
    pub(crate) fn walk_command(&self) -> (&'static str, Option<Vec<u8>>) {
        match self {
            Self::Lookup { local } => (command::PEERS, Some(peers_request(None, *local, None))),
            Self::Announce { port, local } => (
                command::PEERS,
                Some(peers_request(Some(*port), *local, None)),
            ),
            Self::GetImmutable => (command::IMMUTABLE, None),
            Self::GetMutable { seq, salt } => {
                let request = Mutable {
                    seq: Some(*seq),
                    salt: salt.as_deref(),
                    ..Mutable::default()
                };
                (command::MUTABLE, Some(request.encode()))
            }
            _ => (command::FIND_NODE, None),
        }
    }

    /// What the nearest nodes are told to store, if anything.
    pub(crate) fn store_command(&self) -> Option<(&'static str, Vec<u8>)> {
        match self {
            Self::Announce { port, local } => {
                Some((command::PEERS, peers_request(Some(*port), *local, None)))
            }
            Self::Unannounce { port, local } => Some((
                command::PEERS,
                peers_request(Some(*port), *local, Some(true)),
            )),
            Self::PutImmutable(value) => Some((command::IMMUTABLE, value.clone())),
            Self::PutMutable(value) => {
                let record = Mutable {
                    value: Some(&value.value),
                    signature: Some(value.signature.as_bytes()),
                    seq: Some(value.seq),
                    salt: value.salt.as_deref(),
                };
                Some((command::MUTABLE, record.encode()))
            }
            _ => None,
        }
    }
}

/// A signed value as it is sent, whose signature remains to be verified.
pub(crate) fn read_signed(key: Id, value: &[u8], salt: Option<Vec<u8>>) -> Option<SignedValue> {
    let record = Mutable::decode(value).ok()?;
    Some(SignedValue {
        key: PublicKey::from_bytes(*key.as_bytes()),
        salt,
        seq: record.seq.unwrap_or(0),
        value: record.value?.to_vec(),
        signature: Signature::from_bytes(record.signature?.try_into().ok()?),
    })
}

fn peers_request(
    port: Option<u16>,
    local: Option<SocketAddrV4>,
    unannounce: Option<bool>,
) -> Vec<u8> {
    let local = local.map(encode_peer);
    let request = PeersRequest {
        port: port.map(u64::from),
        local_address: local.as_ref().map(|it| it.as_slice()),
        unannounce,
    };
    request.encode()
}

/// Peers that are read from one answer. The reference sends no more.
const MAX_PEERS: usize = 128;

/// The same for local ones.
const MAX_LOCAL_PEERS: usize = 32;
