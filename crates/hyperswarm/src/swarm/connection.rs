use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use async_channel::{Receiver, Sender};
use futures_io::{AsyncRead, AsyncWrite};
use hypercore_runtime::Duplex;

use super::{Inner, SwarmEvent};
use crate::peers::Topic;
use crate::{Carrier, Keep, Side, decide};

/// A stream to a peer, and how it came about.
///
/// Nobody has proved anything yet: that is the application's business, which speaks first on it if
/// we dialled. Dropping it closes the stream and makes room; a peer that we dialled is then dialled
/// again after a pause.
pub struct Connection {
    stream: Box<dyn Duplex>,
    info: ConnectionInfo,
    handle: Handle,
    /// Ends the entry in the books with the stream.
    _place: Place,
}

/// How a connection came about.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// Who dialled.
    pub side: Side,
    /// TCP or uTP.
    pub carrier: Carrier,
    /// Where the other end is, as far as we can see.
    pub remote: SocketAddr,
    /// Where the peer was found, if we dialled.
    pub peer: Option<SocketAddrV4>,
    /// The topics for which it was found; none if it dialled, since peers do not say why.
    pub topics: Vec<Topic>,
}

/// What remains in hand of a [`Connection`] whose stream was given away.
#[derive(Clone)]
pub struct Handle {
    id: u64,
    inner: Weak<Inner>,
    /// Closes when the connection is to be dropped.
    superseded: Receiver<()>,
}

/// What is to be done with a connection whose other end has said who it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Use it.
    Use,
    /// There is a better one to the same peer: leave this one alone, and close it. If it was accepted,
    /// give the peer, who decides the same, a few seconds to close it first.
    Duplicate,
    /// The other end is ourselves.
    Oneself,
}

impl Connection {
    /// How it came about.
    pub fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    /// What can be said of the connection when its stream is used elsewhere.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Handle {
    /// Tells who is at the two ends, and learns whether this connection is to be used.
    ///
    /// The keys are what both sides have proved to each other. Of two connections to one peer both
    /// sides choose the same one.
    pub fn identify(&self, local: &[u8], remote: &[u8]) -> Verdict {
        let Some(inner) = self.inner.upgrade() else {
            return Verdict::Use;
        };
        if local == remote {
            let mut state = inner.state();
            if let Some(peer) = state.live.get(&self.id).and_then(|live| live.peer) {
                state.peers.rest(&peer);
            }
            return Verdict::Oneself;
        }
        let mut state = inner.state();
        let keys = (local.to_vec(), remote.to_vec());
        let Some(fresh) = state.live.get(&self.id).map(|live| live.leg) else {
            return Verdict::Use;
        };
        let existing = state.identities.get(&keys).copied();
        let existing = existing.filter(|id| *id != self.id);
        let leg = existing.and_then(|id| state.live.get(&id)).map(|it| it.leg);
        let (winner, loser) = match (existing, leg) {
            (Some(existing), Some(leg)) => match decide(local, remote, leg, fresh) {
                Keep::Existing => (existing, Some(self.id)),
                Keep::Fresh => (self.id, Some(existing)),
            },
            _ => (self.id, None),
        };
        state.identities.insert(keys.clone(), winner);
        if let Some(live) = state.live.get_mut(&winner) {
            live.keys = Some(keys);
        }
        if let Some(live) = loser.and_then(|loser| state.live.get_mut(&loser)) {
            live.keys = None;
            live.superseded = None;
            let peer = live.peer;
            live.is_duplicate = true;
            if let Some(peer) = peer {
                state.peers.rest(&peer);
                if let Some(live) = state.live.get_mut(&winner) {
                    live.rests = Some(peer);
                }
            }
        }
        if winner == self.id {
            Verdict::Use
        } else {
            Verdict::Duplicate
        }
    }

    /// Gives this connection up for one to the same peer that the swarm does not know, or that was
    /// chosen without asking it. A peer that we dialled is dialled again only when the result is
    /// dropped.
    pub fn rest(&self) -> Rest {
        let mut rest = Rest {
            peer: None,
            inner: self.inner.clone(),
        };
        if let Some(inner) = self.inner.upgrade() {
            let mut state = inner.state();
            if let Some(live) = state.live.get_mut(&self.id) {
                live.is_duplicate = true;
                rest.peer = live.peer;
            }
            if let Some(peer) = &rest.peer {
                state.peers.rest(peer);
            }
        }
        rest
    }

    /// Never dials whoever is at the other end again, if we did; lets nobody in from there again, if
    /// they did, unless they are on this machine. The connection is to be dropped:
    /// [`superseded`](Self::superseded) says so to whoever holds it.
    pub fn ban(&self) {
        let Some(inner) = self.inner.upgrade() else {
            return;
        };
        let mut state = inner.state();
        let Some(live) = state.live.get_mut(&self.id) else {
            return;
        };
        live.superseded = None;
        let (peer, remote) = (live.peer, live.remote.ip());
        match peer {
            Some(peer) => state.peers.ban(peer),
            None => state.peers.ban_host(remote),
        }
    }

    /// Waits until this connection is to be dropped: another one to the same peer has taken its place,
    /// or the peer was [banned](Self::ban). Cancel-safe.
    pub async fn superseded(&self) {
        // Nothing is ever sent: it closes.
        let _ = self.superseded.recv().await;
    }
}

/// As long as it is there, a peer is not dialled. See [`Handle::rest`].
#[derive(Debug)]
pub struct Rest {
    peer: Option<SocketAddrV4>,
    inner: Weak<Inner>,
}

impl Drop for Rest {
    fn drop(&mut self) {
        if let (Some(inner), Some(peer)) = (self.inner.upgrade(), &self.peer) {
            inner.state().peers.released(peer);
            inner.peers_changed();
        }
    }
}

/// The two things that decide between connections.
pub(crate) type Leg = (Carrier, Side);

/// What the swarm knows of a connection that exists.
pub(super) struct Live {
    leg: Leg,
    remote: SocketAddr,
    /// The peer that we dialled.
    peer: Option<SocketAddrV4>,
    keys: Option<(Vec<u8>, Vec<u8>)>,
    is_duplicate: bool,
    /// A peer that is not dialled while this connection lasts.
    rests: Option<SocketAddrV4>,
    superseded: Option<Sender<()>>,
}

/// Takes the connection off the books.
struct Place {
    id: u64,
    inner: Weak<Inner>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(inner) = self.inner.upgrade() else {
            return;
        };
        let mut state = inner.state();
        let Some(live) = state.live.remove(&self.id) else {
            return;
        };
        if let Some(keys) = &live.keys {
            state.identities.remove(keys);
        }
        let now = inner.runtime.now();
        match live.peer {
            Some(peer) if !live.is_duplicate => state.peers.failed(now, &peer),
            Some(_) => {}
            None => state.peers.left(live.remote.ip()),
        }
        if let Some(peer) = live.rests {
            state.peers.released(&peer);
        }
        state.tell(&SwarmEvent::Disconnected {
            remote: live.remote,
        });
        drop(state);
        inner.peers_changed();
    }
}

impl Inner {
    /// Hands a stream to whoever accepts connections.
    pub(super) fn connected(
        self: &Arc<Self>,
        stream: Box<dyn Duplex>,
        leg: Leg,
        remote: SocketAddr,
        peer: Option<SocketAddrV4>,
    ) {
        let mut state = self.state();
        let Some(connected) = state.connected.clone() else {
            return;
        };
        let id = state.next_connection;
        state.next_connection += 1;
        let (sender, superseded) = async_channel::bounded(1);
        let live = Live {
            leg,
            remote,
            peer,
            keys: None,
            is_duplicate: false,
            rests: None,
            superseded: Some(sender),
        };
        state.live.insert(id, live);
        let info = ConnectionInfo {
            side: leg.1,
            carrier: leg.0,
            remote,
            peer,
            topics: peer.map_or_else(Vec::new, |peer| state.peers.topics(&peer)),
        };
        state.tell(&SwarmEvent::Connected { remote });
        drop(state);
        let place = Place {
            id,
            inner: Arc::downgrade(self),
        };
        let connection = Connection {
            stream,
            info,
            handle: Handle {
                id,
                inner: Arc::downgrade(self),
                superseded,
            },
            _place: place,
        };
        // If the swarm was closed meanwhile, the connection ends here.
        let _ = connected.try_send(connection);
        self.peers_changed();
    }
}

/// An address without the detour that a socket for both families takes.
pub(super) fn plain(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

// Nothing in it is pinned where it lies.
impl Unpin for Connection {}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read_vectored(cx, bufs)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
