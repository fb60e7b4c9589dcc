//! What the Hypercore crates need of an async runtime: a clock, timers, tasks, TCP and UDP.
//!
//! The trait [`Runtime`] is object-safe, so that it travels as `Arc<dyn Runtime>` and leaves no type
//! parameter in the crates above. Two adapters come with it, each behind a feature of its own:
//! `Tokio` (feature `tokio`) and `AsyncStd` (feature `async-std`). Streams speak the traits of
//! `futures-io` whatever runtime carries them. This is the only library crate that names a runtime;
//! it knows no protocol.
//!
//! ```
//! # #[cfg(feature = "tokio")] {
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use hypercore_runtime::{Runtime, Tokio};
//!
//! let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
//! tokio.block_on(async {
//!     let runtime: Arc<dyn Runtime> = Arc::new(Tokio::current());
//!     let before = runtime.now();
//!     runtime.sleep(Duration::from_millis(1)).await;
//!     assert!(runtime.now() - before >= Duration::from_millis(1));
//! });
//! # }
//! ```

mod native;
mod runtime;
mod tcp;
mod udp;

#[cfg(feature = "async-std")]
mod async_std;
#[cfg(feature = "tokio")]
mod tokio;

pub use native::NativeStream;
pub use runtime::{BoxFuture, Runtime};
pub use tcp::{Accept, Duplex, TcpListener, TcpStream};
pub use udp::{Datagrams, MULTICAST_TTL, UdpPort, UdpSocket};

#[cfg(feature = "async-std")]
pub use crate::async_std::AsyncStd;
#[cfg(feature = "tokio")]
pub use crate::tokio::Tokio;
