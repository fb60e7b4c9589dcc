use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::SockRef;

use super::{Datagrams, UdpPort, UdpSocket, system};
use crate::BoxFuture;

/// Binds a socket of the tokio runtime around the call.
pub(crate) fn bind(on: SocketAddr, port: UdpPort) -> io::Result<UdpSocket> {
    let socket = tokio::net::UdpSocket::from_std(system::bind(on, port)?)?;
    let local = socket.local_addr()?;
    Ok(UdpSocket::new(Box::new(socket), local))
}

impl Datagrams for tokio::net::UdpSocket {
    fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.try_recv_from(buf)
    }

    fn readable(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(self.readable())
    }

    fn try_send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        self.try_send_to(bytes, to).map(|_| ())
    }

    fn writable(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(self.writable())
    }

    fn join_multicast(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.join_multicast_v4(group, interface)
    }

    fn set_multicast_interface(&self, interface: Ipv4Addr) -> io::Result<()> {
        system::set_multicast_interface(SockRef::from(self), interface)
    }
}
