//! uTP over the socket of the DHT: what `librqbit-utp` lacks for that, and nothing else.
//!
//! - It owns no socket here. The node passes on what is uTP, and what is sent goes out beside the
//!   datagrams of the DHT, so that both have the port that a NAT knows.
//! - It sends the packet that opens a connection once. Behind a NAT the first one is often lost, so
//!   several attempts overlap, and the first to be answered counts.
//! - It ends a stream that is silent for 10 s; the reference's stays silent for 29.
//! - It allows 128 streams to a socket; here the swarm's own limits count.
//! - It takes the reference's acknowledgement of the end of our half of a stream for the end of the
//!   stream, and after a timeout its own acknowledgements have numbers that the reference ignores;
//!   here packets are corrected on their way.
//! - It sends a whole window at once, which overflows the reference's socket; here a burst is followed
//!   by a pause, and nothing is lost because the system has no room.
//!
//! When the other end has ended its half of a stream, nothing can be written to it any longer. The
//! reference's streams end as a whole too.

use std::future::{pending, poll_fn};
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hypercore_runtime::{Duplex, Runtime, UdpSocket};
use librqbit_utp::{SocketOpts, UtpSocket, UtpSocketUdp};

use self::stream::Stream;
use self::transport::Shared;
use super::Inner;
use super::connection::plain;
use crate::{Carrier, Side};

mod corrections;
mod stream;
mod transport;

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
    let shared = Shared::new(socket, datagrams, inner.local, inner.runtime.clone());
    let limits = &inner.config.peers;
    let streams = limits.max_connections + ATTEMPTS.len() * 2 * limits.max_dials;
    let options = SocketOpts {
        link_mtu: NonZeroUsize::new(LINK_MTU),
        max_live_vsocks: NonZeroUsize::new(streams),
        remote_inactivity_timeout: Some(SILENCE),
        // As with TCP: what is written is a whole message or many, and is not to wait for an answer.
        disable_nagle: true,
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
            let stream = Stream::new(stream, utp.runtime.clone());
            inner.connected(Box::new(stream), leg, remote, None);
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
        let stream = Stream::new(stream, self.runtime.clone());
        Ok((Box::new(stream), Carrier::Utp, remote))
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
