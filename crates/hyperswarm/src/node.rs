use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_channel::{Receiver, Sender};
use event_listener::Event as Wake;
use hypercore_crypto::PublicKey;
use hypercore_runtime::{Runtime, UdpPort, UdpSocket};
use hyperswarm_dht::{
    AnnounceOptions, Dht, Event, FoundValue, Id, LookupOptions, ObservedAddress, QueryId,
    SignedValue, Summary, Timestamp, Transmit,
};

use crate::NodeError;

mod driver;
mod status;
mod walk;

pub use status::{NodeStatus, Reach};
pub use walk::Walk;

/// How a [`Node`] is bound and what it is in the DHT.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NodeConfig {
    /// Where to listen. Default: any free port on every interface.
    pub listen: SocketAddrV4,
    /// The node's identity, limits, and whom it asks first.
    pub dht: hyperswarm_dht::Config,
    /// Where the node's randomness comes from. Default: the system. For tests that repeat.
    pub seed: Option<[u8; 32]>,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0),
            dht: hyperswarm_dht::Config::default(),
            seed: None,
        }
    }
}

/// A node of the DHT on a UDP socket.
///
/// Clones are handles on the same node. It works in the background until it is
/// [closed](Self::close) or the last handle is dropped. Everything here is cancel-safe: an operation
/// that is dropped ends, and what others have stored by then they keep.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
    alive: Arc<Alive>,
}

/// What a node tells beside the answers to operations.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum NodeEvent {
    /// How others see us has changed.
    Observed(Option<ObservedAddress>),
    /// The node has proved stable and reachable, and shows its id from now on.
    Persistent,
    /// Somebody wants to reach us through our NAT, which now lets them in.
    PunchRequested {
        /// Who.
        from: SocketAddrV4,
    },
    /// Something looks wrong; no reason to stop.
    Warning(hyperswarm_dht::Warning),
}

impl Node {
    /// Binds a socket and begins to meet other nodes.
    pub fn bind(runtime: Arc<dyn Runtime>, config: NodeConfig) -> io::Result<Self> {
        let socket = runtime.bind_udp(config.listen.into(), UdpPort::Own)?;
        let seed = match config.seed {
            Some(seed) => seed,
            None => random_seed()?,
        };
        Ok(Self::on(runtime, Arc::new(socket), config.dht, seed))
    }

    /// Works on a socket that is bound already.
    pub(crate) fn on(
        runtime: Arc<dyn Runtime>,
        socket: Arc<UdpSocket>,
        config: hyperswarm_dht::Config,
        seed: [u8; 32],
    ) -> Self {
        let now = Timestamp::from_start(runtime.now());
        let mut dht = Dht::new(config, seed, now);
        dht.bootstrap(now);
        let (running, ended) = async_channel::bounded(1);
        let state = State {
            dht,
            socket: Some(socket.clone()),
            walks: BTreeMap::new(),
            listeners: Vec::new(),
            backlog: VecDeque::new(),
            utp: None,
            is_ready: false,
        };
        let inner = Arc::new(Inner {
            local: v4(socket.local_addr()),
            runtime: runtime.clone(),
            state: Mutex::new(state),
            wake: Wake::new(),
            ready: Wake::new(),
        });
        inner.pump(&mut inner.state());
        runtime.spawn(Box::pin(driver::drive(inner.clone(), socket, running)));
        let alive = Alive {
            inner: inner.clone(),
            ended,
        };
        Self {
            inner,
            alive: Arc::new(alive),
        }
    }

    /// The address of the socket.
    pub fn local_addr(&self) -> SocketAddrV4 {
        self.inner.local
    }

    /// Waits until the first walk is over, by which the node gets to know others.
    pub async fn ready(&self) -> Result<(), NodeError> {
        loop {
            let listener = self.inner.ready.listen();
            {
                let state = self.inner.state();
                if state.is_ready {
                    return Ok(());
                }
                if state.socket.is_none() {
                    return Err(NodeError::Closed);
                }
            }
            listener.await;
        }
    }

    /// Looks for peers of a topic.
    pub fn lookup(&self, topic: Id, options: LookupOptions) -> Walk {
        self.begin(|dht, now| dht.lookup(now, topic, options))
    }

    /// Looks for peers of a topic and makes it known that we are one. Others forget that after 8 to
    /// 20 minutes, so repeat it every 5 to 10.
    pub fn announce(&self, topic: Id, options: AnnounceOptions) -> Walk {
        self.begin(|dht, now| dht.announce(now, topic, options))
    }

    /// Takes back what was announced with the same options.
    pub async fn unannounce(
        &self,
        topic: Id,
        options: AnnounceOptions,
    ) -> Result<Summary, NodeError> {
        let walk = self.begin(|dht, now| dht.unannounce(now, topic, options));
        walk.finish().await
    }

    /// Looks for the nodes nearest to a point.
    pub async fn find_node(&self, target: Id) -> Result<Summary, NodeError> {
        self.begin(|dht, now| dht.find_node(now, target))
            .finish()
            .await
    }

    /// The value of a BLAKE2b-256 hash; `None` if nobody who was asked has it.
    pub async fn immutable_get(&self, hash: Id) -> Result<Option<Vec<u8>>, NodeError> {
        let mut walk = self.begin(|dht, now| dht.immutable_get(now, hash));
        while let Some(event) = walk.event().await {
            if let Event::Value {
                value: FoundValue::Immutable(value),
                ..
            } = event
            {
                return Ok(Some(value));
            }
        }
        walk.finish().await.map(|_| None)
    }

    /// Has the nearest nodes store a value, and returns its hash.
    pub async fn immutable_put(&self, value: &[u8]) -> Result<Id, NodeError> {
        let mut hash = None;
        let walk = self.try_begin(|dht, now| {
            let (target, query) = dht.immutable_put(now, value)?;
            hash = Some(target);
            Ok(query)
        })?;
        walk.finish().await?;
        hash.ok_or(NodeError::Closed)
    }

    /// The newest value of an owner and salt with a number of at least `min_seq`; `None` if nobody
    /// who was asked has one.
    ///
    /// All of the nearest nodes are asked, since each may have missed the newest.
    pub async fn mutable_get(
        &self,
        key: &PublicKey,
        salt: Option<&[u8]>,
        min_seq: u64,
    ) -> Result<Option<SignedValue>, NodeError> {
        let mut walk = self.try_begin(|dht, now| Ok(dht.mutable_get(now, key, salt, min_seq)?))?;
        let mut newest = None;
        while let Some(event) = walk.event().await {
            if let Event::Value {
                value: FoundValue::Mutable(value),
                ..
            } = event
            {
                newest = Some(value);
            }
        }
        walk.finish().await.map(|_| newest)
    }

    /// Has the nearest nodes store a signed value. The error is
    /// [`QueryError::Newer`](hyperswarm_dht::QueryError::Newer) if one of them proves to have a newer
    /// one.
    pub async fn mutable_put(&self, value: SignedValue) -> Result<Summary, NodeError> {
        self.try_begin(|dht, now| Ok(dht.mutable_put(now, value)?))?
            .finish()
            .await
    }

    /// Asks a node for a sign of life. Returns our own address as the other sees it, if it tells.
    pub async fn ping(&self, node: SocketAddrV4) -> Result<Option<SocketAddrV4>, NodeError> {
        let mut walk = self.begin(|dht, now| dht.ping(now, node));
        while let Some(event) = walk.event().await {
            if let Event::Pong { observed, .. } = event {
                return Ok(observed);
            }
        }
        walk.finish().await.map(|_| None)
    }

    /// Opens the way to a peer behind a NAT, with the help of the node that told of it. Returns where
    /// the peer's answer came from, which is another port than the peer's behind some NATs.
    pub async fn holepunch(
        &self,
        peer: SocketAddrV4,
        referrer: SocketAddrV4,
    ) -> Result<SocketAddrV4, NodeError> {
        let mut walk = self.begin(|dht, now| dht.holepunch(now, peer, referrer));
        while let Some(event) = walk.event().await {
            if let Event::Punched { from, .. } = event {
                return Ok(from);
            }
        }
        walk.finish().await.map(|_| peer)
    }

    /// What the node tells from now on. Whoever reads more slowly than [`MAX_UNREAD`] events misses
    /// some; reading ends when the node is closed.
    pub fn events(&self) -> Receiver<NodeEvent> {
        let (sender, receiver) = async_channel::bounded(MAX_UNREAD);
        let mut state = self.inner.state();
        if state.socket.is_some() {
            state.listeners.retain(|listener| !listener.is_closed());
            state.listeners.push(sender);
        }
        receiver
    }

    /// How the node is doing: whether it can be reached, and how others see it.
    pub fn status(&self) -> NodeStatus {
        status::look(&self.inner)
    }

    /// Looks into the node itself.
    pub fn inspect<T>(&self, look: impl FnOnce(&Dht) -> T) -> T {
        look(&self.inner.state().dht)
    }

    /// Ends every operation and closes the socket. Returns when the port is free again, as far as it
    /// depends on this node.
    pub async fn close(&self) {
        self.inner.close();
        // Nothing is ever sent there: it closes when the task ends.
        let _ended = self.alive.ended.recv().await;
    }

    /// As [`close`](Self::close), without waiting.
    pub(crate) fn shut(&self) {
        self.inner.close();
    }

    /// Datagrams that belong to uTP go there from now on.
    #[cfg_attr(not(feature = "utp"), allow(dead_code))]
    pub(crate) fn divert_utp(&self, to: Sender<Datagram>) {
        self.inner.state().utp = Some(to);
    }

    fn begin(&self, begin: impl FnOnce(&mut Dht, Timestamp) -> QueryId) -> Walk {
        let begun = self.try_begin(|dht, now| Ok(begin(dht, now)));
        begun.unwrap_or_else(|_| Walk::ended(self.inner.clone(), NodeError::Closed))
    }

    fn try_begin(
        &self,
        begin: impl FnOnce(&mut Dht, Timestamp) -> Result<QueryId, NodeError>,
    ) -> Result<Walk, NodeError> {
        let mut state = self.inner.state();
        if state.socket.is_none() {
            return Err(NodeError::Closed);
        }
        let query = begin(&mut state.dht, self.inner.now())?;
        let (sender, receiver) = async_channel::unbounded();
        state.walks.insert(query, sender);
        self.inner.pump(&mut state);
        drop(state);
        // The next deadline may have come closer.
        self.inner.wake.notify(1);
        Ok(Walk::begun(self.inner.clone(), query, receiver))
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("local", &self.inner.local)
            .finish_non_exhaustive()
    }
}

/// A datagram and its sender.
pub(crate) type Datagram = (Vec<u8>, SocketAddrV4);

/// Ends the node with its last handle.
struct Alive {
    inner: Arc<Inner>,
    ended: Receiver<()>,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.inner.close();
    }
}

struct Inner {
    runtime: Arc<dyn Runtime>,
    local: SocketAddrV4,
    state: Mutex<State>,
    /// For the driver: something has changed.
    wake: Wake,
    /// For those who wait for the first walk.
    ready: Wake,
}

struct State {
    dht: Dht,
    /// `None` once the node is closed.
    socket: Option<Arc<UdpSocket>>,
    /// Who waits for an operation's events.
    walks: BTreeMap<QueryId, Sender<Event>>,
    listeners: Vec<Sender<NodeEvent>>,
    /// What the system did not take yet.
    backlog: VecDeque<Transmit>,
    utp: Option<Sender<Datagram>>,
    is_ready: bool,
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_start(self.runtime.now())
    }

    fn close(&self) {
        let mut state = self.state();
        state.socket = None;
        state.walks.clear();
        state.listeners.clear();
        state.utp = None;
        drop(state);
        self.wake.notify(usize::MAX);
        self.ready.notify(usize::MAX);
    }

    /// Tells and sends what the state machine has to say.
    fn pump(&self, state: &mut State) {
        while let Some(event) = state.dht.poll_event() {
            self.tell(state, event);
        }
        while let Some(transmit) = state.dht.poll_transmit() {
            if state.backlog.len() < MAX_BACKLOG {
                state.backlog.push_back(transmit);
            }
            state.send();
        }
    }

    fn tell(&self, state: &mut State, event: Event) {
        let told = match event {
            Event::Ready { .. } => {
                state.is_ready = true;
                self.ready.notify(usize::MAX);
                return;
            }
            Event::Peers { query, .. }
            | Event::Value { query, .. }
            | Event::Pong { query, .. }
            | Event::Punched { query, .. } => {
                if let Some(walk) = state.walks.get(&query) {
                    // Whoever dropped the other end has cancelled the operation, or is about to.
                    let _ = walk.try_send(event);
                }
                return;
            }
            Event::Done { query, .. } => {
                if let Some(walk) = state.walks.remove(&query) {
                    let _ = walk.try_send(event);
                }
                return;
            }
            Event::Observed(address) => NodeEvent::Observed(address),
            Event::Persistent => NodeEvent::Persistent,
            Event::PunchRequested { from, .. } => NodeEvent::PunchRequested { from },
            Event::Warning(warning) => NodeEvent::Warning(warning),
            _ => return,
        };
        for listener in &state.listeners {
            let _ = listener.try_send(told.clone());
        }
    }
}

impl State {
    /// Sends until the system takes no more.
    fn send(&mut self) {
        let Some(socket) = &self.socket else {
            self.backlog.clear();
            return;
        };
        while let Some(transmit) = self.backlog.front() {
            let sent = socket.try_send_to(&transmit.bytes, transmit.to.into());
            if sent.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                return;
            }
            // Any other error concerns this datagram (no route, a firewall) and is as good as a loss.
            self.backlog.pop_front();
        }
    }
}

/// The IPv4 address of a socket that is bound to one.
fn v4(address: SocketAddr) -> SocketAddrV4 {
    match address {
        SocketAddr::V4(address) => address,
        SocketAddr::V6(address) => SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, address.port()),
    }
}

pub(crate) fn random_seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    Ok(seed)
}

/// Events that wait for a listener; further ones it misses.
pub const MAX_UNREAD: usize = 256;

/// Datagrams that wait for the system; further ones are lost, as in a full queue of a router.
const MAX_BACKLOG: usize = 1024;
