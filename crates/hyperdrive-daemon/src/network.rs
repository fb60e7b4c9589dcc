use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hypercore_runtime::{BoxFuture, Duplex, Runtime, TcpListener, TcpStream};
use hyperswarm::Side;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::backoff::Backoff;
use crate::running::Running;

/// Connections: accepted from a listener, and kept up to addresses that were asked for.
///
/// It knows no protocol; [`Carry`] does. Dropping it closes every connection.
pub(crate) struct Network {
    shared: Arc<Shared>,
    /// `None` once it is closed.
    tasks: Mutex<Option<JoinSet<()>>>,
}

/// Speaks the protocol on one connection, to its end. An error says what the peer did wrong.
pub(crate) type Carry =
    Box<dyn Fn(Box<dyn Duplex>, Side) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// Somebody to keep a connection to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Target {
    /// A host and a port.
    Address(String),
    /// Whoever says in this file that it holds the store.
    Holder(PathBuf),
}

/// How a target answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Standing {
    /// The first attempt is under way.
    Trying,
    /// There is a connection.
    Connected,
    /// The last attempt, or the last connection, ended so. Others follow.
    Failed(String),
}

impl Network {
    pub(crate) fn new(runtime: Arc<dyn Runtime>, carry: Carry, changed: watch::Sender<()>) -> Self {
        let shared = Shared {
            runtime,
            carry,
            incoming: Arc::new(Semaphore::new(MAX_INCOMING)),
            targets: Mutex::default(),
            changed,
        };
        Self {
            shared: Arc::new(shared),
            tasks: Mutex::new(Some(JoinSet::new())),
        }
    }

    /// Accepts connections from now on.
    pub(crate) fn serve(&self, listener: TcpListener) {
        self.spawn(accept(self.shared.clone(), listener));
    }

    /// Connects to a target, again whenever the connection ends. A target that is known already,
    /// or one beyond [`MAX_TARGETS`], changes nothing.
    pub(crate) fn dial(&self, target: Target) {
        let mut targets = self.shared.targets();
        if targets.len() >= MAX_TARGETS || targets.iter().any(|(known, _)| *known == target) {
            return;
        }
        let place = targets.len();
        targets.push((target.clone(), Standing::Trying));
        drop(targets);
        self.spawn(keep_connected(self.shared.clone(), place, target));
    }

    /// How every target answers, in the order they were given.
    pub(crate) fn targets(&self) -> Vec<(Target, Standing)> {
        self.shared.targets().clone()
    }

    /// Changes whenever the standing of a target does, or anything else that was told with the sender
    /// that was given.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.shared.changed.subscribe()
    }

    /// Closes every connection, and stops to listen and to dial. When it has ended, the ports are
    /// free again.
    pub(crate) async fn close(&self) {
        let tasks = self.tasks().take();
        if let Some(mut tasks) = tasks {
            tasks.shutdown().await;
        }
    }

    /// Runs something until the network is closed.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(tasks) = &mut *self.tasks() {
            while tasks.try_join_next().is_some() {}
            tasks.spawn(task);
        }
    }

    fn tasks(&self) -> MutexGuard<'_, Option<JoinSet<()>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("targets", &self.targets())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => f.write_str(address),
            Self::Holder(_) => f.write_str("the process that holds the storage"),
        }
    }
}

struct Shared {
    runtime: Arc<dyn Runtime>,
    carry: Carry,
    incoming: Arc<Semaphore>,
    targets: Mutex<Vec<(Target, Standing)>>,
    changed: watch::Sender<()>,
}

impl Shared {
    fn targets(&self) -> MutexGuard<'_, Vec<(Target, Standing)>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, place: usize, standing: Standing) {
        if let Some((_, current)) = self.targets().get_mut(place) {
            *current = standing;
        }
        self.changed.send_replace(());
    }

    async fn connect(&self, target: &Target) -> Result<TcpStream, String> {
        let mut failed = "the name has no address".to_owned();
        for address in resolve(target).await? {
            let connected =
                tokio::time::timeout(CONNECT_TIMEOUT, self.runtime.connect_tcp(address));
            match connected.await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failed = cause(&error),
                Err(_) => failed = format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()),
            }
        }
        Err(failed)
    }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    // Held here, so that the connections end with the listener.
    let mut connections = JoinSet::new();
    loop {
        // Above the limit new connections wait in the system's queue.
        let Ok(permit) = shared.incoming.clone().acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok(stream) => stream,
            Err(_) => {
                // The peer left already, or descriptors ran out; the latter takes a while to pass.
                shared.runtime.sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let shared = shared.clone();
        connections.spawn(async move {
            // What an unknown peer does wrong ends its connection and concerns nobody else.
            let _ = (shared.carry)(Box::new(stream), Side::Accepted).await;
            drop(permit);
        });
    }
}

async fn keep_connected(shared: Arc<Shared>, place: usize, target: Target) {
    let mut backoff = Backoff::new();
    loop {
        let ended = match shared.connect(&target).await {
            Ok(stream) => {
                shared.set(place, Standing::Connected);
                let started = shared.runtime.now();
                let ended = (shared.carry)(Box::new(stream), Side::Dialled).await;
                if shared.runtime.now().saturating_sub(started) >= STABLE {
                    backoff.reset();
                }
                ended
                    .err()
                    .unwrap_or_else(|| "the connection was closed".to_owned())
            }
            Err(error) => error,
        };
        shared.set(place, Standing::Failed(ended));
        shared.runtime.sleep(backoff.failed()).await;
    }
}

async fn resolve(target: &Target) -> Result<Vec<SocketAddr>, String> {
    match target {
        Target::Address(address) => match tokio::net::lookup_host(address.as_str()).await {
            Ok(found) => Ok(found.take(MAX_ADDRESSES).collect()),
            Err(error) => Err(format!("cannot find the host: {}", cause(&error))),
        },
        Target::Holder(path) => Running::load(path)
            .and_then(|running| running.address)
            .map(|address| vec![address])
            .ok_or_else(|| "it does not answer yet".to_owned()),
    }
}

/// The system's words for an error, without its number.
fn cause(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}

/// Connections accepted at the same time (the reference's number of peers).
const MAX_INCOMING: usize = 128;

/// Targets that are kept connected.
const MAX_TARGETS: usize = 128;

/// Addresses of one host that are tried, one after the other.
const MAX_ADDRESSES: usize = 16;

/// Time for one TCP connection to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that lasted so long makes up for the failures before it.
const STABLE: Duration = Duration::from_secs(10);

/// Pause after an error of `accept`.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use futures_util::{AsyncReadExt, AsyncWriteExt};
    use hypercore_runtime::Tokio;

    use super::*;

    /// Reads until the peer closes; fails if it sent anything.
    fn silent() -> Carry {
        Box::new(|mut stream, _| {
            Box::pin(async move {
                let mut received = Vec::new();
                let _ = stream.read_to_end(&mut received).await;
                if received.is_empty() {
                    Ok(())
                } else {
                    Err("the peer spoke".into())
                }
            })
        })
    }

    async fn listen(runtime: &Arc<dyn Runtime>) -> TcpListener {
        runtime
            .listen_tcp("127.0.0.1:0".parse().unwrap())
            .await
            .unwrap()
    }

    async fn standing(network: &Network, wanted: impl Fn(&Standing) -> bool) -> Standing {
        let mut changes = network.changes();
        loop {
            let standing = network.targets()[0].1.clone();
            if wanted(&standing) {
                return standing;
            }
            changes.changed().await.unwrap();
        }
    }

    #[tokio::test]
    async fn connects_and_connects_again() {
        let runtime: Arc<dyn Runtime> = Arc::new(Tokio::current());
        let listener = listen(&runtime).await;
        let network = Network::new(runtime, silent(), watch::Sender::new(()));
        network.dial(Target::Address(listener.local_addr().to_string()));
        let mut first = listener.accept().await.unwrap();
        standing(&network, |standing| *standing == Standing::Connected).await;
        first.write_all(b"x").await.unwrap();
        drop(first);
        let failed = standing(&network, |standing| matches!(standing, Standing::Failed(_))).await;
        assert_eq!(failed, Standing::Failed("the peer spoke".into()));
        listener.accept().await.unwrap();
        standing(&network, |standing| *standing == Standing::Connected).await;
    }

    #[tokio::test]
    async fn an_address_where_nobody_listens_is_told() {
        let runtime: Arc<dyn Runtime> = Arc::new(Tokio::current());
        let listener = listen(&runtime).await;
        let address = listener.local_addr().to_string();
        drop(listener);
        let network = Network::new(runtime, silent(), watch::Sender::new(()));
        network.dial(Target::Address(address.clone()));
        network.dial(Target::Address(address));
        let failed = standing(&network, |standing| *standing != Standing::Trying).await;
        assert!(matches!(failed, Standing::Failed(cause) if cause.contains("refused")));
        assert_eq!(network.targets().len(), 1);
    }

    #[tokio::test]
    async fn no_more_connections_are_accepted_than_the_limit() {
        let runtime: Arc<dyn Runtime> = Arc::new(Tokio::current());
        let listener = listen(&runtime).await;
        let address = listener.local_addr();
        let (began, mut begun) = tokio::sync::mpsc::unbounded_channel();
        let carry = silent();
        let counting: Carry = Box::new(move |stream, side| {
            let _ = began.send(());
            carry(stream, side)
        });
        let network = Network::new(runtime.clone(), counting, watch::Sender::new(()));
        network.serve(listener);
        let mut streams = Vec::new();
        for _ in 0..MAX_INCOMING + 1 {
            streams.push(runtime.connect_tcp(address).await.unwrap());
        }
        for _ in 0..MAX_INCOMING {
            begun.recv().await.unwrap();
        }
        assert!(begun.try_recv().is_err());
        // One leaves, and the one that waited gets its place.
        drop(streams.remove(0));
        begun.recv().await.unwrap();
    }

    #[tokio::test]
    async fn no_more_targets_are_kept_than_the_limit() {
        let runtime: Arc<dyn Runtime> = Arc::new(Tokio::current());
        let listener = listen(&runtime).await;
        let network = Network::new(runtime, silent(), watch::Sender::new(()));
        for alias in 0..MAX_TARGETS + 5 {
            // Every address in 127.0.0.0/8 is this machine; the limit does not depend on that.
            let address = format!("127.0.{alias}.1:{}", listener.local_addr().port());
            network.dial(Target::Address(address));
        }
        assert_eq!(network.targets().len(), MAX_TARGETS);
    }

    #[tokio::test]
    async fn dropping_it_closes_what_it_accepted() {
        let runtime: Arc<dyn Runtime> = Arc::new(Tokio::current());
        let listener = listen(&runtime).await;
        let address = listener.local_addr();
        let network = Network::new(runtime.clone(), silent(), watch::Sender::new(()));
        network.serve(listener);
        let mut stream = runtime.connect_tcp(address).await.unwrap();
        drop(network);
        let mut received = Vec::new();
        // An end or a reset: either way the connection is over.
        let _ = stream.read_to_end(&mut received).await;
        assert!(received.is_empty());
    }
}
