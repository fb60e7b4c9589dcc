use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use crate::wire::Node;
use crate::{Id, QueryError, SignedValue};

/// A datagram to be sent, from [`Dht::poll_transmit`](crate::Dht::poll_transmit).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Transmit {
    /// Where to.
    pub to: SocketAddrV4,
    /// The whole payload; at most [`MAX_REPLY_BYTES`](crate::MAX_REPLY_BYTES).
    pub bytes: Vec<u8>,
}

/// One running operation of one [`Dht`](crate::Dht). Never used twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct QueryId(pub(crate) u64);

/// What happened, from [`Dht::poll_event`](crate::Dht::poll_event).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The first walk through the network is over, whether or not anybody was met. Comes once.
    Ready {
        /// Nodes in the routing table by now.
        nodes: usize,
    },
    /// A node that a lookup or an announcement asked knows peers. Comes for each such node, as soon
    /// as it answers; the same peers come again from others.
    Peers {
        /// The operation.
        query: QueryId,
        /// What the node knows.
        peers: FoundPeers,
    },
    /// A verified value was found. An immutable one comes once; a mutable one again for each higher
    /// number that another node has, so that the last is the newest.
    Value {
        /// The operation.
        query: QueryId,
        /// The value.
        value: FoundValue,
    },
    /// A ping was answered.
    Pong {
        /// The operation.
        query: QueryId,
        /// Who answered.
        from: SocketAddrV4,
        /// Our own address as the other sees it.
        observed: Option<SocketAddrV4>,
        /// Time from question to answer.
        round_trip: Duration,
    },
    /// A hole punch succeeded: packets from here reach the peer, and its packets reach us.
    Punched {
        /// The operation.
        query: QueryId,
        /// Who was asked for.
        peer: SocketAddrV4,
        /// Where the answer came from. It differs from `peer` behind a NAT that gives each
        /// destination another port; then this is the address to use.
        from: SocketAddrV4,
    },
    /// An operation is over. Its last event.
    Done {
        /// The operation.
        query: QueryId,
        /// How it went.
        result: Result<Summary, QueryError>,
    },
    /// Somebody wants to reach us and has sent a packet through a node that knows both. It has been
    /// answered, which opens our NAT; now is the time to let a connection from there in, or to try
    /// one ourselves.
    PunchRequested {
        /// Who wants to reach us.
        from: SocketAddrV4,
        /// The node that told us.
        referrer: SocketAddrV4,
    },
    /// How others see us has changed.
    Observed(Option<ObservedAddress>),
    /// An ephemeral node has proved stable and reachable, and shows its id from now on.
    Persistent,
    /// Somebody announced, asked for or removed peers of a topic here.
    Served {
        /// What was done.
        what: Served,
        /// The topic.
        topic: Id,
        /// By whom.
        from: SocketAddrV4,
    },
    /// Something looks wrong; no reason to stop.
    Warning(Warning),
}

/// The answer of one node about a topic.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FoundPeers {
    /// The node that knows them, which can be the referrer of a hole punch to them.
    pub referrer: SocketAddrV4,
    /// The node's id, if it shows one.
    pub id: Option<Id>,
    /// Our own address as the node sees it.
    pub observed: Option<SocketAddrV4>,
    /// Public addresses.
    pub peers: Vec<SocketAddrV4>,
    /// Addresses in the same local network as the local address that was given with the question.
    pub local_peers: Vec<SocketAddrV4>,
}

/// A value that has been verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FoundValue {
    /// Its hash is the target.
    Immutable(Vec<u8>),
    /// Its owner signed it.
    Mutable(SignedValue),
}

/// What an operation took and brought.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// The nodes nearest to the target that answered, nearest first; at most
    /// [`CLOSEST_NODES`](crate::CLOSEST_NODES).
    pub closest: Vec<Node>,
    /// Requests, each counted once however often it was repeated.
    pub requests: usize,
    /// Requests that were answered.
    pub replies: usize,
    /// How many introductions lay between our own table and the nearest node: 1 when it stood in
    /// the table.
    pub hops: u32,
    /// Hops to the first node that had peers or a value, if any had.
    pub hops_to_value: Option<u32>,
    /// Nodes that confirmed to have stored it.
    pub stored: usize,
    /// From start to end.
    pub elapsed: Duration,
}

/// How others see us, if enough of them agree.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ObservedAddress {
    /// Our address.
    pub ip: Ipv4Addr,
    /// Our port, if all see the same: then a packet to it reaches us, once we have sent one the
    /// other way. `None` behind a NAT that gives each destination another port.
    pub port: Option<u16>,
}

/// What was done for somebody, in [`Event::Served`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Served {
    /// Stored a record.
    Announce,
    /// Told records.
    Lookup,
    /// Removed a record.
    Unannounce,
}

/// What looks wrong, in [`Event::Warning`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// Around this key stand many more nodes than the size of the network explains. Somebody may
    /// want to be asked about it. The operation has asked further nodes beyond them.
    Crowded {
        /// The key.
        target: Id,
    },
}
