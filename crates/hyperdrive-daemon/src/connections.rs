use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use hypercore::Feed;
use hypercore_crypto::DiscoveryKey;
use hypercore_replication::{Config, FeedSource, Identity, ReplicationError, Role, replicate};
use hypercore_runtime::{Duplex, Runtime};
use hyperswarm::{Carrier, Handle, Keep, Rest, Side, decide};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::error::Chain;
use crate::traffic::{Counted, Counters};

/// Every connection of a node, and whom it leads to.
///
/// Peers prove their keys in the handshake. Two connections to one peer are one too many, and both
/// sides keep the same one (`docs/formats/swarm.md`, "Duplicates"): the side that dialled the other
/// one ends it. Clones are handles on the same connections.
#[derive(Clone)]
pub(crate) struct Connections {
    inner: Arc<Inner>,
}

struct Inner {
    identity: Identity,
    /// Who we are to others.
    own: Key,
    source: Arc<dyn FeedSource>,
    runtime: Arc<dyn Runtime>,
    counters: Arc<Counters>,
    books: Mutex<Books>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Books {
    next: u64,
    live: BTreeMap<u64, Live>,
    /// The connection to each peer that is in use.
    used: HashMap<Key, u64>,
    /// Dials that rest while another connection leads to the same peer.
    resting: usize,
}

/// A peer's static key.
type Key = [u8; 32];

/// The two things that decide between connections.
type Leg = (Carrier, Side);

struct Live {
    leg: Leg,
    /// Whom it leads to, once that is proved.
    peer: Option<Key>,
    standing: Standing,
    /// What the swarm holds of it, if it found the peer.
    handle: Option<Handle>,
    /// Peers whom the swarm does not dial while this connection lasts.
    rests: Vec<Rest>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Standing {
    /// The handshake is under way, or another connection to the peer is in use.
    Unused,
    Used,
    /// It was in use, and another one took its place.
    Superseded,
    /// The other end is this node itself.
    Oneself,
}

impl Connections {
    pub(crate) fn new(
        identity: Identity,
        source: Arc<dyn FeedSource>,
        runtime: Arc<dyn Runtime>,
        changed: watch::Sender<()>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                own: identity.public_key(),
                identity,
                source,
                runtime,
                counters: Arc::default(),
                books: Mutex::default(),
                changed,
            }),
        }
    }

    /// Replicates over a connection until it ends. An error says what the peer did wrong.
    ///
    /// If we dialled it, and not the swarm, and another connection leads to the same peer, this ends
    /// only when that one does too: until then there is no reason to dial again.
    pub(crate) async fn carry(
        &self,
        stream: impl Duplex + 'static,
        leg: (Carrier, Side),
        handle: Option<Handle>,
    ) -> Result<(), String> {
        let inner = &self.inner;
        let dials_again = leg.1 == Side::Dialled && handle.is_none();
        let place = Arc::new(self.enter(leg, handle));
        let guarded = Guarded {
            source: inner.source.clone(),
            place: place.clone(),
        };
        let stream = Counted::new(stream, inner.counters.clone());
        let role = match leg.1 {
            Side::Dialled => Role::Initiator,
            Side::Accepted => Role::Responder,
        };
        let mut config = Config::default();
        config.identity = Some(inner.identity.clone());
        let replicated = {
            let runtime = inner.runtime.clone();
            let replication = replicate(stream, role, Arc::new(guarded), runtime, config);
            tokio::select! {
                ended = replication => ended.map(drop),
                () = place.given_up() => Err(ReplicationError::Refused),
            }
        };
        let (peer, standing) = place.standing();
        drop(place);
        match (replicated, standing) {
            (Err(ReplicationError::Refused), Standing::Oneself) => {
                Err("that is this program itself".to_owned())
            }
            (Err(ReplicationError::Refused), _) => {
                if let Some(peer) = peer.filter(|_| dials_again) {
                    self.rest_until_gone(&peer).await;
                }
                Ok(())
            }
            (replicated, _) => replicated.map_err(|error| Chain(&error).to_string()),
        }
    }

    /// How many connections there are.
    pub(crate) fn len(&self) -> usize {
        self.books().live.len()
    }

    /// How many peers there are a connection to.
    pub(crate) fn peers(&self) -> usize {
        self.books().used.len()
    }

    /// How many dials rest since another connection leads to the same peer.
    pub(crate) fn resting(&self) -> usize {
        self.books().resting
    }

    /// What went over all connections.
    pub(crate) fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    fn enter(&self, leg: Leg, handle: Option<Handle>) -> Place {
        let mut books = self.books();
        let id = books.next;
        books.next += 1;
        let live = Live {
            leg,
            peer: None,
            standing: Standing::Unused,
            handle,
            rests: Vec::new(),
        };
        books.live.insert(id, live);
        drop(books);
        Place {
            id,
            connections: self.clone(),
        }
    }

    /// Waits until no connection in use leads to a peer.
    async fn rest_until_gone(&self, peer: &Key) {
        let _resting = Resting::new(self);
        self.until(|books| !books.used.contains_key(peer)).await;
    }

    async fn until(&self, wanted: impl Fn(&Books) -> bool) {
        let mut changes = self.inner.changed.subscribe();
        while !wanted(&self.books()) {
            // The sender is in `self`, so it cannot be gone.
            let _ = changes.changed().await;
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        let books = &self.inner.books;
        books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.inner.changed.send_replace(());
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("identity", &self.inner.identity)
            .field("peers", &self.peers())
            .finish_non_exhaustive()
    }
}

/// A connection's place in the books, which it leaves when this is dropped.
struct Place {
    id: u64,
    connections: Connections,
}

impl Place {
    /// Whether to use the connection, which leads to this peer. Where another one is to be used, the
    /// peer that dialled this one has a moment to end it; if the other one ends meanwhile, this one
    /// takes its place.
    async fn admit(&self, peer: Key) -> bool {
        if peer == self.connections.inner.own {
            self.note_oneself();
            return false;
        }
        let is_ours = self.side() == Some(Side::Dialled);
        let admitted = async {
            while !self.identify(peer) {
                if is_ours {
                    return false;
                }
                let is_gone = |books: &Books| !books.used.contains_key(&peer);
                self.connections.until(is_gone).await;
            }
            true
        };
        timeout(GRACE, admitted).await.unwrap_or(false)
    }

    /// Takes in whom the connection leads to. False if another one is to be used.
    fn identify(&self, peer: Key) -> bool {
        let connections = &self.connections;
        let mut books = connections.books();
        let Some(leg) = books.live.get(&self.id).map(|live| live.leg) else {
            return false;
        };
        let existing = books.used.get(&peer).copied();
        let existing_leg = existing.and_then(|id| books.live.get(&id)).map(|it| it.leg);
        let loser = existing.zip(existing_leg).map(|(existing, existing_leg)| {
            match decide(&connections.inner.own, &peer, existing_leg, leg) {
                Keep::Existing => self.id,
                Keep::Fresh => existing,
            }
        });
        let winner = match loser {
            Some(loser) if loser == self.id => existing.unwrap_or(self.id),
            _ => self.id,
        };
        books.used.insert(peer, winner);
        let mut rests = Vec::new();
        if let Some(live) = loser.and_then(|loser| books.live.get_mut(&loser)) {
            if live.standing == Standing::Used {
                live.standing = Standing::Superseded;
            }
            rests.append(&mut live.rests);
            rests.extend(live.handle.take().map(|handle| handle.rest()));
        }
        if let Some(live) = books.live.get_mut(&winner) {
            live.standing = Standing::Used;
            live.rests.append(&mut rests);
        }
        if let Some(live) = books.live.get_mut(&self.id) {
            live.peer = Some(peer);
        }
        drop(books);
        connections.tell();
        winner == self.id
    }

    fn note_oneself(&self) {
        let own = &self.connections.inner.own;
        let mut books = self.connections.books();
        if let Some(live) = books.live.get_mut(&self.id) {
            live.standing = Standing::Oneself;
            if let Some(handle) = &live.handle {
                handle.identify(own, own);
            }
        }
    }

    /// Waits until another connection has taken this one's place, and if the peer dialled this one,
    /// until it has had a moment to end it.
    async fn given_up(&self) {
        let is_superseded = |books: &Books| {
            let live = books.live.get(&self.id);
            live.is_some_and(|live| live.standing == Standing::Superseded)
        };
        self.connections.until(is_superseded).await;
        if self.side() == Some(Side::Accepted) {
            tokio::time::sleep(GRACE).await;
        }
    }

    fn side(&self) -> Option<Side> {
        let books = self.connections.books();
        books.live.get(&self.id).map(|live| live.leg.1)
    }

    fn standing(&self) -> (Option<Key>, Standing) {
        let books = self.connections.books();
        let live = books.live.get(&self.id);
        live.map_or((None, Standing::Unused), |live| (live.peer, live.standing))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut books = self.connections.books();
        let left = books.live.remove(&self.id);
        if let Some(peer) = left.as_ref().and_then(|live| live.peer)
            && books.used.get(&peer) == Some(&self.id)
        {
            books.used.remove(&peer);
        }
        drop(books);
        self.connections.tell();
        // What it kept from being dialled may be from now on, which the swarm learns without the lock.
        drop(left);
    }
}

/// A dial that rests.
struct Resting<'c>(&'c Connections);

impl<'c> Resting<'c> {
    fn new(connections: &'c Connections) -> Self {
        connections.books().resting += 1;
        connections.tell();
        Self(connections)
    }
}

impl Drop for Resting<'_> {
    fn drop(&mut self) {
        self.0.books().resting -= 1;
    }
}

/// The store, for peers to whom no other connection leads.
struct Guarded {
    source: Arc<dyn FeedSource>,
    place: Arc<Place>,
}

impl FeedSource for Guarded {
    fn find(&self, discovery_key: DiscoveryKey) -> BoxFuture<'_, Option<Feed>> {
        self.source.find(discovery_key)
    }

    fn opened(&self) -> BoxStream<'static, Feed> {
        self.source.opened()
    }

    fn authenticate(&self, remote_public_key: [u8; 32]) -> BoxFuture<'_, bool> {
        Box::pin(self.place.admit(remote_public_key))
    }

    fn admit(&self, feed: &Feed, remote_public_key: Option<[u8; 32]>) -> BoxFuture<'_, bool> {
        self.source.admit(feed, remote_public_key)
    }
}

/// How long a peer has to end a connection that it dialled and that is not used any more. Then we do.
const GRACE: Duration = Duration::from_secs(5);
