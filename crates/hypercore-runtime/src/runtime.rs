use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use crate::{TcpListener, TcpStream, UdpPort, UdpSocket};

/// A future on the heap that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A clock, timers, tasks, TCP and UDP, from whatever runtime the program runs on.
///
/// Every future returned here is cancel-safe: dropping it abandons the operation and loses nothing
/// that was promised to somebody else.
pub trait Runtime: Debug + Send + Sync + 'static {
    /// Time passed since an arbitrary start, the same for all clones of one runtime. Never goes
    /// back, and does not follow the wall clock.
    fn now(&self) -> Duration;

    /// Completes when `duration` has passed, never earlier.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// Runs a future to its end in the background. A panic in it ends that task only.
    fn spawn(&self, task: BoxFuture<'static, ()>);

    /// Runs a call that waits for the disk, or computes for long, in the background. Where the runtime
    /// has threads for that, no task waits for it; the default is a task of its own.
    fn spawn_blocking(&self, call: Box<dyn FnOnce() + Send>) {
        self.spawn(Box::pin(async move { call() }));
    }

    /// Connects to a peer. The stream sends without delay (Nagle's algorithm is off): the protocols
    /// above gather small messages themselves.
    ///
    /// There is no timeout here beyond the operating system's; race it with [`Runtime::sleep`].
    fn connect_tcp(&self, to: SocketAddr) -> BoxFuture<'static, io::Result<TcpStream>>;

    /// Listens on an address. Port 0 lets the system choose; [`TcpListener::local_addr`] tells.
    fn listen_tcp(&self, on: SocketAddr) -> BoxFuture<'static, io::Result<TcpListener>>;

    /// Binds a UDP socket. Port 0 lets the system choose; [`UdpSocket::local_addr`] tells.
    fn bind_udp(&self, on: SocketAddr, port: UdpPort) -> io::Result<UdpSocket>;
}
