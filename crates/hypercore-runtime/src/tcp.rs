use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use crate::BoxFuture;

/// Bytes in both directions. Implemented for everything that qualifies.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A TCP connection of some runtime. Closing the writing half is `poll_close`; dropping closes both.
pub struct TcpStream {
    stream: Box<dyn Duplex>,
    local: SocketAddr,
    peer: SocketAddr,
}

impl TcpStream {
    /// Wraps a connected stream. Adapters and test doubles call this.
    pub fn new(stream: Box<dyn Duplex>, local: SocketAddr, peer: SocketAddr) -> Self {
        Self {
            stream,
            local,
            peer,
        }
    }

    /// The address of our end.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The address of the other end.
    pub fn peer_addr(&self) -> SocketAddr {
        self.peer
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read_vectored(cx, bufs)
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpStream")
            .field("local", &self.local)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// Where connections arrive from, behind [`TcpListener`].
pub trait Accept: Send + Sync {
    /// The next connection. Cancel-safe: a connection is either returned or left for the next call.
    fn accept(&self) -> BoxFuture<'_, io::Result<TcpStream>>;
}

/// A listening TCP socket of some runtime. Dropping it stops the listening.
pub struct TcpListener {
    listener: Box<dyn Accept>,
    local: SocketAddr,
}

impl TcpListener {
    /// Wraps a listening socket. Adapters and test doubles call this.
    pub fn new(listener: Box<dyn Accept>, local: SocketAddr) -> Self {
        Self { listener, local }
    }

    /// The next connection. Cancel-safe: dropping the future loses no connection.
    ///
    /// An error concerns one attempt (the peer left, descriptors ran out); the listener goes on.
    pub async fn accept(&self) -> io::Result<TcpStream> {
        self.listener.accept().await
    }

    /// The address that peers connect to, with the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpListener")
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}
