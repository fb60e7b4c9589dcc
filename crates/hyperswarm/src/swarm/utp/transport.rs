use std::io::{self, IoSlice};
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_channel::Receiver;
use hypercore_runtime::{Runtime, UdpSocket};
use librqbit_dualstack_sockets::PollSendToVectored;
use librqbit_utp::Transport;

use super::corrections::Corrections;
use crate::node::Datagram;

/// What the crate takes for its socket: the node receives, and what is sent goes out beside the
/// datagrams of the DHT.
pub(super) struct Shared {
    socket: Arc<UdpSocket>,
    datagrams: Receiver<Datagram>,
    local: SocketAddrV4,
    runtime: Arc<dyn Runtime>,
    gate: Arc<Gate>,
    corrections: Corrections,
}

// Nothing in it is pinned where it lies.
impl Unpin for Shared {}

impl Shared {
    pub(super) fn new(
        socket: Arc<UdpSocket>,
        datagrams: Receiver<Datagram>,
        local: SocketAddrV4,
        runtime: Arc<dyn Runtime>,
    ) -> Self {
        Self {
            socket,
            datagrams,
            local,
            runtime,
            gate: Arc::default(),
            corrections: Corrections::default(),
        }
    }

    /// Sends what belongs to no window: acknowledgements, and packets that open and end streams. What
    /// the system does not take at once is lost, which uTP is made for; an error would end the stream.
    fn send(&self, packet: &[u8], to: SocketAddr) -> usize {
        let mut packet = packet.to_vec();
        self.corrections.outgoing(to, &mut packet);
        let _ = self.socket.try_send_to(&packet, to);
        packet.len()
    }

    /// Sends data, at the pace of the system and ours. Errors other than having to wait concern this
    /// packet (no route, a firewall) and are as good as a loss.
    fn poll_send(&self, cx: &mut Context<'_>, packet: &mut [u8], to: SocketAddr) -> Poll<usize> {
        let mut gate = self.gate.state();
        if gate.is_shut {
            gate.wait(cx);
            return Poll::Pending;
        }
        self.corrections.outgoing(to, packet);
        let sent = self.socket.try_send_to(packet, to);
        if sent.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            let socket = self.socket.clone();
            gate.wait(cx);
            self.shut(gate, async move {
                // An error shows itself when the packet is sent.
                let _ = socket.writable().await;
            });
            return Poll::Pending;
        }
        gate.burst += 1;
        if gate.burst == BURST {
            self.shut(gate, self.runtime.sleep(PAUSE));
        }
        Poll::Ready(packet.len())
    }

    /// Nobody sends data until then.
    fn shut(
        &self,
        mut state: MutexGuard<'_, GateState>,
        until: impl Future<Output = ()> + Send + 'static,
    ) {
        state.is_shut = true;
        drop(state);
        let gate = self.gate.clone();
        self.runtime.spawn(Box::pin(async move {
            until.await;
            gate.open();
        }));
    }
}

impl Transport for Shared {
    async fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (mut packet, from) = self.datagrams.recv().await.map_err(|_| closed())?;
        let from = from.into();
        self.corrections.incoming(from, &mut packet);
        let bytes = packet.len().min(buf.len());
        buf[..bytes].copy_from_slice(&packet[..bytes]);
        Ok((bytes, from))
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
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        let mut packet: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
        self.poll_send(cx, &mut packet, target).map(Ok)
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the node is closed")
}

/// Keeps data back while the system has no room, and for a moment after each burst: a window that
/// leaves at once overflows the receiver's socket, or a router, and is lost as a whole.
#[derive(Default)]
struct Gate(Mutex<GateState>);

#[derive(Default)]
struct GateState {
    is_shut: bool,
    /// Packets since the gate was opened.
    burst: u32,
    /// Streams that have data.
    waiting: Vec<Waker>,
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, GateState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) {
        let opened = std::mem::take(&mut *self.state());
        for waker in opened.waiting {
            waker.wake();
        }
    }
}

impl GateState {
    fn wait(&mut self, cx: &Context<'_>) {
        if !self.waiting.iter().any(|it| it.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
    }
}

/// Packets of data that leave without a pause. Half of what a socket of the usual size holds at the
/// receiver's, who may be busy.
const BURST: u32 = 48;

/// The pause after that: with `BURST`, 67 MB a second at most.
const PAUSE: Duration = Duration::from_millis(1);
