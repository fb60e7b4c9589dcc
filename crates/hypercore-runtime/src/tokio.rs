use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use tokio::io::ReadBuf;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::{
    Accept, BoxFuture, Duplex, NativeStream, Runtime, TcpListener, TcpStream, UdpPort, UdpSocket,
    udp,
};

/// Runs on a tokio runtime, which must have I/O and time enabled. Clones share its clock.
#[derive(Clone, Debug)]
pub struct Tokio {
    handle: Handle,
    start: Instant,
}

impl Tokio {
    /// The runtime that the caller runs on.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime; use [`Tokio::new`] with a handle there.
    pub fn current() -> Self {
        Self::new(Handle::current())
    }

    /// The runtime behind a handle.
    pub fn new(handle: Handle) -> Self {
        let entered = handle.enter();
        let start = Instant::now();
        drop(entered);
        Self { handle, start }
    }

    /// Any stream of tokio, such as one of TLS, under the traits of `futures-io`.
    pub fn adapt<S>(stream: S) -> impl Duplex
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin,
    {
        Compat(stream)
    }
}

impl NativeStream for tokio::net::TcpStream {
    fn adopt(self) -> io::Result<(Box<dyn Duplex>, Arc<dyn Runtime>)> {
        self.set_nodelay(true)?;
        Ok((Box::new(Compat(self)), Arc::new(Tokio::current())))
    }
}

#[cfg(unix)]
impl NativeStream for tokio::net::UnixStream {
    fn adopt(self) -> io::Result<(Box<dyn Duplex>, Arc<dyn Runtime>)> {
        Ok((Box::new(Compat(self)), Arc::new(Tokio::current())))
    }
}

impl Runtime for Tokio {
    fn now(&self) -> Duration {
        // Inside the runtime, so that a paused clock is the one that is read.
        let _entered = self.handle.enter();
        self.start.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let _entered = self.handle.enter();
        Box::pin(tokio::time::sleep(duration))
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.handle.spawn(task);
    }

    fn spawn_blocking(&self, call: Box<dyn FnOnce() + Send>) {
        self.handle.spawn_blocking(call);
    }

    fn connect_tcp(&self, to: SocketAddr) -> BoxFuture<'static, io::Result<TcpStream>> {
        Box::pin(InRuntime {
            handle: self.handle.clone(),
            future: Box::pin(async move { wrap(tokio::net::TcpStream::connect(to).await?) }),
        })
    }

    fn listen_tcp(&self, on: SocketAddr) -> BoxFuture<'static, io::Result<TcpListener>> {
        let handle = self.handle.clone();
        Box::pin(InRuntime {
            handle: handle.clone(),
            future: Box::pin(async move {
                let listener = tokio::net::TcpListener::bind(on).await?;
                let local = listener.local_addr()?;
                Ok(TcpListener::new(
                    Box::new(Listener { listener, handle }),
                    local,
                ))
            }),
        })
    }

    fn bind_udp(&self, on: SocketAddr, port: UdpPort) -> io::Result<UdpSocket> {
        let _entered = self.handle.enter();
        udp::tokio::bind(on, port)
    }
}

/// Tokio's listener, and the runtime that the accepted streams belong to.
struct Listener {
    listener: tokio::net::TcpListener,
    handle: Handle,
}

impl Accept for Listener {
    fn accept(&self) -> BoxFuture<'_, io::Result<TcpStream>> {
        Box::pin(InRuntime {
            handle: self.handle.clone(),
            future: Box::pin(async move { wrap(self.listener.accept().await?.0) }),
        })
    }
}

fn wrap(stream: tokio::net::TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    let (local, peer) = (stream.local_addr()?, stream.peer_addr()?);
    Ok(TcpStream::new(Box::new(Compat(stream)), local, peer))
}

/// Polls a future inside a runtime's context, so that it may also be awaited elsewhere.
struct InRuntime<'a, T> {
    handle: Handle,
    future: BoxFuture<'a, T>,
}

impl<T> Future for InRuntime<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        let _entered = this.handle.enter();
        this.future.as_mut().poll(cx)
    }
}

/// Tokio's stream under the traits of `futures-io`.
struct Compat<S>(S);

impl<S: tokio::io::AsyncRead + Unpin> AsyncRead for Compat<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    }
}

impl<S: tokio::io::AsyncWrite + Unpin> AsyncWrite for Compat<S> {
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
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
