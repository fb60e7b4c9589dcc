//! Operations: their steps, from start to end.

use std::net::SocketAddrV4;

use super::{Dht, upkeep};
use crate::query::{Query, Stage, Task};
use crate::rpc::{Due, Purpose, RequestId};
use crate::wire::{Kind, Message, Node, Punch, command, encode_peer};
use crate::{CLOSEST_NODES, Event, FoundValue, Id, QueryError, QueryId, Timestamp, Warning};

/// A request, before it is one.
pub(super) struct Ask<'a> {
    pub(super) to: SocketAddrV4,
    pub(super) kind: Kind,
    pub(super) command: &'static str,
    pub(super) target: Option<Id>,
    pub(super) token: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) purpose: Purpose,
    pub(super) referrer: Option<SocketAddrV4>,
}

impl Ask<'_> {
    pub(super) fn query(to: SocketAddrV4, command: &'static str, purpose: Purpose) -> Self {
        Self {
            to,
            kind: Kind::Query,
            command,
            target: None,
            token: None,
            value: None,
            purpose,
            referrer: None,
        }
    }
}

impl Dht {
    /// Starts an operation that walks.
    pub(super) fn start(&mut self, now: Timestamp, target: Id, task: Task) -> QueryId {
        self.advance(now);
        let id = self.next_query_id();
        if self.queries.len() >= self.config.max_queries {
            self.done(id, Err(QueryError::TooMany));
            return id;
        }
        let mut query = Query::new(target, task, self.now);
        let known = self.table.closest(&target, CLOSEST_NODES);
        if known.len() < FEW_NODES || self.table.is_sparse_towards(&target) {
            query.roots.clone_from(&self.config.bootstrap);
            query.roots.retain(|root| Self::is_reachable(*root));
        }
        query.is_alone = known.is_empty() && query.roots.is_empty();
        query.walk.start_with(known);
        if matches!(query.task, Task::Fill) {
            query.walk.want_only(FILL_NODES);
        }
        if let Task::GetMutable { seq, salt } = &query.task
            && let Some(value) = self.values.mutable(&target, salt.as_deref())
            && value.seq >= *seq
            && value.salt == *salt
        {
            query.best = Some(value.seq);
            let value = FoundValue::Mutable(value.clone());
            self.events.push_back(Event::Value { query: id, value });
        }
        self.queries.insert(id, query);
        self.drive(id);
        id
    }

    pub(super) fn start_ping(&mut self, id: QueryId, address: SocketAddrV4) {
        if self.begin_single(id, Task::Ping, address) {
            self.ask(Ask::query(address, command::PING, Purpose::Ping(id)));
        }
    }

    pub(super) fn start_punch(&mut self, id: QueryId, peer: SocketAddrV4, referrer: SocketAddrV4) {
        if !self.begin_single(id, Task::Punch, peer) {
            return;
        }
        let mut ask = Ask::query(peer, command::HOLEPUNCH, Purpose::Punch(id));
        ask.referrer = Some(referrer).filter(|it| Self::is_reachable(*it));
        let request = self.ask(ask);
        self.send_to_referrer(request);
    }

    fn begin_single(&mut self, id: QueryId, task: Task, address: SocketAddrV4) -> bool {
        let error = if self.queries.len() >= self.config.max_queries {
            QueryError::TooMany
        } else if !Self::is_reachable(address) {
            QueryError::NoReplies
        } else {
            let mut query = Query::new(self.id, task, self.now);
            query.waiting = 1;
            query.summary.requests = 1;
            self.queries.insert(id, query);
            return true;
        };
        self.done(id, Err(error));
        false
    }

    /// Takes an operation as far as it gets for now.
    pub(super) fn drive(&mut self, id: QueryId) {
        while let Some(query) = self.queries.get(&id) {
            let went_on = match query.stage {
                Stage::Single => false,
                Stage::Walk => self.step(id),
                Stage::Store => self.store_step(id),
            };
            if !went_on {
                return;
            }
        }
    }

    /// Sends one question of a walk, or ends it. `false` if there is nothing to do for now.
    fn step(&mut self, id: QueryId) -> bool {
        let is_busy = self.rpc.len() >= self.config.max_in_flight;
        let max_requests = self.config.max_requests_per_query;
        let now = self.now;
        let Some(query) = self.queries.get_mut(&id) else {
            return false;
        };
        // The last third is for storing.
        let walk_time = self.config.max_query_time * 2 / 3;
        let is_late = now.saturating_since(query.started) >= walk_time;
        let is_spent = query.summary.requests >= max_requests;
        if !is_late && !is_spent {
            if is_busy && query.waiting > 0 {
                self.blocked.insert(id);
                return false;
            }
            if let Some(root) = query.roots.pop() {
                query.roots_asked += 1;
                self.ask_in_walk(id, root, None, None);
                return true;
            }
            if let Some(step) = query.walk.next_step() {
                let Node { id: node, address } = step.node;
                self.ask_in_walk(id, address, Some(node), step.referrer);
                return true;
            }
        }
        let has_converged = query.walk.is_finished()
            && query.roots_asked == 0
            && (query.summary.replies > 0 || query.waiting == 0);
        if !(has_converged || query.waiting == 0 || is_late) {
            return false;
        }
        self.end_walk(id);
        true
    }

    fn ask_in_walk(
        &mut self,
        id: QueryId,
        to: SocketAddrV4,
        node: Option<Id>,
        referrer: Option<SocketAddrV4>,
    ) {
        let Some(query) = self.queries.get_mut(&id) else {
            return;
        };
        query.waiting += 1;
        query.summary.requests += 1;
        let (command, value) = query.task.walk_command();
        let mut ask = Ask::query(to, command, Purpose::Walk(id, node));
        ask.target = Some(query.target);
        ask.value = value.as_deref();
        ask.referrer = referrer;
        self.ask(ask);
    }

    /// The walk is over: looks beyond a crowd, stores, or ends.
    fn end_walk(&mut self, id: QueryId) {
        let size = self.table.network_size();
        let Some(query) = self.queries.get_mut(&id) else {
            return;
        };
        if !matches!(query.task, Task::Fill)
            && size.is_some_and(|size| query.walk.is_crowded(size))
            && query.summary.requests < self.config.max_requests_per_query
            && query.walk.widen()
        {
            let target = query.target;
            self.inform(Event::Warning(Warning::Crowded { target }));
            return;
        }
        query.waiting = 0;
        query.summary.hops = query.walk.hops();
        let closest: Vec<_> = query.walk.closest().collect();
        query.summary.closest = closest
            .iter()
            .take(CLOSEST_NODES)
            .map(|(node, _)| *node)
            .collect();
        query.to_store = closest
            .iter()
            .filter_map(|(node, token)| Some((node.address, token.as_ref()?.to_vec())))
            .collect();
        let stores = query.task.store_command().is_some();
        if stores && query.summary.replies > 0 {
            query.stage = Stage::Store;
            self.rpc.forget(id);
        } else {
            self.finish(id);
        }
    }

    /// Sends one order to store, or ends the operation.
    fn store_step(&mut self, id: QueryId) -> bool {
        let is_busy = self.rpc.len() >= self.config.max_in_flight;
        let Some(query) = self.queries.get_mut(&id) else {
            return false;
        };
        let is_late = self.now.saturating_since(query.started) >= self.config.max_query_time;
        if !query.to_store.is_empty() && is_busy && query.waiting > 0 {
            self.blocked.insert(id);
            return false;
        }
        if let Some((to, token)) = query.to_store.pop_front()
            && let Some((command, value)) = query.task.store_command()
        {
            query.waiting += 1;
            query.summary.requests += 1;
            let target = query.target;
            self.ask(Ask {
                to,
                kind: Kind::Update,
                command,
                target: Some(target),
                token: Some(&token),
                value: Some(&value),
                purpose: Purpose::Store(id),
                referrer: None,
            });
            return true;
        }
        if query.waiting == 0 || is_late {
            self.finish(id);
        }
        false
    }

    /// Ends an operation and says how it went.
    pub(super) fn finish(&mut self, id: QueryId) {
        let Some(mut query) = self.queries.remove(&id) else {
            return;
        };
        self.blocked.remove(&id);
        self.rpc.forget(id);
        query.summary.elapsed = self.now.saturating_since(query.started);
        let is_bootstrap = matches!(query.task, Task::Bootstrap);
        let stores = query.task.store_command().is_some();
        let result = if is_bootstrap && query.is_alone {
            Ok(std::mem::take(&mut query.summary))
        } else if query.summary.replies == 0 {
            Err(QueryError::NoReplies)
        } else if query.is_outdated {
            Err(QueryError::Newer)
        } else if stores && query.summary.stored == 0 {
            Err(QueryError::NotStored)
        } else {
            Ok(std::mem::take(&mut query.summary))
        };
        if is_bootstrap {
            self.bootstrapped();
        }
        if let (Task::Announce { .. }, Ok(_)) = (&query.task, &result) {
            self.warm_up(query.walk.closest().map(|(node, _)| node.address));
        }
        match query.task {
            Task::Refresh => {}
            Task::Fill => self.fill(),
            _ => self.done(id, result),
        }
        self.unblock();
    }

    /// Lets those go on that waited for others to end.
    pub(super) fn unblock(&mut self) {
        while self.rpc.len() < self.config.max_in_flight
            && let Some(id) = self.blocked.pop_first()
        {
            self.drive(id);
        }
    }

    /// Sends a request.
    pub(super) fn ask(&mut self, ask: Ask<'_>) -> RequestId {
        let rid = self.rpc.fresh_rid(&mut self.random);
        let to = encode_peer(ask.to);
        let message = Message {
            to: Some(&to),
            id: self.shown_id(),
            target: ask.target.as_ref().map(|it| it.as_bytes().as_slice()),
            token: ask.token,
            command: Some(ask.command),
            value: ask.value,
            ..Message::new(ask.kind, u64::from(rid))
        };
        let datagram = message.encode();
        let request = self.rpc.sent(
            self.now,
            rid,
            ask.to,
            datagram.clone(),
            ask.purpose,
            ask.referrer,
        );
        self.transmit(ask.to, datagram);
        request
    }

    /// Our id, unless we keep it to ourselves.
    pub(super) fn shown_id(&self) -> Option<&[u8]> {
        (!self.is_ephemeral).then(|| self.id.as_bytes().as_slice())
    }

    /// Sends again what is overdue, and gives up what has been sent often enough.
    pub(super) fn handle_overdue(&mut self) {
        while let Some(due) = self.rpc.due(self.now) {
            match due {
                Due::Resend(request) => self.resend(request),
                Due::Failed(request) => {
                    self.checking.remove(&request.to);
                    match request.purpose {
                        Purpose::Walk(query, node) => self.walk_failed(query, node, request.to),
                        Purpose::Check(node) => self.node_failed(&node.id, node.address),
                        Purpose::Store(query) | Purpose::Ping(query) | Purpose::Punch(query) => {
                            self.request_failed(query);
                        }
                        Purpose::Warm => {}
                    }
                }
            }
        }
        self.unblock();
    }

    fn walk_failed(&mut self, id: QueryId, node: Option<Id>, address: SocketAddrV4) {
        if let Some(node) = node {
            self.node_failed(&node, address);
        }
        if let Some(query) = self.queries.get_mut(&id) {
            query.waiting = query.waiting.saturating_sub(1);
            if let Some(node) = node {
                query.walk.failed(&node);
            }
            self.drive(id);
        }
    }

    fn request_failed(&mut self, id: QueryId) {
        let Some(query) = self.queries.get_mut(&id) else {
            return;
        };
        query.waiting = query.waiting.saturating_sub(1);
        if query.stage == Stage::Single {
            self.finish(id);
        } else {
            self.drive(id);
        }
    }

    /// A node of the table may be gone; one that waits for its place is asked whether it is there.
    pub(super) fn node_failed(&mut self, id: &Id, address: SocketAddrV4) {
        if let Some(spare) = self.table.failed(id, address) {
            self.check(spare);
        }
    }

    /// Sends a request once more, and the hole punch that may be needed for it to arrive.
    pub(super) fn resend(&mut self, id: RequestId) {
        let Some((to, datagram)) = self.rpc.resend(self.now, id, &mut self.random) else {
            return;
        };
        self.transmit(to, datagram);
        let Some(request) = self.rpc.get(id) else {
            return;
        };
        match request.purpose {
            Purpose::Punch(_) => self.send_to_referrer(id),
            Purpose::Walk(query, node) => {
                if let Some((rid, referrer, to)) = self.rpc.punch_for(id, &mut self.random) {
                    self.send_punch(rid, referrer, to);
                }
                if let Some(query) = self.queries.get_mut(&query) {
                    match node {
                        Some(node) => query.walk.slow(&node),
                        None => query.roots_asked = query.roots_asked.saturating_sub(1),
                    }
                }
                self.drive(query);
            }
            _ => {}
        }
    }

    /// The second packet of the caller's hole punch, under the same request id as the first.
    fn send_to_referrer(&mut self, id: RequestId) {
        if let Some(request) = self.rpc.get(id)
            && let Some(referrer) = request.referrer
        {
            let (rid, to) = (request.rid(), request.to);
            self.send_punch(rid, referrer, to);
        }
    }

    /// Asks a node to tell another that we want to reach it.
    fn send_punch(&mut self, rid: u32, referrer: SocketAddrV4, peer: SocketAddrV4) {
        let (to, peer) = (encode_peer(referrer), encode_peer(peer));
        let punch = Punch {
            from: None,
            to: Some(&peer),
        };
        let value = punch.encode();
        let message = Message {
            to: Some(&to),
            id: self.shown_id(),
            command: Some(command::HOLEPUNCH),
            value: Some(&value),
            ..Message::new(Kind::Query, u64::from(rid))
        };
        let datagram = message.encode();
        self.transmit(referrer, datagram);
    }

    /// Asks whether a node is there, unless that is under way or too many others are asked.
    pub(super) fn check(&mut self, node: Node) {
        if self.checking.len() >= upkeep::MAX_CHECKS
            || !Self::is_reachable(node.address)
            || !self.checking.insert(node.address)
        {
            return;
        }
        let mut ask = Ask::query(node.address, command::PING, Purpose::Check(node));
        ask.value = Some(node.id.as_bytes());
        self.ask(ask);
    }
}

/// With fewer nodes of our own to begin with, the bootstrap nodes are asked too.
const FEW_NODES: usize = 8;

/// Nodes that a short walk looks for.
const FILL_NODES: usize = 4;
