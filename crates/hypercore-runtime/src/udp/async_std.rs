use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use async_io::Async;
use socket2::SockRef;

use super::{Datagrams, UdpPort, UdpSocket, system};
use crate::BoxFuture;

/// Binds a socket on async-io, which is what async-std's own sockets are made of. Theirs can wait
/// for a datagram and not try for one.
pub(crate) fn bind(on: SocketAddr, port: UdpPort) -> io::Result<UdpSocket> {
    let socket = Async::new_nonblocking(system::bind(on, port)?)?;
    let local = socket.get_ref().local_addr()?;
    Ok(UdpSocket::new(Box::new(socket), local))
}

impl Datagrams for Async<std::net::UdpSocket> {
    fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.get_ref().recv_from(buf)
    }

    fn readable(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(self.readable())
    }

    fn try_send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        self.get_ref().send_to(bytes, to).map(|_| ())
    }

    fn writable(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(self.writable())
    }

    fn join_multicast(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.get_ref().join_multicast_v4(&group, &interface)
    }

    fn set_multicast_interface(&self, interface: Ipv4Addr) -> io::Result<()> {
        system::set_multicast_interface(SockRef::from(self.get_ref()), interface)
    }
}
