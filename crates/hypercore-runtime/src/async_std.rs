use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_io::{AsyncRead, AsyncWrite};

use crate::{
    Accept, BoxFuture, Duplex, NativeStream, Runtime, TcpListener, TcpStream, UdpPort, UdpSocket,
    udp,
};

/// Runs on async-std's global executor. Clones share a clock.
///
/// async-std is no longer developed; this adapter proves that nothing above depends on one runtime.
#[derive(Clone, Debug)]
pub struct AsyncStd {
    start: Instant,
}

impl AsyncStd {
    /// The global executor, with a clock that starts now.
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Default for AsyncStd {
    fn default() -> Self {
        Self::new()
    }
}

impl Runtime for AsyncStd {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async_std::task::sleep(duration))
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        async_std::task::spawn(task);
    }

    fn spawn_blocking(&self, call: Box<dyn FnOnce() + Send>) {
        async_std::task::spawn_blocking(call);
    }

    fn connect_tcp(&self, to: SocketAddr) -> BoxFuture<'static, io::Result<TcpStream>> {
        Box::pin(async move { wrap(async_std::net::TcpStream::connect(to).await?) })
    }

    fn listen_tcp(&self, on: SocketAddr) -> BoxFuture<'static, io::Result<TcpListener>> {
        Box::pin(async move {
            let listener = async_std::net::TcpListener::bind(on).await?;
            let local = listener.local_addr()?;
            Ok(TcpListener::new(Box::new(listener), local))
        })
    }

    fn bind_udp(&self, on: SocketAddr, port: UdpPort) -> io::Result<UdpSocket> {
        udp::async_std::bind(on, port)
    }
}

impl NativeStream for async_std::net::TcpStream {
    fn adopt(self) -> io::Result<(Box<dyn Duplex>, Arc<dyn Runtime>)> {
        self.set_nodelay(true)?;
        Ok((Box::new(HalfClose(self)), Arc::new(AsyncStd::new())))
    }
}

#[cfg(unix)]
impl NativeStream for async_std::os::unix::net::UnixStream {
    fn adopt(self) -> io::Result<(Box<dyn Duplex>, Arc<dyn Runtime>)> {
        Ok((Box::new(HalfClose(self)), Arc::new(AsyncStd::new())))
    }
}

impl Accept for async_std::net::TcpListener {
    fn accept(&self) -> BoxFuture<'_, io::Result<TcpStream>> {
        Box::pin(async move { wrap(self.accept().await?.0) })
    }
}

fn wrap(stream: async_std::net::TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    let (local, peer) = (stream.local_addr()?, stream.peer_addr()?);
    Ok(TcpStream::new(Box::new(HalfClose(stream)), local, peer))
}

/// async-std's stream, whose own `poll_close` only flushes, with one that ends the writing half.
struct HalfClose<S>(S);

/// Streams whose writing half can be ended by itself.
trait Halves {
    fn end_writing(&self) -> io::Result<()>;
}

impl Halves for async_std::net::TcpStream {
    fn end_writing(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

#[cfg(unix)]
impl Halves for async_std::os::unix::net::UnixStream {
    fn end_writing(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HalfClose<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Halves + Unpin> AsyncWrite for HalfClose<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.0).poll_flush(cx))?;
        match self.0.end_writing() {
            // The peer was faster; there is nothing left to end.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            result => Poll::Ready(result),
        }
    }
}
