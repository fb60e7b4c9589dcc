use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use crate::BoxFuture;

#[cfg(feature = "async-std")]
pub(crate) mod async_std;
#[cfg(feature = "tokio")]
pub(crate) mod tokio;

/// How a UDP socket holds its port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UdpPort {
    /// Alone: binding fails when another socket holds the port.
    Own,
    /// Beside other sockets that share it too, as is the custom for multicast. What the socket
    /// sends to a group crosses one link ([`MULTICAST_TTL`] tells receivers that no router passed it
    /// on) and is also heard on this machine.
    Shared,
}

/// The time to live of multicast datagrams from a shared port. Receivers take anything lower for a
/// datagram that was routed (RFC 6762, "Source Address Check").
pub const MULTICAST_TTL: u32 = 255;

/// A UDP socket of some runtime. Dropping it closes it.
///
/// Any number of tasks may send, and any number may receive; each datagram goes to one of them.
pub struct UdpSocket {
    socket: Box<dyn Datagrams>,
    local: SocketAddr,
}

impl UdpSocket {
    /// Wraps a bound socket. Adapters and test doubles call this.
    pub fn new(socket: Box<dyn Datagrams>, local: SocketAddr) -> Self {
        Self { socket, local }
    }

    /// The address that the socket is bound to, with the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Waits for a datagram, and returns how many bytes of it lie in `buf` and who sent it. What does
    /// not fit is lost. Cancel-safe: dropping the future loses no datagram.
    ///
    /// An error concerns an earlier datagram that could not be delivered (some systems tell), and the
    /// socket goes on.
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        loop {
            match self.socket.try_recv_from(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.socket.readable().await?;
                }
                result => return result,
            }
        }
    }

    /// A datagram that is there already, as [`recv_from`](Self::recv_from) returns it; otherwise an
    /// error of the kind [`WouldBlock`](io::ErrorKind::WouldBlock).
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.try_recv_from(buf)
    }

    /// Sends one datagram, waiting until the system takes it. Cancel-safe: when the future is dropped
    /// the datagram has been sent or it has not.
    pub async fn send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        loop {
            match self.socket.try_send_to(bytes, to) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.socket.writable().await?;
                }
                result => return result,
            }
        }
    }

    /// Sends one datagram if the system takes it at once; otherwise an error of the kind
    /// [`WouldBlock`](io::ErrorKind::WouldBlock).
    pub fn try_send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        self.socket.try_send_to(bytes, to)
    }

    /// Waits until there may be room for a datagram. Cancel-safe.
    pub async fn writable(&self) -> io::Result<()> {
        self.socket.writable().await
    }

    /// Receives what is sent to `group` and arrives on the interface that has the address
    /// `interface`. Joining twice is an error of the system and changes nothing.
    pub fn join_multicast(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.socket.join_multicast(group, interface)
    }

    /// Sends what goes to multicast groups through the interface that has the address `interface`
    /// from now on.
    pub fn set_multicast_interface(&self, interface: Ipv4Addr) -> io::Result<()> {
        self.socket.set_multicast_interface(interface)
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpSocket")
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}

/// Where datagrams come from and go to, behind [`UdpSocket`].
///
/// An adapter only tries and tells when to try again. That costs no allocation for a datagram, and
/// none of several tasks that wait is forgotten.
pub trait Datagrams: Send + Sync {
    /// Takes a datagram that is there, or fails with [`WouldBlock`](io::ErrorKind::WouldBlock).
    fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

    /// Waits until there may be a datagram. Completing too often is harmless.
    fn readable(&self) -> BoxFuture<'_, io::Result<()>>;

    /// Hands over a datagram, or fails with [`WouldBlock`](io::ErrorKind::WouldBlock).
    fn try_send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()>;

    /// Waits until there may be room for a datagram. Completing too often is harmless.
    fn writable(&self) -> BoxFuture<'_, io::Result<()>>;

    /// See [`UdpSocket::join_multicast`].
    fn join_multicast(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()>;

    /// See [`UdpSocket::set_multicast_interface`].
    fn set_multicast_interface(&self, interface: Ipv4Addr) -> io::Result<()>;
}

#[cfg(any(feature = "tokio", feature = "async-std"))]
pub(crate) mod system {
    //! What the adapters have in common: the system's own sockets.

    use std::io;
    use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

    use socket2::{Domain, Protocol, SockRef, Socket, Type};

    use super::{MULTICAST_TTL, UdpPort};

    /// Opens a socket that does not block.
    pub(crate) fn bind(on: SocketAddr, port: UdpPort) -> io::Result<UdpSocket> {
        let socket = Socket::new(Domain::for_address(on), Type::DGRAM, Some(Protocol::UDP))?;
        if port == UdpPort::Shared {
            socket.set_reuse_address(true)?;
            // Elsewhere than on Linux, sharing a port needs this one beside the other; on Linux it
            // would shut out those who set only the other.
            #[cfg(all(unix, not(target_os = "linux"), not(target_os = "android")))]
            socket.set_reuse_port(true)?;
            if on.is_ipv4() {
                socket.set_multicast_ttl_v4(MULTICAST_TTL)?;
                socket.set_multicast_loop_v4(true)?;
            }
        }
        // More than most systems give unasked. They may refuse, and then fewer packets fit.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
        socket.set_nonblocking(true)?;
        socket.bind(&on.into())?;
        Ok(socket.into())
    }

    /// Chooses the interface for multicast, which std's socket cannot.
    pub(crate) fn set_multicast_interface(
        socket: SockRef<'_>,
        interface: Ipv4Addr,
    ) -> io::Result<()> {
        socket.set_multicast_if_v4(&interface)
    }

    /// Room for datagrams that arrive while the task that takes them does not run.
    const RECEIVE_BUFFER_BYTES: usize = 1 << 20;
}
