use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_channel::Sender;
use futures_lite::future::{or, pending};
use hypercore_runtime::{BoxFuture, UdpSocket};
use hyperswarm_dht::Timestamp;
use hyperswarm_dht::wire::is_utp;

use super::{Inner, State, v4};

/// Carries datagrams and the time to the state machine until the node is closed. `_running` tells
/// by its end that this has ended too, and with it our hold on the socket.
pub(super) async fn drive(inner: Arc<Inner>, socket: Arc<UdpSocket>, _running: Sender<()>) {
    let mut buffer = vec![0; MAX_DATAGRAM_BYTES + 1];
    let mut timer = Timer::default();
    loop {
        let woken = inner.wake.listen();
        let is_blocked = {
            let mut state = inner.state();
            if state.socket.is_none() {
                return;
            }
            let now = inner.now();
            if state.dht.poll_timeout().is_some_and(|next| next <= now) {
                state.dht.handle_timeout(now);
            }
            inner.pump(&mut state);
            state.send();
            timer.set(&inner, state.dht.poll_timeout());
            !state.backlog.is_empty()
        };
        let receive = async { Some(socket.recv_from(&mut buffer).await) };
        let wake = async {
            woken.await;
            None
        };
        let time = async {
            timer.wait().await;
            None
        };
        let room = async {
            if is_blocked {
                // An error shows itself when the datagram is sent.
                let _ = socket.writable().await;
            } else {
                pending::<()>().await;
            }
            None
        };
        match or(or(receive, wake), or(time, room)).await {
            None => {}
            Some(Ok((bytes, from))) => take_in(&inner, &socket, &mut buffer, bytes, from),
            // It concerns a datagram sent before. Should it be more than that, this loop must not
            // become a busy one.
            Some(Err(_)) => inner.runtime.sleep(ERROR_PAUSE).await,
        }
    }
}

/// Takes in a datagram and those that have arrived behind it, and answers them.
fn take_in(
    inner: &Inner,
    socket: &UdpSocket,
    buffer: &mut [u8],
    mut bytes: usize,
    mut from: SocketAddr,
) {
    let mut state = inner.state();
    let now = inner.now();
    for _ in 0..BATCH {
        // What fills the buffer may have been cut.
        if bytes <= MAX_DATAGRAM_BYTES {
            state.take_in(now, from, &buffer[..bytes]);
        }
        inner.pump(&mut state);
        match socket.try_recv_from(buffer) {
            Ok(next) => (bytes, from) = next,
            Err(_) => return,
        }
    }
}

impl State {
    fn take_in(&mut self, now: Timestamp, from: SocketAddr, datagram: &[u8]) {
        if is_utp(datagram) {
            if let Some(utp) = &self.utp {
                // When its reader is busy the datagram is lost, which uTP is made for.
                let _ = utp.try_send((datagram.to_vec(), v4(from)));
            }
        } else {
            self.dht.handle_datagram(now, from, datagram);
        }
    }
}

/// One timer that is kept over many turns, since most datagrams do not change the next deadline.
#[derive(Default)]
struct Timer {
    running: Option<(Timestamp, BoxFuture<'static, ()>)>,
}

impl Timer {
    /// Rings at `deadline` at the latest. A timer that rings earlier is left as it is.
    fn set(&mut self, inner: &Inner, deadline: Option<Timestamp>) {
        let Some(deadline) = deadline else {
            return;
        };
        if self.running.as_ref().is_none_or(|(at, _)| *at > deadline) {
            let wait = deadline.saturating_since(inner.now());
            self.running = Some((deadline, inner.runtime.sleep(wait)));
        }
    }

    async fn wait(&mut self) {
        match &mut self.running {
            Some((_, sleep)) => sleep.await,
            None => pending().await,
        }
        self.running = None;
    }
}

/// Longest datagram that is looked at, in bytes. Every message of the DHT and of uTP is shorter.
pub(crate) const MAX_DATAGRAM_BYTES: usize = 2048;

/// Datagrams that are taken in before others get their turn.
const BATCH: usize = 64;

/// Pause after an error of the socket.
const ERROR_PAUSE: Duration = Duration::from_millis(10);
