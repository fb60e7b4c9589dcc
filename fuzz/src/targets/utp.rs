use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use futures_lite::future::{poll_once, yield_now};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use hypercore_runtime::{
    Accept, BoxFuture, Datagrams, Runtime, TcpListener, TcpStream, UdpPort, UdpSocket,
};
use hyperswarm::{Connection, JoinOptions, Swarm, SwarmConfig};
use hyperswarm_dht::wire::is_utp;
use hyperswarm_dht::{AnnounceOptions, Dht, Timestamp};
use tokio::sync::Notify;

use crate::input::Input;
use crate::plant;

/// A swarm with uTP on a network of strangers: each byte is a step, followed by what it needs.
///
/// Whatever they send, no task of it breaks down, what leaves is of uTP's size and in proportion, and
/// limits and the end of the swarm stay what they are. Its clock is virtual.
pub fn utp(bytes: &[u8]) {
    watch_tasks();
    BROKEN.set(false);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(live(&mut Input::new(bytes)));
    assert!(!BROKEN.get(), "a task broke down");
}

async fn live(input: &mut Input<'_>) {
    let mut world = World::new();
    world.settle().await;
    while !input.is_empty() {
        match input.byte() & 7 {
            0 => {
                let from = stranger(input.byte());
                world.give(from, input.piece().to_vec());
            }
            1 | 2 => world.packet(input),
            3 => tokio::time::sleep(Duration::from_millis(10 * u64::from(input.byte()))).await,
            4 => tokio::time::sleep(Duration::from_secs(u64::from(input.byte() & 63))).await,
            5 => world.write(input).await,
            6 => {
                let which = usize::from(input.byte());
                if which < world.connections.len() {
                    world.connections.remove(which);
                }
            }
            _ => {
                world.swarm.join(TOPIC, LOOKUP);
            }
        }
        world.settle().await;
    }
    for connection in &mut world.connections {
        // What has arrived may still be read, and the end come to.
        let mut bytes = [0; 4096];
        while let Some(Ok(1..)) = poll_once(connection.read(&mut bytes)).await {}
    }
    let closed = tokio::time::timeout(Duration::from_secs(60), world.swarm.close());
    assert!(closed.await.is_ok(), "the swarm does not end");
}

struct World {
    net: Net,
    swarm: Swarm,
    connections: Vec<Connection>,
    /// A node of the DHT that the swarm begins with, and that tells of the first stranger.
    dht: Dht,
    /// The last uTP packet that went to each stranger.
    heard: BTreeMap<SocketAddrV4, Vec<u8>>,
    received: usize,
}

impl World {
    fn new() -> Self {
        let net = Net::default();
        let mut config = SwarmConfig::default();
        config.use_lan = false;
        config.announce_local = false;
        config.dht.bootstrap = vec![node()];
        config.peers.max_connections = MAX_CONNECTIONS;
        config.seed = Some([7; 32]);
        let local = SocketAddr::from((Ipv4Addr::new(50, 0, 0, 9), 5000));
        let listener = TcpListener::new(Box::new(Deaf), local);
        let runtime = Arc::new(Paused {
            net: net.clone(),
            start: tokio::time::Instant::now(),
        });
        let swarm = Swarm::with_listener(runtime, listener, config).expect("nothing refuses");
        Self {
            net,
            swarm,
            connections: Vec::new(),
            dht: informed(),
            heard: BTreeMap::new(),
            received: 0,
        }
    }

    fn give(&self, from: SocketAddrV4, datagram: Vec<u8>) {
        self.net.state().inbox.push_back((datagram, from));
        self.net.arrived.notify_one();
    }

    /// A packet that fits what was heard before: a number relative to the last one of ours.
    fn packet(&mut self, input: &mut Input<'_>) {
        let from = stranger(input.byte());
        let kind = input.byte();
        let [seq, ack, id] = [input.byte(), input.byte(), input.byte()].map(u8::cast_signed);
        let extension = input.byte() % 3;
        let rest = input.piece();
        let last = self.heard.get(&from);
        let field = |at: usize, by: i8| {
            let field = last.map_or([0; 2], |last| [last[at], last[at + 1]]);
            u16::from_be_bytes(field).wrapping_add_signed(by.into())
        };
        let mut packet = vec![(kind % 5) << 4 | 1, extension];
        packet.extend(field(2, id).to_be_bytes());
        packet.extend([0; 8]);
        packet.extend((1_u32 << 20).to_be_bytes());
        // What we acknowledged last is what they sent last, and the other way round.
        packet.extend(field(18, seq).to_be_bytes());
        packet.extend(field(16, ack).to_be_bytes());
        packet.extend(rest);
        self.give(from, packet);
    }

    async fn write(&mut self, input: &mut Input<'_>) {
        let which = usize::from(input.byte());
        let bytes = vec![7; input.number()];
        if let Some(connection) = self.connections.get_mut(which) {
            let _ = poll_once(connection.write(&bytes)).await;
            let _ = poll_once(connection.flush()).await;
            if bytes.is_empty() {
                let _ = poll_once(connection.close()).await;
            }
        }
    }

    /// Lets everybody do what there is to do now.
    async fn settle(&mut self) {
        let mut sent = 0;
        for _ in 0..TURNS {
            yield_now().await;
            sent += self.carry();
            while let Some(Some(connection)) = poll_once(self.swarm.accept()).await {
                self.connections.push(connection);
            }
            self.read().await;
        }
        assert!(sent <= MAX_AT_ONCE, "{sent} datagrams at once");
        assert!(self.swarm.status().connections <= MAX_CONNECTIONS);
    }

    /// Reads what came over each connection, as a user would; closed ones are let go.
    async fn read(&mut self) {
        let mut bytes = [0; 256];
        let mut at = 0;
        while let Some(connection) = self.connections.get_mut(at) {
            match poll_once(connection.read(&mut bytes)).await {
                Some(Ok(0) | Err(_)) => drop(self.connections.remove(at)),
                Some(Ok(read)) => {
                    self.received += read;
                    // As if what was received in all were counted in five bits.
                    assert!(!plant::strikes(self.received > 0x1f), "{}", self.received);
                    at += 1;
                }
                None => at += 1,
            }
        }
    }

    /// Takes what the swarm sent to where it went. Returns how much that was.
    fn carry(&mut self) -> usize {
        let sent = std::mem::take(&mut self.net.state().outbox);
        let count = sent.len();
        for (datagram, to) in sent {
            if to == node() {
                let now = Timestamp::from_start(Duration::from_secs(1));
                let from = SocketAddr::from((Ipv4Addr::new(50, 0, 0, 9), 5000));
                self.dht.handle_datagram(now, from, &datagram);
                while let Some(answer) = self.dht.poll_transmit() {
                    if SocketAddr::V4(answer.to) == from {
                        self.give(node(), answer.bytes);
                    }
                }
                while self.dht.poll_event().is_some() {}
            } else if is_utp(&datagram) {
                assert!(datagram.len() <= MAX_UTP_BYTES, "{}", datagram.len());
                self.heard.insert(to, datagram);
            }
        }
        count
    }
}

/// A node that knows the first stranger as a peer of the topic.
fn informed() -> Dht {
    let now = Timestamp::from_start(Duration::from_secs(1));
    let mut config = hyperswarm_dht::Config::default();
    config.ephemeral = false;
    let mut dht = Dht::new(config, [1; 32], now);
    let mut config = hyperswarm_dht::Config::default();
    config.bootstrap = vec![node()];
    let mut peer = Dht::new(config, [2; 32], now);
    let topic = hyperswarm_dht::Id::from_bytes(TOPIC);
    peer.announce(now, topic, AnnounceOptions::default());
    loop {
        let mut is_over = true;
        while let Some(datagram) = peer.poll_transmit() {
            is_over = false;
            dht.handle_datagram(now, stranger(0).into(), &datagram.bytes);
        }
        while let Some(datagram) = dht.poll_transmit() {
            is_over = false;
            peer.handle_datagram(now, node().into(), &datagram.bytes);
        }
        if is_over {
            break;
        }
    }
    assert_eq!(dht.stored_records(), 1);
    dht
}

/// A network in memory, with one socket.
#[derive(Clone, Debug, Default)]
struct Net {
    state: Arc<Mutex<Queues>>,
    arrived: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Queues {
    inbox: VecDeque<(Vec<u8>, SocketAddrV4)>,
    outbox: Vec<(Vec<u8>, SocketAddrV4)>,
}

impl Net {
    fn state(&self) -> MutexGuard<'_, Queues> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Datagrams for Net {
    fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let Some((datagram, from)) = self.state().inbox.pop_front() else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let bytes = datagram.len().min(buf.len());
        buf[..bytes].copy_from_slice(&datagram[..bytes]);
        Ok((bytes, from.into()))
    }

    fn readable(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async {
            if self.state().inbox.is_empty() {
                self.arrived.notified().await;
            }
            Ok(())
        })
    }

    fn try_send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        if let SocketAddr::V4(to) = to {
            self.state().outbox.push((bytes.to_vec(), to));
        }
        Ok(())
    }

    fn writable(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn join_multicast(&self, _: Ipv4Addr, _: Ipv4Addr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn set_multicast_interface(&self, _: Ipv4Addr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Tokio with a clock that moves when there is nothing else to do, and no network but that one.
#[derive(Debug)]
struct Paused {
    net: Net,
    start: tokio::time::Instant,
}

impl Runtime for Paused {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn connect_tcp(&self, _: SocketAddr) -> BoxFuture<'static, io::Result<TcpStream>> {
        Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
    }

    fn listen_tcp(&self, _: SocketAddr) -> BoxFuture<'static, io::Result<TcpListener>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn bind_udp(&self, on: SocketAddr, _: UdpPort) -> io::Result<UdpSocket> {
        Ok(UdpSocket::new(Box::new(self.net.clone()), on))
    }
}

/// Nobody dials over TCP.
#[derive(Debug)]
struct Deaf;

impl Accept for Deaf {
    fn accept(&self) -> BoxFuture<'_, io::Result<TcpStream>> {
        Box::pin(std::future::pending())
    }
}

/// A runtime keeps what breaks down in a task to itself. Here everything runs on one thread, so it
/// can be told to whom it belongs.
fn watch_tasks() {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            BROKEN.set(true);
            usual(info);
        }));
    });
}

thread_local! {
    static BROKEN: Cell<bool> = const { Cell::new(false) };
}

fn stranger(number: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(50, 1, 0, number & 3), 6000)
}

/// Where the node of the DHT is.
fn node() -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(50, 2, 0, 1), 49_737)
}

const TOPIC: [u8; 32] = [7; 32];
const LOOKUP: JoinOptions = JoinOptions {
    announce: false,
    lookup: true,
};

const MAX_CONNECTIONS: usize = 3;

/// Times that every task gets its turn before time goes on.
const TURNS: usize = 12;

/// A window of uTP in its smallest packets would be more; nothing that is written here fills one.
const MAX_AT_ONCE: usize = 200;

/// Longest datagram of uTP.
const MAX_UTP_BYTES: usize = 1402;
