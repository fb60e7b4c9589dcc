use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{SocketAddr, SocketAddrV4};

use hypercore_crypto::PublicKey;

use crate::address::{Scope, v4};
use crate::budget::{Budget, Proven};
use crate::config::MAX_SALT_BYTES;
use crate::observed::Observed;
use crate::peers::Peers;
use crate::punches::Punches;
use crate::query::{Query, Task};
use crate::random::Random;
use crate::rpc::Rpc;
use crate::table::Table;
use crate::token::Tokens;
use crate::values::{Values, hash};
use crate::wire::{Kind, Message, Node};
use crate::{
    Config, Event, FoundValue, Id, ObservedAddress, QueryError, QueryId, SignedValue, Summary,
    Timestamp, Transmit, ValueError,
};

mod replies;
mod serve;
mod upkeep;
mod walk;

use upkeep::Upkeep;

/// One node of the DHT, as a state machine.
///
/// It owns no socket, clock or task. After each call that takes `now`, drain
/// [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event) until they return
/// `None`. An operation ends with [`Event::Done`], which may come at once.
#[derive(Debug)]
pub struct Dht {
    config: Config,
    id: Id,
    is_ephemeral: bool,
    now: Timestamp,
    random: Random,
    rpc: Rpc,
    table: Table,
    queries: BTreeMap<QueryId, Query>,
    next_query: u64,
    /// Operations that wait for others to take up less.
    blocked: BTreeSet<QueryId>,
    /// Nodes that are being asked whether they are there.
    checking: BTreeSet<SocketAddrV4>,
    tokens: Tokens,
    peers: Peers,
    values: Values,
    budget: Budget,
    proven: Proven,
    punches: Punches,
    observed: Observed,
    upkeep: Upkeep,
    outgoing: VecDeque<Transmit>,
    events: VecDeque<Event>,
}

/// What is announced beside the topic.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AnnounceOptions {
    /// The port under which we are reached, on the address that others see. `None`: the port that
    /// they see.
    pub port: Option<u16>,
    /// Our address in the local network, for those in the same network, of which the first two
    /// bytes are compared.
    pub local_address: Option<SocketAddrV4>,
}

/// What is asked beside the topic.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LookupOptions {
    /// Our address in the local network; peers in the same network are asked for too.
    pub local_address: Option<SocketAddrV4>,
}

impl Dht {
    /// A node that knows nobody. `seed` is 32 random bytes, from which all its randomness comes:
    /// secret, and never used twice, except in tests.
    pub fn new(config: Config, seed: [u8; 32], now: Timestamp) -> Self {
        let mut random = Random::new(seed);
        let drawn = Id::from_bytes(random.bytes32());
        let id = config.id.unwrap_or(drawn);
        let tokens = Tokens::new(random.bytes32());
        Self {
            id,
            is_ephemeral: config.ephemeral,
            now,
            rpc: Rpc::default(),
            table: Table::new(id, config.max_table_nodes),
            queries: BTreeMap::new(),
            next_query: 0,
            blocked: BTreeSet::new(),
            checking: BTreeSet::new(),
            tokens,
            peers: Peers::new(&config),
            values: Values::new(&config),
            budget: Budget::new(&config, now),
            proven: Proven::default(),
            punches: Punches::new(config.punches_per_second, now),
            observed: Observed::default(),
            upkeep: Upkeep::new(&config, now, &mut random),
            outgoing: VecDeque::new(),
            events: VecDeque::new(),
            random,
            config,
        }
    }

    /// Takes a datagram that arrived from `from`. Whatever is in it, the worst that happens is
    /// nothing.
    ///
    /// On a socket that carries uTP too, give it what is not uTP: see
    /// [`is_utp`](crate::wire::is_utp).
    pub fn handle_datagram(&mut self, now: Timestamp, from: SocketAddr, datagram: &[u8]) {
        self.advance(now);
        let Some(from) = v4(from).filter(|from| from.port() != 0) else {
            return;
        };
        let Ok(message) = Message::decode(datagram) else {
            return;
        };
        if message.id.is_some_and(|id| id.len() != Id::BYTES) {
            return;
        }
        // Whoever speaks an older version does not mean the same by an id.
        let id = message
            .id
            .filter(|_| message.version.is_some_and(|it| it >= 1));
        let id = id.and_then(Id::from_slice);
        let is_proven = self.proven.contains(from);
        let allowance = self
            .budget
            .received(*from.ip(), datagram.len(), is_proven, self.now);
        match message.kind {
            Kind::Response => self.handle_response(from, id, &message),
            Kind::Query => self.serve_query(from, id, &message, allowance),
            Kind::Update => self.serve_update(from, id, &message, allowance),
        }
    }

    /// Tells the node that the time is `now`. Calling early or late is harmless.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.advance(now);
        self.handle_overdue();
        self.keep_up();
    }

    /// Starts or repeats the first walk, towards our own id, which fills the table. Do this once
    /// at the start; later the node does it by itself.
    pub fn bootstrap(&mut self, now: Timestamp) -> QueryId {
        self.start(now, self.id, Task::Bootstrap)
    }

    /// Looks for the nodes nearest to `target`, which come in the [`Summary`].
    pub fn find_node(&mut self, now: Timestamp, target: Id) -> QueryId {
        self.start(now, target, Task::FindNode)
    }

    /// Looks for peers of a topic. They come as [`Event::Peers`].
    pub fn lookup(&mut self, now: Timestamp, topic: Id, options: LookupOptions) -> QueryId {
        let local = options.local_address;
        self.start(now, topic, Task::Lookup { local })
    }

    /// Looks for peers of a topic, then has the nearest nodes store that we are one. Repeat it every
    /// 5 to 10 minutes, since they forget.
    pub fn announce(&mut self, now: Timestamp, topic: Id, options: AnnounceOptions) -> QueryId {
        let task = Task::Announce {
            port: options.port.unwrap_or(0),
            local: options.local_address,
        };
        self.start(now, topic, task)
    }

    /// Has the nearest nodes forget what was announced with the same options.
    pub fn unannounce(&mut self, now: Timestamp, topic: Id, options: AnnounceOptions) -> QueryId {
        let task = Task::Unannounce {
            port: options.port.unwrap_or(0),
            local: options.local_address,
        };
        self.start(now, topic, task)
    }

    /// Looks for the value whose BLAKE2b-256 hash is `hash`. It comes as [`Event::Value`].
    pub fn immutable_get(&mut self, now: Timestamp, hash: Id) -> QueryId {
        self.advance(now);
        let Some(value) = self.values.immutable(&hash).map(<[u8]>::to_vec) else {
            return self.start(now, hash, Task::GetImmutable);
        };
        let query = self.next_query_id();
        let value = FoundValue::Immutable(value);
        self.events.push_back(Event::Value { query, value });
        self.done(query, Ok(Summary::default()));
        query
    }

    /// Has the nearest nodes store a value, and keeps it here. Returns its hash, by which it is
    /// found.
    pub fn immutable_put(
        &mut self,
        now: Timestamp,
        value: &[u8],
    ) -> Result<(Id, QueryId), ValueError> {
        self.advance(now);
        let target = hash(value);
        let here = std::net::Ipv4Addr::LOCALHOST;
        if self
            .values
            .put_immutable(target, value, here, self.now)
            .is_err()
        {
            let length = value.len();
            return Err(ValueError::Value { length });
        }
        let query = self.start(now, target, Task::PutImmutable(value.to_vec()));
        Ok((target, query))
    }

    /// Looks for the newest value of an owner and salt, with a number of at least `min_seq`. Each
    /// newer one that is found comes as [`Event::Value`].
    pub fn mutable_get(
        &mut self,
        now: Timestamp,
        key: &PublicKey,
        salt: Option<&[u8]>,
        min_seq: u64,
    ) -> Result<QueryId, ValueError> {
        if let Some(length) = salt.map(<[u8]>::len).filter(|it| *it > MAX_SALT_BYTES) {
            return Err(ValueError::Salt { length });
        }
        let task = Task::GetMutable {
            seq: min_seq,
            salt: salt.map(<[u8]>::to_vec),
        };
        Ok(self.start(now, Id::from_bytes(*key.as_bytes()), task))
    }

    /// Has the nearest nodes store a signed value. When one of them proves to have a newer one, that
    /// comes as [`Event::Value`] and the operation ends with [`QueryError::Newer`].
    pub fn mutable_put(
        &mut self,
        now: Timestamp,
        value: SignedValue,
    ) -> Result<QueryId, ValueError> {
        value.verify()?;
        let target = Id::from_bytes(*value.key.as_bytes());
        Ok(self.start(now, target, Task::PutMutable(value)))
    }

    /// Asks a node for a sign of life, which comes as [`Event::Pong`].
    pub fn ping(&mut self, now: Timestamp, address: SocketAddrV4) -> QueryId {
        self.advance(now);
        let query = self.next_query_id();
        self.start_ping(query, address);
        query
    }

    /// Opens the way to a peer behind a NAT, with the help of the node that told of it. Success
    /// comes as [`Event::Punched`].
    pub fn holepunch(
        &mut self,
        now: Timestamp,
        peer: SocketAddrV4,
        referrer: SocketAddrV4,
    ) -> QueryId {
        self.advance(now);
        let query = self.next_query_id();
        self.start_punch(query, peer, referrer);
        query
    }

    /// Ends an operation. It has no further events. Without effect if it is over.
    pub fn cancel(&mut self, query: QueryId) {
        self.queries.remove(&query);
        self.blocked.remove(&query);
        self.rpc.forget(query);
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.outgoing.pop_front()
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, at the latest.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let upkeep = Some(self.upkeep.next_deadline());
        self.rpc.next_deadline().into_iter().chain(upkeep).min()
    }

    /// Our id.
    pub fn id(&self) -> Id {
        self.id
    }

    /// Whether we keep our id to ourselves.
    pub fn is_ephemeral(&self) -> bool {
        self.is_ephemeral
    }

    /// Our address as others see it, if enough of them agree.
    pub fn observed_address(&self) -> Option<ObservedAddress> {
        self.observed.current()
    }

    /// The nodes of the routing table, in no particular order. All of them have answered us.
    pub fn nodes(&self) -> impl Iterator<Item = Node> {
        self.table.nodes()
    }

    /// About how many nodes the network has; `None` while too few are known to tell.
    pub fn network_size(&self) -> Option<f64> {
        self.table.network_size()
    }

    /// Peer records that are kept for others.
    pub fn stored_records(&self) -> usize {
        self.peers.len()
    }

    /// Values that are kept for others.
    pub fn stored_values(&self) -> usize {
        self.values.len()
    }

    fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    fn next_query_id(&mut self) -> QueryId {
        self.next_query += 1;
        QueryId(self.next_query)
    }

    /// Whether an address is our own, as far as we know.
    fn is_own_address(&self, address: SocketAddrV4) -> bool {
        self.observed
            .current()
            .is_some_and(|own| own.ip == *address.ip() && own.port == Some(address.port()))
    }

    /// Whether datagrams may be sent there at all.
    fn is_reachable(address: SocketAddrV4) -> bool {
        address.port() != 0 && Scope::of(*address.ip()) != Scope::Nowhere
    }

    fn transmit(&mut self, to: SocketAddrV4, bytes: Vec<u8>) {
        self.outgoing.push_back(Transmit { to, bytes });
    }

    fn done(&mut self, query: QueryId, result: Result<Summary, QueryError>) {
        self.events.push_back(Event::Done { query, result });
    }

    /// Tells what is nice to know. When nobody listens it is left out.
    fn inform(&mut self, event: Event) {
        if self.events.len() < MAX_UNHEARD_EVENTS {
            self.events.push_back(event);
        }
    }
}

/// Events beyond which those are left out that no operation waits for.
const MAX_UNHEARD_EVENTS: usize = 4096;
