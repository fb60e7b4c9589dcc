use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use hypercore_runtime::{Accept, BoxFuture, Runtime, TcpListener, TcpStream};

use super::{Sim, SimRuntime, lock};

/// What connections are like. Each draws its own delay, so that what one of them carries overtakes
/// what another does.
#[derive(Clone, Debug)]
pub struct Link {
    /// Time from one end to the other.
    pub delay: Range<Duration>,
    /// Bytes a second in each direction; 0 for any number.
    pub bandwidth: u64,
    /// Bytes that fit between a writer and its reader.
    pub buffer: usize,
}

impl Default for Link {
    /// A local network: up to a millisecond, any bandwidth, 256 KiB.
    fn default() -> Self {
        Self {
            delay: Duration::ZERO..Duration::from_millis(1),
            bandwidth: 0,
            buffer: 256 << 10,
        }
    }
}

#[derive(Default)]
pub(super) struct Net {
    pub(super) link: Link,
    listeners: BTreeMap<SocketAddr, Arc<Mutex<Queue>>>,
    /// Both directions of each connection, and between whom they are.
    connections: Vec<(IpAddr, IpAddr, Weak<Mutex<Pipe>>)>,
    last_port: u16,
}

impl Net {
    pub(super) fn connections_of(&mut self, ip: IpAddr) -> Vec<Arc<Mutex<Pipe>>> {
        self.connections
            .retain(|(_, _, pipe)| pipe.strong_count() > 0);
        let of_host = self
            .connections
            .iter()
            .filter(|(a, b, _)| *a == ip || *b == ip);
        of_host.filter_map(|(_, _, pipe)| pipe.upgrade()).collect()
    }

    fn port(&mut self) -> u16 {
        self.last_port = self.last_port.checked_add(1).unwrap_or(1).max(40_000);
        self.last_port
    }
}

/// Connections that wait to be accepted.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<TcpStream>,
    wakers: Vec<Waker>,
}

pub(super) fn listen(host: &SimRuntime, port: u16) -> io::Result<TcpListener> {
    let queue = Arc::new(Mutex::new(Queue::default()));
    let mut state = host.sim.state();
    let port = match port {
        0 => state.net.port(),
        port => port,
    };
    let local = SocketAddr::new(host.ip, port);
    if state.net.listeners.contains_key(&local) {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    state.net.listeners.insert(local, queue.clone());
    drop(state);
    let listener = Listener {
        sim: host.sim.clone(),
        local,
        queue,
    };
    Ok(TcpListener::new(Box::new(listener), local))
}

pub(super) async fn connect(host: SimRuntime, to: SocketAddr) -> io::Result<TcpStream> {
    let (link, delay, local) = {
        let mut state = host.sim.state();
        let link = state.net.link.clone();
        let span = link.delay.end.saturating_sub(link.delay.start).as_nanos();
        let more = state.rng.below(u64::try_from(span).unwrap_or(u64::MAX));
        let local = SocketAddr::new(host.ip, state.net.port());
        (
            link.clone(),
            link.delay.start + Duration::from_nanos(more),
            local,
        )
    };
    host.sleep(2 * delay).await; // there, and back with the answer
    let queue = host.sim.state().net.listeners.get(&to).cloned();
    let queue = queue.ok_or(io::ErrorKind::ConnectionRefused)?;
    let [there, back] = [(), ()].map(|()| {
        let pipe = Arc::new(Mutex::new(Pipe::new(&link, delay)));
        let entry = (host.ip, to.ip(), Arc::downgrade(&pipe));
        host.sim.state().net.connections.push(entry);
        pipe
    });
    let end = |incoming: &Arc<Mutex<Pipe>>, outgoing: &Arc<Mutex<Pipe>>| {
        Box::new(End {
            sim: host.sim.clone(),
            incoming: incoming.clone(),
            outgoing: outgoing.clone(),
        })
    };
    let accepted = TcpStream::new(end(&there, &back), to, local);
    let wakers = {
        let mut queue = lock(&queue);
        queue.waiting.push_back(accepted);
        std::mem::take(&mut queue.wakers)
    };
    wakers.into_iter().for_each(Waker::wake);
    Ok(TcpStream::new(end(&back, &there), local, to))
}

struct Listener {
    sim: Sim,
    local: SocketAddr,
    queue: Arc<Mutex<Queue>>,
}

impl Accept for Listener {
    fn accept(&self) -> BoxFuture<'_, io::Result<TcpStream>> {
        Box::pin(poll_fn(|cx| {
            let mut queue = lock(&self.queue);
            match queue.waiting.pop_front() {
                Some(stream) => Poll::Ready(Ok(stream)),
                None => {
                    queue.wakers.push(cx.waker().clone());
                    Poll::Pending
                }
            }
        }))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.sim.state().net.listeners.remove(&self.local);
    }
}

/// One direction of a connection.
pub(super) struct Pipe {
    delay: Duration,
    bandwidth: u64,
    buffer: usize,
    /// Bytes and when they arrive.
    under_way: VecDeque<(Duration, VecDeque<u8>)>,
    bytes: usize,
    /// When the last byte has left the writer.
    busy_until: Duration,
    /// When the reader learns that nothing follows.
    closed: Option<Duration>,
    broken: bool,
    wakers: Vec<Waker>,
}

impl Pipe {
    fn new(link: &Link, delay: Duration) -> Self {
        Self {
            delay,
            bandwidth: link.bandwidth,
            buffer: link.buffer,
            under_way: VecDeque::new(),
            bytes: 0,
            busy_until: Duration::ZERO,
            closed: None,
            broken: false,
            wakers: Vec::new(),
        }
    }

    fn write(&mut self, now: Duration, bytes: &[u8]) {
        for piece in bytes.chunks(PIECE_BYTES) {
            self.busy_until = self.busy_until.max(now);
            let nanos = (piece.len() as u64 * 1_000_000_000).checked_div(self.bandwidth);
            self.busy_until += Duration::from_nanos(nanos.unwrap_or(0));
            let arrival = self.busy_until + self.delay;
            self.under_way
                .push_back((arrival, piece.iter().copied().collect()));
            self.bytes += piece.len();
        }
    }
}

/// Bytes that travel together.
const PIECE_BYTES: usize = 1460;

/// Ends a direction at once.
pub(super) fn reset(pipe: &Mutex<Pipe>) {
    let wakers = {
        let mut pipe = lock(pipe);
        pipe.broken = true;
        std::mem::take(&mut pipe.wakers)
    };
    wakers.into_iter().for_each(Waker::wake);
}

/// One end of a connection.
struct End {
    sim: Sim,
    incoming: Arc<Mutex<Pipe>>,
    outgoing: Arc<Mutex<Pipe>>,
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let now = self.sim.now();
        let mut pipe = lock(&self.incoming);
        if pipe.broken {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let mut read = 0;
        while read < buf.len()
            && let Some((_, bytes)) = pipe.under_way.front_mut().filter(|front| front.0 <= now)
        {
            let room = bytes.len().min(buf.len() - read);
            for (to, byte) in buf[read..].iter_mut().zip(bytes.drain(..room)) {
                *to = byte;
            }
            if bytes.is_empty() {
                pipe.under_way.pop_front();
            }
            read += room;
        }
        pipe.bytes -= read;
        let arrival = pipe.under_way.front().map(|front| front.0).or(pipe.closed);
        let ended = pipe.under_way.is_empty() && pipe.closed.is_some_and(|at| at <= now);
        if read > 0 || ended || buf.is_empty() {
            let wakers = std::mem::take(&mut pipe.wakers);
            drop(pipe);
            wakers.into_iter().for_each(Waker::wake);
            return Poll::Ready(Ok(read));
        }
        match arrival {
            Some(at) => {
                drop(pipe);
                self.sim.wake_at(at, cx.waker());
            }
            None => pipe.wakers.push(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let now = self.sim.now();
        let mut pipe = lock(&self.outgoing);
        if pipe.broken || pipe.closed.is_some() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = pipe.buffer.saturating_sub(pipe.bytes).min(buf.len());
        if room == 0 && !buf.is_empty() {
            pipe.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        pipe.write(now, &buf[..room]);
        let wakers = std::mem::take(&mut pipe.wakers);
        drop(pipe);
        wakers.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(room))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let now = self.sim.now();
        let wakers = {
            let mut pipe = lock(&self.outgoing);
            let at = pipe.busy_until.max(now) + pipe.delay;
            pipe.closed.get_or_insert(at);
            std::mem::take(&mut pipe.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let waker = Waker::noop();
        let _ = Pin::new(&mut *self).poll_close(&mut Context::from_waker(waker));
        // Nobody reads any more: what the other end writes fails.
        let wakers = {
            let mut pipe = lock(&self.incoming);
            pipe.broken = true;
            std::mem::take(&mut pipe.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}
