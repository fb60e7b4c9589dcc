//! Answers to our requests.

use std::net::SocketAddrV4;
use std::time::Duration;

use super::Dht;
use crate::address::may_speak_of;
use crate::query::Task;
use crate::rpc::{Match, Purpose};
use crate::table::Heard;
use crate::wire::{Message, Node, decode_nodes, decode_peer};
use crate::{Event, FoundPeers, FoundValue, Id, MAX_TOKEN_BYTES, QueryId};

impl Dht {
    /// An answer, which counts if it is to a question of ours and comes from where that went.
    pub(super) fn handle_response(
        &mut self,
        from: SocketAddrV4,
        id: Option<Id>,
        message: &Message<'_>,
    ) {
        let (request, round_trip) = match self.rpc.answered(self.now, message.rid, from) {
            None => return,
            Some(Match::PunchFor(request)) => return self.resend(request),
            Some(Match::Request(request, round_trip)) => (request, round_trip),
        };
        self.checking.remove(&request.to);
        self.proven.insert(from, self.now);
        let observed = message.to.and_then(decode_peer);
        if let Some(address) = observed.filter(|it| may_speak_of(*from.ip(), *it))
            && self.observed.report(from, address)
        {
            let current = self.observed.current();
            self.inform(Event::Observed(current));
        }
        self.heard(from, id, &request.purpose);
        match request.purpose {
            Purpose::Walk(query, expected) => {
                self.walk_answered(query, expected, id, from, message);
            }
            Purpose::Store(query) => self.store_answered(query, message),
            Purpose::Ping(query) => self.pinged(query, from, observed, round_trip),
            Purpose::Punch(query) => {
                let referrer = request.referrer.unwrap_or(request.to);
                if from == request.to || may_speak_of(*referrer.ip(), from) {
                    let peer = request.to;
                    self.events.push_back(Event::Punched { query, peer, from });
                }
                self.single_answered(query);
            }
            Purpose::Check(_) | Purpose::Warm => {}
        }
        self.unblock();
    }

    /// Whoever shows an id in an answer of its own has proved to live there, and may come into the
    /// table. Whoever shows another one than expected has not the one that was.
    fn heard(&mut self, from: SocketAddrV4, id: Option<Id>, purpose: &Purpose) {
        let expected = match purpose {
            Purpose::Walk(_, expected) => *expected,
            Purpose::Check(node) => Some(node.id),
            _ => None,
        };
        if let Some(expected) = expected.filter(|it| Some(*it) != id) {
            self.node_failed(&expected, from);
        }
        // A hole punch may be answered from where no question of ours went.
        if matches!(purpose, Purpose::Punch(_)) {
            return;
        }
        if let Some(id) = id
            && let Heard::Out(Some(stale)) = self.table.heard(Node { id, address: from }, self.now)
        {
            self.check(stale);
        }
    }

    fn walk_answered(
        &mut self,
        id: QueryId,
        expected: Option<Id>,
        shown: Option<Id>,
        from: SocketAddrV4,
        message: &Message<'_>,
    ) {
        let told = self.acceptable_nodes(from, message.closer_nodes.unwrap_or_default());
        let Some(query) = self.queries.get_mut(&id) else {
            return;
        };
        query.waiting = query.waiting.saturating_sub(1);
        query.summary.replies += 1;
        if expected.is_none() {
            query.roots_asked = query.roots_asked.saturating_sub(1);
        }
        let token = message.token.filter(|it| it.len() <= MAX_TOKEN_BYTES);
        let shown = shown.filter(|it| *it != self.id);
        let depth = query.walk.answered(expected, shown, from, token);
        query.walk.reported(from, depth, told);
        if let (Some(value), None) = (message.value, message.error) {
            let found = if let Some((peers, local_peers)) = query.read_peers(*from.ip(), value) {
                Some(Event::Peers {
                    query: id,
                    peers: FoundPeers {
                        referrer: from,
                        id: shown,
                        observed: message.to.and_then(decode_peer),
                        peers,
                        local_peers,
                    },
                })
            } else if let Some(value) = query.read_immutable(value) {
                let value = FoundValue::Immutable(value);
                Some(Event::Value { query: id, value })
            } else if matches!(query.task, Task::GetMutable { .. }) {
                let value = query.read_mutable(value).map(FoundValue::Mutable);
                value.map(|value| Event::Value { query: id, value })
            } else {
                None
            };
            if let Some(event) = found {
                query.summary.hops_to_value.get_or_insert(depth);
                let is_all = matches!(query.task, Task::GetImmutable);
                self.events.push_back(event);
                if is_all {
                    self.finish(id);
                    return;
                }
            }
        }
        self.drive(id);
    }

    /// Nodes that an answer tells of, without those that cannot be. One bad entry does not spoil the
    /// others.
    fn acceptable_nodes(&self, from: SocketAddrV4, bytes: &[u8]) -> Vec<Node> {
        decode_nodes(bytes)
            .filter(|node| {
                node.id != self.id
                    && may_speak_of(*from.ip(), node.address)
                    && !self.is_own_address(node.address)
            })
            .collect()
    }

    fn store_answered(&mut self, id: QueryId, message: &Message<'_>) {
        let Some(query) = self.queries.get_mut(&id) else {
            return;
        };
        query.waiting = query.waiting.saturating_sub(1);
        query.summary.replies += 1;
        let keeps_it = message.value.is_some_and(|value| query.is_own_value(value));
        if message.error.is_none() || keeps_it {
            query.summary.stored += 1;
        } else if let Some(value) = message.value.and_then(|value| query.read_mutable(value)) {
            query.is_outdated = true;
            let value = FoundValue::Mutable(value);
            self.events.push_back(Event::Value { query: id, value });
        }
        self.drive(id);
    }

    fn pinged(
        &mut self,
        query: QueryId,
        from: SocketAddrV4,
        observed: Option<SocketAddrV4>,
        round_trip: Duration,
    ) {
        if self.queries.contains_key(&query) {
            self.events.push_back(Event::Pong {
                query,
                from,
                observed,
                round_trip,
            });
        }
        self.single_answered(query);
    }

    fn single_answered(&mut self, id: QueryId) {
        if let Some(query) = self.queries.get_mut(&id) {
            query.waiting = 0;
            query.summary.replies = 1;
            self.finish(id);
        }
    }
}
