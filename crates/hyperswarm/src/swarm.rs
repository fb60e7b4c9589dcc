use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use event_listener::Event as Wake;
use futures_lite::future::or;
use hypercore_runtime::{BoxFuture, Runtime, TcpListener, UdpPort};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::Node;
use crate::config::{JoinOptions, SwarmConfig};
use crate::lan::{Lan, LanJoin, links};
use crate::node::random_seed;
use crate::peers::{Peers, Topic};

mod accept;
mod connection;
mod dial;
mod local;
#[cfg(feature = "mainline")]
mod mainline;
mod status;
mod topic;
#[cfg(feature = "utp")]
mod utp;

pub use connection::{Connection, ConnectionInfo, Handle, Rest, Verdict};
pub use status::{LanStatus, SwarmStatus};

/// Finds peers by topic and connects to them.
///
/// Clones are handles on the same swarm. It works in the background until it is
/// [closed](Self::close) or the last handle is dropped; connections outlive it.
#[derive(Clone)]
pub struct Swarm {
    inner: Arc<Inner>,
    _alive: Arc<Alive>,
}

/// What a swarm tells beside its connections.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SwarmEvent {
    /// A peer was found that was not known before.
    Found {
        /// For which topic.
        topic: Topic,
        /// Where.
        address: SocketAddrV4,
    },
    /// An attempt to connect failed. Others may follow.
    DialFailed {
        /// Where to.
        address: SocketAddrV4,
        /// Why, in words.
        error: String,
    },
    /// There is a connection, which [`Swarm::accept`] returns.
    Connected {
        /// Where the other end is.
        remote: SocketAddr,
    },
    /// A connection was dropped.
    Disconnected {
        /// Where the other end was.
        remote: SocketAddr,
    },
    /// How others see us has changed.
    Observed(Option<hyperswarm_dht::ObservedAddress>),
}

impl Swarm {
    /// Listens, and begins to meet nodes of the DHT. No topic is joined yet.
    pub async fn bind(runtime: Arc<dyn Runtime>, config: SwarmConfig) -> io::Result<Self> {
        for _ in 1..PORT_ATTEMPTS {
            let listener = listen(&*runtime, config.listen).await?;
            match Self::with_listener(runtime.clone(), listener, config.clone()) {
                // The port is free for TCP and taken for UDP; the next one may be free for both.
                Err(error)
                    if error.kind() == io::ErrorKind::AddrInUse && config.listen.port() == 0 => {}
                bound => return bound,
            }
        }
        let listener = listen(&*runtime, config.listen).await?;
        Self::with_listener(runtime, listener, config)
    }

    /// As [`bind`](Self::bind), with a listener that exists already: its address counts, and
    /// [`SwarmConfig::listen`] does not.
    pub fn with_listener(
        runtime: Arc<dyn Runtime>,
        listener: TcpListener,
        config: SwarmConfig,
    ) -> io::Result<Self> {
        let local = local_v4(listener.local_addr());
        let socket = Arc::new(runtime.bind_udp(local.into(), UdpPort::Own)?);
        let seed = match config.seed {
            Some(seed) => seed,
            None => random_seed()?,
        };
        let mut random = ChaCha20Rng::from_seed(seed);
        let now = runtime.now();
        let node = Node::on(
            runtime.clone(),
            socket.clone(),
            config.dht.clone(),
            draw(&mut random),
        );
        #[cfg(feature = "mainline")]
        let mainline = config.mainline.as_ref().map(mainline::start).transpose()?;
        let (connected, connections) = async_channel::unbounded();
        let peers = Peers::new(config.peers, draw(&mut random), now);
        let lan = config.use_lan.then(|| Lan::new(draw(&mut random), now));
        let inner = Arc::new(Inner {
            local,
            runtime,
            node,
            connections,
            state: Mutex::new(State {
                peers,
                lan,
                lan_error: None,
                topics: BTreeMap::new(),
                live: BTreeMap::new(),
                identities: BTreeMap::new(),
                next_connection: 0,
                connected: Some(connected),
                listeners: Vec::new(),
                random,
            }),
            wake: Wake::new(),
            lan_wake: Wake::new(),
            changed: Wake::new(),
            closed: Wake::new(),
            #[cfg(feature = "utp")]
            utp: Mutex::new(None),
            #[cfg(feature = "mainline")]
            mainline,
            config,
        });
        inner.state().set_own(&inner);
        inner.spawn(accept::tcp(inner.clone(), listener));
        inner.spawn(dial::all(inner.clone()));
        inner.spawn(status::follow(inner.clone()));
        if inner.config.use_lan {
            inner.spawn(local::discover(inner.clone()));
        }
        #[cfg(feature = "utp")]
        if inner.config.use_utp {
            inner.spawn(utp::carry(inner.clone(), socket));
        }
        #[cfg(not(feature = "utp"))]
        drop(socket);
        let alive = Alive {
            inner: inner.clone(),
        };
        Ok(Self {
            inner,
            _alive: Arc::new(alive),
        })
    }

    /// Looks for peers of a topic, or announces that we are one, or both, from now on. Joining again
    /// replaces what was wanted before; with neither it is [`leave`](Self::leave).
    ///
    /// Beyond [`MAX_TOPICS`] topics nothing happens, and the return value is `false`.
    pub fn join(&self, topic: Topic, options: JoinOptions) -> bool {
        let inner = &self.inner;
        if !options.announce && !options.lookup {
            self.leave(&topic);
            return true;
        }
        let mut state = inner.state();
        if state.connected.is_none() {
            return false;
        }
        let known = state.topics.get(&topic);
        if known.is_some_and(|joined| joined.options == options) {
            return true;
        }
        if known.is_none() && state.topics.len() >= MAX_TOPICS {
            return false;
        }
        let (stop, stopped) = async_channel::bounded(1);
        let refresh = Arc::new(Wake::new());
        let searches = self.searches(topic, options, &refresh);
        let joined = Joined {
            options,
            searching: searches.len(),
            refresh,
            _stop: stop,
        };
        if let Some(before) = state.topics.insert(topic, joined)
            && before.options.announce
            && !options.announce
        {
            inner.spawn(topic::unannounce(inner.clone(), topic));
        }
        let now = inner.runtime.now();
        if let Some(lan) = &mut state.lan {
            let join = LanJoin {
                announce: options.announce.then_some(inner.local.port()),
                lookup: options.lookup,
            };
            lan.join(now, topic, join);
        }
        drop(state);
        inner.lan_wake.notify(1);
        for search in searches {
            let stopped = stopped.clone();
            let stopped = async move {
                // Nothing is ever sent: it closes with the topic.
                let _ = stopped.recv().await;
            };
            inner.spawn(or(search, stopped));
        }
        true
    }

    /// The ways in which a topic is announced and looked for, the local network apart. None has begun.
    fn searches(
        &self,
        topic: Topic,
        options: JoinOptions,
        refresh: &Arc<Wake>,
    ) -> Vec<BoxFuture<'static, ()>> {
        let inner = &self.inner;
        let mut searches: Vec<BoxFuture<'static, ()>> = Vec::new();
        if inner.config.use_dht {
            let rounds = topic::rounds(inner.clone(), topic, options, refresh.clone());
            searches.push(Box::pin(rounds));
        }
        #[cfg(feature = "mainline")]
        if let Some(dht) = &inner.mainline {
            let (inner, dht) = (inner.clone(), dht.clone());
            let rounds = mainline::rounds(inner, dht, topic, options, refresh.clone());
            searches.push(Box::pin(rounds));
        }
        searches
    }

    /// Neither looks for peers of a topic nor dials them any longer, and takes the announcement back.
    /// Connections stay.
    pub fn leave(&self, topic: &Topic) {
        let inner = &self.inner;
        let mut state = inner.state();
        let Some(joined) = state.topics.remove(topic) else {
            return;
        };
        state.peers.leave(topic);
        if let Some(lan) = &mut state.lan {
            lan.leave(topic);
        }
        drop(state);
        if joined.options.announce && inner.config.use_dht {
            inner.spawn(topic::unannounce(inner.clone(), *topic));
        }
        inner.changed.notify(usize::MAX);
    }

    /// Looks for peers of all topics and announces them again at once. Worth it when the network has
    /// changed.
    pub fn refresh(&self) {
        let mut state = self.inner.state();
        let now = self.inner.runtime.now();
        if let Some(lan) = &mut state.lan {
            lan.refresh(now);
        }
        for joined in state.topics.values() {
            joined.refresh.notify(usize::MAX);
        }
        drop(state);
        self.inner.lan_wake.notify(1);
    }

    /// The next connection, whoever dialled; `None` once the swarm is closed. Cancel-safe.
    pub async fn accept(&self) -> Option<Connection> {
        self.inner.connections.recv().await.ok()
    }

    /// Waits until the first search for each topic that is joined now is over and everybody who was
    /// found has been dialled once. Cancel-safe.
    pub async fn flush(&self) {
        loop {
            let changed = self.inner.changed.listen();
            {
                let state = self.inner.state();
                let closed = state.connected.is_none();
                let searched = state.topics.values().all(|joined| joined.searching == 0);
                if closed || (searched && state.peers.is_flushed()) {
                    return;
                }
            }
            changed.await;
        }
    }

    /// Never dials an address again, nor lets anybody in from its host unless that is this machine.
    pub fn ban(&self, address: SocketAddrV4) {
        self.inner.state().peers.ban(address);
    }

    /// What the swarm tells from now on. Whoever reads more slowly than 256 events misses some;
    /// reading ends when the swarm is closed.
    pub fn events(&self) -> Receiver<SwarmEvent> {
        let (sender, receiver) = async_channel::bounded(crate::node::MAX_UNREAD);
        let mut state = self.inner.state();
        if state.connected.is_some() {
            state.listeners.retain(|listener| !listener.is_closed());
            state.listeners.push(sender);
        }
        receiver
    }

    /// How the swarm is doing.
    pub fn status(&self) -> SwarmStatus {
        status::look(&self.inner)
    }

    /// The node in the DHT.
    pub fn node(&self) -> &Node {
        &self.inner.node
    }

    /// Where we listen, with TCP and UDP.
    pub fn local_addr(&self) -> SocketAddrV4 {
        self.inner.local
    }

    /// Takes announcements back as far as that works within [`FAREWELL`], ends the search and lets go
    /// of the port. Connections that were handed out stay with their owners; those over uTP keep the UDP
    /// port until they are dropped.
    pub async fn close(&self) {
        let announced: Vec<Topic> = {
            let state = self.inner.state();
            let announced = state.topics.iter().filter(|it| it.1.options.announce);
            announced.map(|(topic, _)| *topic).collect()
        };
        if self.inner.config.use_dht {
            let farewell = topic::unannounce_all(&self.inner, announced);
            or(farewell, self.inner.runtime.sleep(FAREWELL)).await;
        }
        self.inner.close();
        self.inner.node.close().await;
    }
}

impl fmt::Debug for Swarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Swarm")
            .field("local", &self.inner.local)
            .finish_non_exhaustive()
    }
}

/// Ends the swarm with its last handle.
struct Alive {
    inner: Arc<Inner>,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.inner.close();
    }
}

pub(crate) struct Inner {
    config: SwarmConfig,
    local: SocketAddrV4,
    runtime: Arc<dyn Runtime>,
    node: Node,
    connections: Receiver<Connection>,
    state: Mutex<State>,
    /// Somebody may be dialled.
    wake: Wake,
    /// The local network may have something to send.
    lan_wake: Wake,
    /// For those who wait for a flush.
    changed: Wake,
    closed: Wake,
    #[cfg(feature = "utp")]
    utp: Mutex<Option<Arc<utp::Utp>>>,
    #[cfg(feature = "mainline")]
    mainline: Option<::mainline::async_dht::AsyncDht>,
}

struct State {
    peers: Peers,
    /// `None` if it is not wanted, or does not work here.
    lan: Option<Lan>,
    lan_error: Option<String>,
    topics: BTreeMap<Topic, Joined>,
    live: BTreeMap<u64, connection::Live>,
    /// Which connection leads to whom, by the keys of both sides.
    identities: BTreeMap<(Vec<u8>, Vec<u8>), u64>,
    next_connection: u64,
    /// `None` once the swarm is closed.
    connected: Option<Sender<Connection>>,
    listeners: Vec<Sender<SwarmEvent>>,
    random: ChaCha20Rng,
}

struct Joined {
    options: JoinOptions,
    /// In how many ways the first search is not over.
    searching: usize,
    refresh: Arc<Wake>,
    /// Ends the search when it is dropped.
    _stop: Sender<()>,
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs something until the swarm is closed.
    fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let inner = self.clone();
        let until_closed = async move { inner.until_closed().await };
        self.runtime.spawn(Box::pin(or(until_closed, task)));
    }

    async fn until_closed(&self) {
        loop {
            let closed = self.closed.listen();
            if self.state().connected.is_none() {
                return;
            }
            closed.await;
        }
    }

    fn close(&self) {
        let mut state = self.state();
        state.connected = None;
        state.topics.clear();
        state.listeners.clear();
        drop(state);
        self.connections.close();
        while self.connections.try_recv().is_ok() {}
        self.closed.notify(usize::MAX);
        self.changed.notify(usize::MAX);
        self.node.shut();
        #[cfg(feature = "utp")]
        drop(self.utp().take());
    }

    #[cfg(feature = "utp")]
    fn utp(&self) -> MutexGuard<'_, Option<Arc<utp::Utp>>> {
        self.utp.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One way of searching for a topic has come to an end for the first time, or again.
    fn searched(&self, topic: &Topic, is_first: bool) {
        if is_first && let Some(joined) = self.state().topics.get_mut(topic) {
            joined.searching = joined.searching.saturating_sub(1);
        }
        self.changed.notify(usize::MAX);
    }

    /// Has a look at the state after peers have changed.
    fn peers_changed(&self) {
        self.wake.notify(1);
        self.changed.notify(usize::MAX);
    }
}

impl State {
    fn tell(&self, event: &SwarmEvent) {
        for listener in &self.listeners {
            let _ = listener.try_send(event.clone());
        }
    }

    /// Notes where we are ourselves.
    fn set_own(&mut self, inner: &Inner) {
        let port = inner.local.port();
        let here = [*inner.local.ip(), Ipv4Addr::LOCALHOST];
        let links = links(Ipv4Addr::UNSPECIFIED).unwrap_or_default();
        let local = here
            .into_iter()
            .chain(links.into_iter().map(|link| link.address))
            .map(|address| SocketAddrV4::new(address, port));
        let observed = inner.node.inspect(hyperswarm_dht::Dht::observed_address);
        let public = observed.map(|it| SocketAddrV4::new(it.ip, it.port.unwrap_or(port)));
        self.peers.set_own(local.chain(public));
        self.peers.set_public(observed.map(|it| it.ip));
    }

    fn random_below(&mut self, limit: Duration) -> Duration {
        let millis = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX).max(1);
        Duration::from_millis(self.random.next_u64() % millis)
    }
}

/// Listens on an address; where that is every IPv4 interface, on every IPv6 one too, if there is any.
async fn listen(runtime: &dyn Runtime, on: SocketAddrV4) -> io::Result<TcpListener> {
    if on.ip().is_unspecified() {
        let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, on.port()));
        match runtime.listen_tcp(both).await {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            // No IPv6 here.
            Err(_) => {}
        }
    }
    runtime.listen_tcp(on.into()).await
}

/// The IPv4 side of a listener's address.
fn local_v4(address: SocketAddr) -> SocketAddrV4 {
    let ip = match address.ip() {
        IpAddr::V4(ip) => ip,
        IpAddr::V6(ip) => ip.to_ipv4_mapped().unwrap_or(Ipv4Addr::UNSPECIFIED),
    };
    SocketAddrV4::new(ip, address.port())
}

fn draw(random: &mut ChaCha20Rng) -> [u8; 32] {
    let mut seed = [0; 32];
    random.fill_bytes(&mut seed);
    seed
}

/// Topics that are joined at the same time.
pub const MAX_TOPICS: usize = 4096;

/// How long [`Swarm::close`] waits for announcements to be taken back.
pub const FAREWELL: Duration = Duration::from_secs(3);

/// Ports that are tried until one is free for TCP and UDP.
const PORT_ATTEMPTS: usize = 5;
