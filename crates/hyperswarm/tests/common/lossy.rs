//! A runtime whose sockets lose what the test says.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hypercore_runtime::{
    BoxFuture, Datagrams, Runtime, TcpListener, TcpStream, UdpPort, UdpSocket,
};

/// Whether a datagram that is sent gets lost.
type Loss = Arc<dyn Fn(&[u8]) -> bool + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Lossy {
    runtime: Arc<dyn Runtime>,
    loss: Loss,
}

impl Lossy {
    pub(crate) fn over(
        runtime: &Arc<dyn Runtime>,
        loss: impl Fn(&[u8]) -> bool + Send + Sync + 'static,
    ) -> Arc<dyn Runtime> {
        Arc::new(Self {
            runtime: runtime.clone(),
            loss: Arc::new(loss),
        })
    }
}

impl fmt::Debug for Lossy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lossy").finish_non_exhaustive()
    }
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
            loss: self.loss.clone(),
        };
        Ok(UdpSocket::new(Box::new(socket), local))
    }
}

struct LossySocket {
    socket: tokio::net::UdpSocket,
    loss: Loss,
}

impl Datagrams for LossySocket {
    fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.try_recv_from(buf)
    }

    fn readable(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(self.socket.readable())
    }

    fn try_send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        if (self.loss)(bytes) {
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
