//! uTP over the socket of the DHT: what `librqbit-utp` lacks for that, and nothing else.
//!
//! - It owns no socket here. The node passes on what is uTP, and what is sent goes out beside the
//!   datagrams of the DHT, so that both have the port that a NAT knows.
//! - It sends the packet that opens a connection once. Behind a NAT the first one is often lost, so
//!   several attempts overlap, and the first to be answered counts.
//! - It ends a stream that is silent for 10 s; the reference's stays silent for 29.
//! - It allows 128 streams to a socket; here the swarm's own limits count.
//!
//! When the other end has ended its half of a stream, nothing can be written to it any longer. The
//! reference's streams end as a whole too.

use std::future::{pending, poll_fn};
use std::io::{self, IoSlice};
use std::net::{SocketAddr, SocketAddrV4};
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_channel::Receiver;
use futures_io::{AsyncRead, AsyncWrite};
use hypercore_runtime::{Duplex, Runtime, UdpSocket};
use librqbit_dualstack_sockets::PollSendToVectored;
use librqbit_utp::{SocketOpts, Transport, UtpSocket, UtpSocketUdp, UtpStream};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use super::Inner;
use super::connection::plain;
use crate::node::Datagram;
use crate::{Carrier, Side};

/// uTP on the socket that the swarm shares with its node.
pub(super) struct Utp {
    socket: Arc<UtpSocket<Shared, Environment>>,
    runtime: Arc<dyn Runtime>,
}

/// Begins to speak uTP and lets in who dials over it, until the swarm is closed. It needs a tokio
/// runtime; on any other the swarm uses TCP alone.
pub(super) async fn carry(inner: Arc<Inner>, socket: Arc<UdpSocket>) {
    if tokio::runtime::Handle::try_current().is_err() {
        return;
    }
    let (sender, datagrams) = async_channel::bounded(MAX_QUEUED);
    let shared = Shared {
        socket,
        datagrams,
        local: inner.local,
    };
    let limits = &inner.config.peers;
    let streams = limits.max_connections + ATTEMPTS.len() * 2 * limits.max_dials;
    let options = SocketOpts {
        link_mtu: NonZeroUsize::new(LINK_MTU),
        max_live_vsocks: NonZeroUsize::new(streams),
        remote_inactivity_timeout: Some(SILENCE),
        ..SocketOpts::default()
    };
    let Ok(socket) = UtpSocket::new_with_opts(shared, Environment::default(), options) else {
        return;
    };
    inner.node.divert_utp(sender);
    let runtime = inner.runtime.clone();
    let utp = Arc::new(Utp { socket, runtime });
    *inner.utp() = Some(utp.clone());
    while let Ok(stream) = utp.socket.accept().await {
        let remote = plain(stream.remote_addr());
        let is_let_in = inner.state().peers.accept(remote.ip());
        if is_let_in {
            let leg = (Carrier::Utp, Side::Accepted);
            inner.connected(Box::new(Compat(stream)), leg, remote, None);
        }
    }
}

impl Utp {
    /// Connects, with an attempt at once and others soon after. There is no end to it but an answer:
    /// the caller gives up.
    pub(super) async fn connect(
        &self,
        to: SocketAddrV4,
    ) -> io::Result<(Box<dyn Duplex>, Carrier, SocketAddr)> {
        let attempt = |after: Duration| async move {
            self.runtime.sleep(after).await;
            match self.socket.connect(to.into()).await {
                Ok(stream) => stream,
                // Another attempt may still succeed, and if none does the caller's patience ends.
                Err(_) => pending().await,
            }
        };
        let [a, b, c, d] = ATTEMPTS.map(attempt);
        let (mut a, mut b, mut c, mut d) = (pin!(a), pin!(b), pin!(c), pin!(d));
        let stream = poll_fn(|cx| {
            let first = a.as_mut().poll(cx);
            if first.is_ready() {
                return first;
            }
            for other in [&mut b, &mut c, &mut d] {
                let result = other.as_mut().poll(cx);
                if result.is_ready() {
                    return result;
                }
            }
            Poll::Pending
        })
        .await;
        let remote = plain(stream.remote_addr());
        Ok((Box::new(Compat(stream)), Carrier::Utp, remote))
    }
}

/// The environment that the crate uses by default, which it does not export by name.
type Environment = <UtpSocketUdp as HasEnvironment>::Environment;

trait HasEnvironment {
    type Environment;
}

impl<T, E> HasEnvironment for UtpSocket<T, E> {
    type Environment = E;
}

/// Our half of the socket: the node receives.
struct Shared {
    socket: Arc<UdpSocket>,
    datagrams: Receiver<Datagram>,
    local: SocketAddrV4,
}

// Nothing in it is pinned where it lies.
impl Unpin for Shared {}

impl Shared {
    /// Sends a datagram or loses it, as a router with a full queue would: uTP is made for that, and
    /// takes any error for the end of the stream.
    fn send(&self, bytes: &[u8], to: SocketAddr) -> usize {
        let _ = self.socket.try_send_to(bytes, to);
        bytes.len()
    }
}

impl Transport for Shared {
    async fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (datagram, from) = self.datagrams.recv().await.map_err(|_| closed())?;
        let bytes = datagram.len().min(buf.len());
        buf[..bytes].copy_from_slice(&datagram[..bytes]);
        Ok((bytes, from.into()))
    }

    async fn send_to<'a>(&'a self, buf: &'a [u8], target: SocketAddr) -> io::Result<usize> {
        Ok(self.send(buf, target))
    }

    fn poll_send_to(
        &self,
        _cx: &mut Context<'_>,
        buf: &[u8],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.send(buf, target)))
    }

    fn bind_addr(&self) -> SocketAddr {
        self.local.into()
    }
}

impl PollSendToVectored for Shared {
    fn poll_send_to_vectored(
        &self,
        _cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        let bytes: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
        Poll::Ready(Ok(self.send(&bytes, target)))
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the node is closed")
}

/// A stream under the traits of `futures-io`.
struct Compat(UtpStream);

impl AsyncRead for Compat {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    }
}

impl AsyncWrite for Compat {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// When the packet that opens a connection is sent: at once and, as TCP does, ever later.
const ATTEMPTS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(6),
];

/// Largest packet on the wire: 1402 bytes of payload, as the reference's, and the headers of IPv4
/// and UDP.
const LINK_MTU: usize = 1430;

/// A stream that is silent for so long has ended. The reference sends a sign of life every 29 s.
const SILENCE: Duration = Duration::from_secs(90);

/// Datagrams that wait for their stream; further ones are lost.
const MAX_QUEUED: usize = 1024;
