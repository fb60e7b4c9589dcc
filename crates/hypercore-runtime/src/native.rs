use std::io;
use std::sync::Arc;

use crate::{Duplex, Runtime};

/// A stream as tokio or async-std makes it, which brings along what it runs on.
///
/// Implemented for the TCP and Unix sockets of both, behind the runtimes' features.
pub trait NativeStream: Send {
    /// The same stream under the traits of `futures-io`, and its runtime. A TCP socket sends without
    /// delay from now on.
    ///
    /// # Panics
    ///
    /// For a stream of tokio, outside of a tokio runtime.
    fn adopt(self) -> io::Result<(Box<dyn Duplex>, Arc<dyn Runtime>)>;
}
