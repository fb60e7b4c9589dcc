//! The packet that opens a uTP stream is sent again when it is lost, which the crate that carries uTP
//! does not do by itself.
#![cfg(feature = "utp")]
#![allow(clippy::unwrap_used)]

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hypercore_runtime::{
    Accept, BoxFuture, Datagrams, Runtime, TcpListener, TcpStream, UdpPort, UdpSocket,
};
use hyperswarm::{Carrier, JoinOptions, Swarm, SwarmEvent};

mod common;
use common::{dht_only, on_tokio, persistent};

#[test]
fn a_dial_survives_the_loss_of_its_first_openings() {
    on_tokio(|runtime| async move {
        let bootstrap = persistent(&runtime, &[]);
        let at = [bootstrap.local_addr()];
        // Nobody listens over TCP.
        let listener = runtime.listen_tcp(common::loopback().into()).await.unwrap();
        let local = listener.local_addr();
        drop(listener);
        let deaf = TcpListener::new(Box::new(Deaf), local);
        let server = Swarm::with_listener(runtime.clone(), deaf, dht_only(&at)).unwrap();
        let topic = [7; 32];
        let announce = JoinOptions {
            announce: true,
            lookup: false,
        };
        server.join(topic, announce);
        server.flush().await;

        let openings = Arc::new(AtomicUsize::new(0));
        let lossy = Arc::new(Lossy {
            runtime: runtime.clone(),
            openings: openings.clone(),
        });
        let client = Swarm::bind(lossy, dht_only(&at)).await.unwrap();
        let events = client.events();
        let lookup = JoinOptions {
            announce: false,
            lookup: true,
        };
        client.join(topic, lookup);
        let connection = client.accept().await.unwrap();
        assert_eq!(connection.info().carrier, Carrier::Utp);
        assert!(openings.load(Ordering::Relaxed) > LOST);
        // At the first attempt: the dial was not given up meanwhile.
        let failed = |event: &SwarmEvent| matches!(event, SwarmEvent::DialFailed { .. });
        let seen = std::iter::from_fn(|| events.try_recv().ok());
        assert_eq!(seen.filter(failed).count(), 0);
    });
}

/// A runtime whose sockets lose the first packets that open streams.
#[derive(Debug)]
struct Lossy {
    runtime: Arc<dyn Runtime>,
    openings: Arc<AtomicUsize>,
}

impl Runtime for Lossy {
    fn now(&self) -> Duration {
        self.runtime.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.runtime.sleep(duration)
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.runtime.spawn(task);
    }

    fn connect_tcp(&self, to: SocketAddr) -> BoxFuture<'static, io::Result<TcpStream>> {
        self.runtime.connect_tcp(to)
    }

    fn listen_tcp(&self, on: SocketAddr) -> BoxFuture<'static, io::Result<TcpListener>> {
        self.runtime.listen_tcp(on)
    }

    fn bind_udp(&self, on: SocketAddr, _: UdpPort) -> io::Result<UdpSocket> {
        let socket = std::net::UdpSocket::bind(on)?;
        socket.set_nonblocking(true)?;
        let local = socket.local_addr()?;
        let socket = LossySocket {
            socket: tokio::net::UdpSocket::from_std(socket)?,
            openings: self.openings.clone(),
        };
        Ok(UdpSocket::new(Box::new(socket), local))
    }
}

struct LossySocket {
    socket: tokio::net::UdpSocket,
    openings: Arc<AtomicUsize>,
}

impl Datagrams for LossySocket {
    fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.try_recv_from(buf)
    }

    fn readable(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(self.socket.readable())
    }

    fn try_send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        let opens = hyperswarm_dht::wire::is_utp(bytes) && bytes[0] >> 4 == SYN;
        if opens && self.openings.fetch_add(1, Ordering::Relaxed) < LOST {
            return Ok(());
        }
        self.socket.try_send_to(bytes, to).map(|_| ())
    }

    fn writable(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(self.socket.writable())
    }

    fn join_multicast(&self, _: Ipv4Addr, _: Ipv4Addr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn set_multicast_interface(&self, _: Ipv4Addr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Listens nowhere.
#[derive(Debug)]
struct Deaf;

impl Accept for Deaf {
    fn accept(&self) -> BoxFuture<'_, io::Result<TcpStream>> {
        Box::pin(std::future::pending())
    }
}

/// The type of a packet that opens a stream.
const SYN: u8 = 4;

/// As many as a dial sends at once: to the peer, and after the hole punch.
const LOST: usize = 2;
