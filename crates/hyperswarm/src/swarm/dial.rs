use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::{or, pending};
use hypercore_runtime::Duplex;

use super::{Inner, SwarmEvent};
use crate::peers::Dial;
use crate::{Carrier, Side};

/// A stream, what carries it, and where its other end is.
type Reached = (Box<dyn Duplex>, Carrier, SocketAddr);

/// Dials whom the policy says, when it says so.
pub(super) async fn all(inner: Arc<Inner>) {
    loop {
        let woken = inner.wake.listen();
        let now = inner.runtime.now();
        let mut dials = Vec::new();
        let next = {
            let mut state = inner.state();
            while let Some(dial) = state.peers.poll_dial(now) {
                dials.push(dial);
            }
            state.peers.poll_timeout(now)
        };
        for dial in dials {
            inner.spawn(one(inner.clone(), dial));
        }
        let time = async {
            match next {
                Some(next) => {
                    let wait = next.saturating_sub(now).max(SHORTEST_WAIT);
                    inner.runtime.sleep(wait).await;
                }
                None => pending().await,
            }
        };
        or(woken, time).await;
    }
}

async fn one(inner: Arc<Inner>, dial: Dial) {
    let patience = inner.config.dial_timeout;
    let late = async {
        inner.runtime.sleep(patience).await;
        let error = format!("no answer within {} s", patience.as_secs());
        Err(io::Error::new(io::ErrorKind::TimedOut, error))
    };
    let reached = or(reach(&inner, &dial), late).await;
    let mut state = inner.state();
    match reached {
        Ok((stream, carrier, remote)) => {
            let is_wanted = state.peers.connected(inner.runtime.now(), &dial.address);
            drop(state);
            if is_wanted {
                let leg = (carrier, Side::Dialled);
                inner.connected(stream, leg, remote, Some(dial.address));
            }
        }
        Err(error) => {
            state.peers.failed(inner.runtime.now(), &dial.address);
            state.tell(&SwarmEvent::DialFailed {
                address: dial.address,
                error: error.to_string(),
            });
            drop(state);
        }
    }
    inner.peers_changed();
}

/// Tries every way to a peer at once. The first that leads there counts, and the others are given up.
async fn reach(inner: &Inner, dial: &Dial) -> io::Result<Reached> {
    let tcp = async {
        let stream = inner.runtime.connect_tcp(dial.address.into()).await?;
        let remote = stream.peer_addr();
        Ok((Box::new(stream) as Box<dyn Duplex>, Carrier::Tcp, remote))
    };
    #[cfg(feature = "utp")]
    {
        let utp = inner.utp().clone();
        if let (Some(utp), Some(referrer)) = (utp, dial.referrer) {
            return first(tcp, through_nat(inner, &utp, dial.address, referrer)).await;
        }
    }
    tcp.await
}

/// Reaches a peer over uTP from the socket of the DHT, which its NAT may let through when the node
/// that knows us both has told it.
///
/// The peer is dialled before that too, and again after it where its answer came from: the one
/// serves where only our own NAT is strict, the other where the peer's gives each of us another port.
#[cfg(feature = "utp")]
async fn through_nat(
    inner: &Inner,
    utp: &super::utp::Utp,
    address: std::net::SocketAddrV4,
    referrer: std::net::SocketAddrV4,
) -> io::Result<Reached> {
    let punched = async {
        let punch = inner.node.holepunch(address, referrer).await;
        let from = punch.map_err(io::Error::other)?;
        if from == address {
            utp.connect(address).await
        } else {
            first(utp.connect(from), utp.connect(address)).await
        }
    };
    first(punched, utp.connect(address)).await
}

/// The first of two that succeeds; if neither does, what the second one says.
#[cfg(feature = "utp")]
async fn first<T>(
    one: impl Future<Output = io::Result<T>>,
    other: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let mut one = std::pin::pin!(one);
    let mut other = std::pin::pin!(other);
    let (mut one_is_over, mut failed) = (false, None);
    std::future::poll_fn(move |cx| {
        use std::task::Poll;
        if !one_is_over && let Poll::Ready(result) = one.as_mut().poll(cx) {
            one_is_over = true;
            if result.is_ok() {
                return Poll::Ready(result);
            }
        }
        if failed.is_none()
            && let Poll::Ready(result) = other.as_mut().poll(cx)
        {
            match result {
                Ok(_) => return Poll::Ready(result),
                Err(error) => failed = Some(error),
            }
        }
        match failed.take() {
            Some(error) if one_is_over => Poll::Ready(Err(error)),
            unfinished => {
                failed = unfinished;
                Poll::Pending
            }
        }
    })
    .await
}

/// No hurry is so great that this loop has to become a busy one.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);
