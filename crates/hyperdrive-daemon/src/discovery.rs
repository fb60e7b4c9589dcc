use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hypercore_runtime::{Runtime, TcpListener};
use hyperswarm::{Connection, Id, JoinOptions, MainlineConfig, Swarm, SwarmConfig, SwarmStatus};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How peers are found whose addresses nobody told.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DiscoveryOptions {
    /// Nodes of the DHT to begin with, as `host:port`. Default: [`DEFAULT_BOOTSTRAP`].
    pub bootstrap: Vec<String>,
    /// Whether to look on the local network too. Default: true.
    pub lan: bool,
    /// Nodes of BitTorrent's DHT to begin with there, as `host:port`, if peers are to be looked for in
    /// that one too. Default: none, and then it is left alone. See [`MAINLINE_BOOTSTRAP`].
    pub mainline: Vec<String>,
}

impl Default for DiscoveryOptions {
    fn default() -> Self {
        Self {
            bootstrap: DEFAULT_BOOTSTRAP.map(str::to_owned).to_vec(),
            lan: true,
            mainline: Vec::new(),
        }
    }
}

/// The search for peers by topic, and its connections. Without options it does nothing.
pub(crate) struct Discovery {
    shared: Arc<Shared>,
    tasks: Mutex<JoinSet<()>>,
}

/// Speaks the protocol on a connection, to its end.
pub(crate) type Carry = Arc<
    dyn Fn(Connection) -> hypercore_runtime::BoxFuture<'static, Result<(), String>> + Send + Sync,
>;

/// What may be hoped for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Prospect {
    /// Nobody is looked for.
    None,
    /// The first search is not over, or not everybody who was found has been dialled.
    Open,
    /// It is; somebody may still come later.
    Searched,
}

struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    prospect: Option<Prospect>,
    swarm: Option<Swarm>,
    /// What is wanted, also before the swarm runs.
    topics: BTreeMap<[u8; 32], JoinOptions>,
    connections: usize,
    failed: Option<String>,
}

impl Discovery {
    pub(crate) fn new(changed: watch::Sender<()>) -> Self {
        let shared = Shared {
            state: Mutex::default(),
            changed,
        };
        Self {
            shared: Arc::new(shared),
            tasks: Mutex::default(),
        }
    }

    /// Begins to search, in the background, unless that has begun already. With a listener, peers are
    /// let in there; without, on a port that the system chooses.
    pub(crate) fn start(
        &self,
        runtime: Arc<dyn Runtime>,
        options: DiscoveryOptions,
        id: Option<[u8; 32]>,
        listener: Option<TcpListener>,
        carry: Carry,
    ) {
        let mut state = self.shared.state();
        if state.prospect.is_some() {
            return;
        }
        state.prospect = Some(Prospect::Open);
        drop(state);
        let shared = self.shared.clone();
        self.tasks()
            .spawn(run(shared, runtime, options, id, listener, carry));
    }

    /// Looks for peers of a topic from now on, and makes known that we are one.
    pub(crate) fn join(&self, topic: [u8; 32], announce: bool) {
        let options = JoinOptions {
            announce,
            lookup: true,
        };
        let mut state = self.shared.state();
        let before = state.topics.insert(topic, options);
        if before == Some(options) {
            return;
        }
        if let Some(swarm) = state.swarm.clone() {
            swarm.join(topic, options);
            state.prospect = Some(Prospect::Open);
            drop(state);
            self.tasks().spawn(search(self.shared.clone(), swarm));
        }
    }

    /// What may be hoped for.
    pub(crate) fn prospect(&self) -> Prospect {
        self.shared.state().prospect.unwrap_or(Prospect::None)
    }

    /// How the search goes, and how others see us, once it has begun.
    pub(crate) fn status(&self) -> Option<SwarmStatus> {
        let swarm = self.shared.state().swarm.clone();
        swarm.map(|swarm| swarm.status())
    }

    /// How the search goes, in words; `None` if there is none.
    pub(crate) fn told(&self) -> Option<String> {
        let state = self.shared.state();
        state.prospect?;
        if let Some(failed) = &state.failed {
            return Some(format!("discovery: {failed}"));
        }
        Some(match state.connections {
            0 => "discovery: nobody found".to_owned(),
            1 => "discovery: one peer, but it does not send this".to_owned(),
            count => format!("discovery: {count} peers, but they do not send this"),
        })
    }

    /// Ends the search and its connections, and takes announcements back as far as nodes answer soon.
    pub(crate) async fn close(&self) {
        let swarm = self.shared.state().swarm.take();
        if let Some(swarm) = swarm {
            swarm.close().await;
        }
        let mut tasks = std::mem::take(&mut *self.tasks());
        tasks.shutdown().await;
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks
    }
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery")
            .field("prospect", &self.prospect())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn run(
    shared: Arc<Shared>,
    runtime: Arc<dyn Runtime>,
    options: DiscoveryOptions,
    id: Option<[u8; 32]>,
    listener: Option<TcpListener>,
    carry: Carry,
) {
    let mut config = SwarmConfig::default();
    config.dht.bootstrap = resolve(&options.bootstrap).await;
    config.use_dht = !config.dht.bootstrap.is_empty();
    config.use_lan = options.lan;
    config.dht.id = id.map(Id::from_bytes);
    let mainline = resolve(&options.mainline).await;
    if !mainline.is_empty() {
        let mut further = MainlineConfig::default();
        further.bootstrap = mainline;
        config.mainline = Some(further);
    }
    let swarm = match listener {
        Some(listener) => Swarm::with_listener(runtime, listener, config),
        None => Swarm::bind(runtime, config).await,
    };
    let swarm = match swarm {
        Ok(swarm) => swarm,
        Err(error) => {
            let mut state = shared.state();
            state.failed = Some(error.to_string());
            state.prospect = Some(Prospect::Searched);
            drop(state);
            shared.changed.send_replace(());
            return;
        }
    };
    {
        let mut state = shared.state();
        for (topic, options) in &state.topics {
            swarm.join(*topic, *options);
        }
        state.swarm = Some(swarm.clone());
    }
    // Held here, so that the connections end with the search.
    let mut connections = JoinSet::new();
    connections.spawn(search(shared.clone(), swarm.clone()));
    while let Some(connection) = swarm.accept().await {
        while connections.try_join_next().is_some() {}
        let (shared, carry) = (shared.clone(), carry.clone());
        connections.spawn(async move {
            shared.state().connections += 1;
            shared.changed.send_replace(());
            // What an unknown peer does wrong ends its connection and concerns nobody else.
            let _ = carry(connection).await;
            shared.state().connections -= 1;
            shared.changed.send_replace(());
        });
    }
}

/// Waits until the search that is under way is over.
async fn search(shared: Arc<Shared>, swarm: Swarm) {
    // Neighbours need a moment to answer, and are not waited for otherwise.
    let ((), ()) = tokio::join!(swarm.flush(), tokio::time::sleep(NEIGHBOURS));
    swarm.flush().await;
    shared.state().prospect = Some(Prospect::Searched);
    shared.changed.send_replace(());
}

/// The IPv4 addresses of hosts; those that are not found are left out.
pub(crate) async fn resolve(hosts: &[String]) -> Vec<SocketAddrV4> {
    let mut lookups = JoinSet::new();
    for host in hosts.iter().take(MAX_BOOTSTRAP).cloned() {
        lookups.spawn(async move {
            let found = timeout(RESOLVE_TIMEOUT, tokio::net::lookup_host(host)).await;
            let found = found.ok().and_then(Result::ok);
            let v4 = |address| match address {
                SocketAddr::V4(address) => Some(address),
                SocketAddr::V6(_) => None,
            };
            found.and_then(|mut found| found.find_map(v4))
        });
    }
    let mut addresses: Vec<_> = lookups.join_all().await.into_iter().flatten().collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// Nodes of the DHT that everybody knows (the reference's).
pub const DEFAULT_BOOTSTRAP: [&str; 3] = [
    "bootstrap1.hyperdht.org:49737",
    "bootstrap2.hyperdht.org:49737",
    "bootstrap3.hyperdht.org:49737",
];

/// Nodes of BitTorrent's DHT that everybody knows.
pub const MAINLINE_BOOTSTRAP: [&str; 3] = [
    "router.bittorrent.com:6881",
    "dht.transmissionbt.com:6881",
    "router.utorrent.com:6881",
];

/// Hosts to begin with that are used.
const MAX_BOOTSTRAP: usize = 32;

/// How long a name is looked up.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long neighbours are waited for.
const NEIGHBOURS: Duration = Duration::from_millis(500);

/// A node of the DHT that others can count on, and nothing else.
#[derive(Clone, Debug)]
pub struct DhtNode {
    node: hyperswarm::Node,
}

impl DhtNode {
    /// Listens, and meets others through `bootstrap`, a list of `host:port`. Must be called inside a
    /// tokio runtime.
    pub async fn bind(listen: SocketAddrV4, bootstrap: &[String]) -> std::io::Result<Self> {
        let mut config = hyperswarm::NodeConfig::default();
        config.listen = listen;
        config.dht.ephemeral = false;
        config.dht.bootstrap = resolve(bootstrap).await;
        let runtime = Arc::new(hypercore_runtime::Tokio::current());
        let node = hyperswarm::Node::bind(runtime, config)?;
        Ok(Self { node })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddrV4 {
        self.node.local_addr()
    }

    /// Ends it.
    pub async fn close(&self) {
        self.node.close().await;
    }

    /// Where a node listens unless told otherwise.
    pub const DEFAULT_LISTEN: SocketAddrV4 =
        SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, crate::DEFAULT_PORT);
}
