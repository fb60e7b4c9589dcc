use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use corestore::{Corestore, OpenError, Options};
use hypercore_replication::Identity;
use hypercore_runtime::{Runtime, TcpListener, Tokio, UdpPort};
use hypercore_storage::DiskDir;
use hyperdrive::Drive;
use hyperswarm::{Carrier, SwarmStatus};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::connections::Connections;
use crate::control::Porter;
use crate::discovery::{self, Discovery, DiscoveryOptions, Prospect};
use crate::disk::{Disk, Failure};
use crate::network::{Carry, Network, Standing, Target};
use crate::running::{Announcement, Running};
use crate::{NodeError, Root, readers};

/// A store, its drives and its connections. Clones are handles on the same node.
///
/// Must be opened, used and closed inside one tokio runtime. [`close`](Self::close) makes everything
/// durable; when the last handle is dropped instead, the system writes when it likes.
#[derive(Clone, Debug)]
pub struct Node {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) root: Root,
    pub(crate) store: Corestore,
    pub(crate) connections: Connections,
    pub(crate) network: Network,
    discovery: Discovery,
    /// Whether it is there for long enough that others should know of it.
    stays: bool,
    /// The first write to the store that failed.
    pub(crate) failure: Failure,
    runtime: Arc<dyn Runtime>,
    place: Place,
}

/// What a node is opened for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// To write or to serve: it must hold the storage itself.
    Hold,
    /// To read for a moment. If another process holds the storage, a store beside it is used, and
    /// that process is asked like any peer.
    Read,
    /// To read for long, a clone perhaps. As [`Read`](Self::Read) otherwise.
    ReadLong,
}

/// Which store a node uses.
#[derive(Debug)]
enum Place {
    /// The first one, which it holds, and says so until it is closed.
    First(Mutex<Option<Announcement>>),
    /// One beside it.
    Beside,
}

/// A port that was taken, and on which nobody is answered yet.
#[derive(Debug)]
pub struct Port {
    listener: TcpListener,
}

impl Node {
    /// Opens the node below a storage root, creating what is missing.
    pub async fn open(root: Root, access: Access) -> Result<Self, NodeError> {
        let failure = Failure::new();
        let (store, place) = match hold(&root, access, &failure).await {
            Ok((store, announcement)) => (store, Place::First(Mutex::new(announcement))),
            Err(NodeError::Locked { .. }) if access != Access::Hold => {
                (beside(&root, &failure)?, Place::Beside)
            }
            Err(error) => return Err(error),
        };
        let runtime: Arc<dyn Runtime> = Arc::new(Tokio::current());
        let changed = watch::Sender::new(());
        let source = store.source();
        let connections =
            Connections::new(identity(&store), source, runtime.clone(), changed.clone());
        let network = Network::new(runtime.clone(), carry(&connections), changed.clone());
        let discovery = Discovery::new(changed);
        let inner = Inner {
            root,
            store,
            connections,
            network,
            discovery,
            stays: access != Access::Read,
            failure,
            runtime,
            place,
        };
        inner.network.spawn(flush_now_and_then(inner.store.clone()));
        if inner.is_beside() {
            inner.network.dial(Target::Holder(inner.root.running()));
        } else if access != Access::Hold {
            inner.answer_readers().await;
        }
        let inner = Arc::new(inner);
        if inner.stays {
            inner.open_door().await;
        }
        Ok(Self { inner })
    }

    /// Takes a port, on which nobody is answered before [`serve`](Self::serve).
    ///
    /// Without an address it is [`DEFAULT_PORT`] on every interface, or any free port if that one is
    /// taken.
    pub async fn bind(&self, address: Option<SocketAddr>) -> Result<Port, NodeError> {
        let runtime = &self.inner.runtime;
        let wanted = address.unwrap_or((Ipv4Addr::UNSPECIFIED, DEFAULT_PORT).into());
        let listener = match runtime.listen_tcp(wanted).await {
            Err(error) if address.is_none() && error.kind() == io::ErrorKind::AddrInUse => {
                runtime.listen_tcp((Ipv4Addr::UNSPECIFIED, 0).into()).await
            }
            listener => listener,
        };
        match listener {
            Ok(listener) => Ok(Port { listener }),
            Err(source) => Err(NodeError::Listen {
                address: wanted,
                source,
            }),
        }
    }

    /// Answers peers on a port from now on; every core of the store is served to whoever proves to
    /// know its key. Returns the address.
    pub fn serve(&self, port: Port) -> SocketAddr {
        let address = port.listener.local_addr();
        self.inner.network.serve(port.listener);
        self.inner.announce(address);
        address
    }

    /// As [`serve`](Self::serve), and has peers find us and the drives that are opened, by their
    /// discovery keys, from now on. As [`discover`](Self::discover) otherwise.
    pub fn serve_and_discover(&self, port: Port, options: DiscoveryOptions) -> SocketAddr {
        let address = port.listener.local_addr();
        // Discovery needs the same port for datagrams. Where it is taken, peers find us at another.
        let datagrams = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
        if self
            .inner
            .runtime
            .bind_udp(datagrams, UdpPort::Own)
            .is_err()
        {
            self.inner.discover(options, None);
            return self.serve(port);
        }
        self.inner.announce(address);
        self.inner.discover(options, Some(port.listener));
        address
    }

    /// Looks for peers of the drives that are opened, by their discovery keys, from now on: in the
    /// DHT and on the local network. Everybody there can see which keys are looked for. Only the
    /// first call counts.
    pub fn discover(&self, options: DiscoveryOptions) {
        self.inner.discover(options, None);
    }

    /// Keeps a connection to `host:port` from now on, again whenever it ends.
    pub fn dial(&self, peer: &str) {
        self.inner.network.dial(Target::Address(peer.to_owned()));
    }

    /// Ends every connection, makes everything durable and lets go of the storage.
    pub async fn close(&self) -> Result<(), NodeError> {
        self.inner.discovery.close().await;
        self.inner.network.close().await;
        // Before the lock goes, or the next holder's file would be removed.
        if let Place::First(announcement) = &self.inner.place {
            announcement
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
        }
        let closed = self.inner.store.close();
        if self.inner.is_beside() {
            let root = self.inner.root.clone();
            // However that goes, it is no concern of whoever closes.
            let _ =
                tokio::task::spawn_blocking(move || readers::tidy(&root, readers::BOUNDS)).await;
        }
        closed.map_err(|source| self.inner.storage_error(source))
    }
}

impl Inner {
    /// Whether another process holds the first store, so that this node reads beside it.
    pub(crate) fn is_beside(&self) -> bool {
        matches!(self.place, Place::Beside)
    }

    /// Helps peers that look up paths of the drive, and lets them help us.
    pub(crate) fn exchange_lookups(&self, drive: &Drive) {
        // If not, another handle on the drive does so already.
        if let Ok(lookups) = drive.lookups() {
            self.network.spawn(lookups);
        }
    }

    pub(crate) fn storage_error(&self, source: io::Error) -> NodeError {
        if source.kind() == io::ErrorKind::InvalidData {
            return NodeError::Damaged(source.to_string());
        }
        NodeError::Storage {
            root: self.root.path().to_owned(),
            source,
        }
    }

    /// Does some work, unless a write to the store fails meanwhile: then what the work waits for may
    /// never be stored.
    pub(crate) async fn unless_failed<T>(
        &self,
        work: impl Future<Output = Result<T, NodeError>>,
    ) -> Result<T, NodeError> {
        tokio::select! {
            biased;
            done = work => done,
            error = self.failure.noted() => Err(self.storage_error(error)),
        }
    }

    fn discover(&self, options: DiscoveryOptions, listener: Option<TcpListener>) {
        let connections = self.connections.clone();
        let carry: discovery::Carry = Arc::new(move |connection| {
            let connections = connections.clone();
            let leg = (connection.info().carrier, connection.info().side);
            let handle = connection.handle();
            Box::pin(async move { connections.carry(connection, leg, Some(handle)).await })
        });
        // Others' tables stay true over restarts, unless we are gone soon anyway.
        let id = self
            .stays
            .then(|| *self.store.derive_secret(SECRETS, "swarm-id"));
        let runtime = self.runtime.clone();
        self.discovery.start(runtime, options, id, listener, carry);
    }

    /// Has a drive found by others, or only its peers by us.
    pub(crate) fn join(&self, drive: &Drive, announce: bool) {
        let topic = drive.metadata().discovery_key();
        self.discovery.join(*topic.as_bytes(), announce);
    }

    /// Whether others should know of us.
    pub(crate) fn stays(&self) -> bool {
        self.stays
    }

    /// What may be hoped for from the search for peers.
    pub(crate) fn prospect(&self) -> Prospect {
        self.discovery.prospect()
    }

    /// How each target answers, in words.
    pub(crate) fn tried(&self) -> Vec<String> {
        let told = |(target, standing)| match standing {
            Standing::Trying => format!("{target}: no answer yet"),
            Standing::Connected => format!("{target}: connected, but it does not send this"),
            Standing::Failed(error) => format!("{target}: {error}"),
        };
        let targets = self.network.targets().into_iter().map(told);
        targets.chain(self.discovery.told()).collect()
    }

    /// Grows with everything that peers send for the cores that are open.
    pub(crate) fn received(&self) -> u64 {
        let feeds = self.store.open_feeds();
        feeds
            .iter()
            .map(|feed| feed.stats().downloaded_blocks + feed.length())
            .sum()
    }

    /// Answers processes on this machine that read beside us. Without it they only see less.
    async fn answer_readers(&self) {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        if let Ok(listener) = self.runtime.listen_tcp(loopback).await {
            self.announce(listener.local_addr());
            self.network.serve(listener);
        }
    }

    /// Answers commands of this user on this machine. Without it they only know less.
    async fn open_door(self: &Arc<Self>) {
        if let Place::First(_) = &self.place
            && let Ok(porter) = Porter::bind(&*self.runtime).await
        {
            self.announcement(|announcement| announcement.has_door(porter.door()));
            self.network.spawn(porter.answer(Arc::downgrade(self)));
        }
    }

    fn announce(&self, address: SocketAddr) {
        self.announcement(|announcement| announcement.answers_at(address));
    }

    /// Where peers are answered.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.announcement(|announcement| announcement.address())?
    }

    /// How the search for peers goes; `None` if there is none.
    pub(crate) fn swarm_status(&self) -> Option<SwarmStatus> {
        self.discovery.status()
    }

    fn announcement<T>(&self, look: impl FnOnce(&mut Announcement) -> T) -> Option<T> {
        let Place::First(announcement) = &self.place else {
            return None;
        };
        let mut announcement = announcement.lock().unwrap_or_else(PoisonError::into_inner);
        announcement.as_mut().map(look)
    }
}

/// Takes the first store. Waits a moment for a holder that is about to end.
async fn hold(
    root: &Root,
    access: Access,
    failure: &Failure,
) -> Result<(Corestore, Option<Announcement>), NodeError> {
    let latest = Instant::now() + HOLDER_PATIENCE;
    loop {
        match open(root.cores(), failure) {
            Ok(store) => {
                let stays = access != Access::Read;
                return Ok((store, Announcement::new(root.running(), stays)));
            }
            Err(OpenError::Locked { holder }) => {
                let running = Running::load(&root.running());
                let stays = running.as_ref().is_some_and(|running| running.stays);
                if stays || Instant::now() >= latest {
                    let pid = holder.or(running.map(|running| running.pid));
                    return Err(NodeError::Locked {
                        root: root.path().to_owned(),
                        pid,
                    });
                }
                tokio::time::sleep(HOLDER_INTERVAL).await;
            }
            Err(error) => return Err(open_error(root, error)),
        }
    }
}

/// A store beside the first one that no other process uses.
fn beside(root: &Root, failure: &Failure) -> Result<Corestore, NodeError> {
    for number in 0..MAX_READERS {
        match open(root.reader(number), failure) {
            Err(OpenError::Locked { .. }) => {}
            opened => return opened.map_err(|error| open_error(root, error)),
        }
    }
    Err(NodeError::Locked {
        root: root.path().to_owned(),
        pid: None,
    })
}

fn open(path: PathBuf, failure: &Failure) -> Result<Corestore, OpenError> {
    let disk = Disk::new(Arc::new(DiskDir::new(path)), failure.clone());
    Corestore::open(Arc::new(disk), Options::new())
}

fn open_error(root: &Root, error: OpenError) -> NodeError {
    match error {
        OpenError::Storage(source) => NodeError::Storage {
            root: root.path().to_owned(),
            source,
        },
        error => NodeError::Damaged(error.to_string()),
    }
}

/// What speaks to peers that were named, and that come without the swarm. They use TCP.
fn carry(connections: &Connections) -> Carry {
    let connections = connections.clone();
    Box::new(move |stream, side| {
        let connections = connections.clone();
        let leg = (Carrier::Tcp, side);
        Box::pin(async move { connections.carry(stream, leg, None).await })
    })
}

/// Who we are to peers: the same after a restart, as in the reference, since it follows from the
/// store's master key.
fn identity(store: &Corestore) -> Identity {
    Identity::from_seed(&store.derive_secret(SECRETS, "replication-keypair"))
}

/// Makes what peers sent survive the end of the process, however it ends. What was appended here
/// needs no such care: it is found again.
async fn flush_now_and_then(store: Corestore) {
    let received = || -> u64 {
        let feeds = store.open_feeds();
        feeds
            .iter()
            .map(|feed| feed.stats().downloaded_blocks)
            .sum()
    };
    let mut flushed = received();
    loop {
        tokio::time::sleep(FLUSH_INTERVAL).await;
        let now = received();
        if now != flushed {
            flushed = now;
            let store = store.clone();
            // An error is noted by the disk, and told to whoever waits.
            let _ = tokio::task::spawn_blocking(move || store.flush()).await;
        }
    }
}

/// The namespace of the secrets that make us known to others (the reference's).
const SECRETS: &str = "hyperdrive-daemon";

/// What is fetched again at most after the process was killed.
const FLUSH_INTERVAL: Duration = Duration::from_secs(3);

/// Where peers expect a node, unless told otherwise (the reference's swarm port).
pub const DEFAULT_PORT: u16 = 49737;

/// Processes that may read beside the holder at the same time.
const MAX_READERS: u32 = 32;

/// How long a holder that does not stay is waited for.
const HOLDER_PATIENCE: Duration = Duration::from_secs(2);
const HOLDER_INTERVAL: Duration = Duration::from_millis(25);
