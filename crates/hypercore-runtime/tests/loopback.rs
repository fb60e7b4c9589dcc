//! The same checks over every adapter: bytes cross a loopback connection, timers wait, tasks run.
#![cfg(any(feature = "tokio", feature = "async-std"))]
#![allow(clippy::unwrap_used)]

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::{block_on, or};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use hypercore_runtime::Runtime;

#[cfg(feature = "tokio")]
mod tokio_adapter {
    use hypercore_runtime::Tokio;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn echoes() {
        echo(Arc::new(Tokio::current())).await;
    }

    #[tokio::test]
    async fn waits() {
        wait(Arc::new(Tokio::current())).await;
    }

    #[tokio::test]
    async fn refuses() {
        refuse(Arc::new(Tokio::current())).await;
    }

    #[test]
    fn works_outside_of_the_runtime() {
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        block_on(echo(Arc::new(Tokio::new(tokio.handle().clone()))));
    }

    #[test]
    fn accepts_outside_of_the_runtime() {
        // The listener was once polled without the runtime around it, and tokio panics when a
        // socket is made there.
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let runtime = Tokio::new(tokio.handle().clone());
        block_on(async {
            let listener = runtime.listen_tcp(loopback()).await.unwrap();
            let dialled = runtime.connect_tcp(listener.local_addr()).await.unwrap();
            let accepted = listener.accept().await.unwrap();
            assert_eq!(accepted.peer_addr(), dialled.local_addr());
        });
    }
}

#[cfg(feature = "async-std")]
mod async_std_adapter {
    use hypercore_runtime::AsyncStd;

    use super::*;

    #[test]
    fn echoes() {
        block_on(echo(Arc::new(AsyncStd::new())));
    }

    #[test]
    fn waits() {
        block_on(wait(Arc::new(AsyncStd::new())));
    }

    #[test]
    fn refuses() {
        block_on(refuse(Arc::new(AsyncStd::new())));
    }
}

/// A peer sends a mebibyte, ends its half, and gets the same bytes back.
async fn echo(runtime: Arc<dyn Runtime>) {
    let listener = runtime.listen_tcp(loopback()).await.unwrap();
    let address = listener.local_addr();
    assert_ne!(address.port(), 0);
    runtime.spawn(Box::pin(async move {
        let mut stream = listener.accept().await.unwrap();
        assert_eq!(stream.local_addr(), address);
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        stream.close().await.unwrap();
    }));

    let sent: Vec<u8> = (0..1 << 20).map(|i: u32| i.to_le_bytes()[1]).collect();
    let mut stream = runtime.connect_tcp(address).await.unwrap();
    assert_eq!(stream.peer_addr(), address);
    stream.write_all(&sent).await.unwrap();
    stream.close().await.unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.unwrap();
    assert!(sent == received);
}

/// A timer never ends early, and the clock moves with it.
async fn wait(runtime: Arc<dyn Runtime>) {
    let before = runtime.now();
    or(
        runtime.sleep(Duration::from_secs(3600)),
        runtime.sleep(Duration::from_millis(5)),
    )
    .await;
    let passed = runtime.now() - before;
    assert!(passed >= Duration::from_millis(5), "{passed:?}");
    assert!(passed < Duration::from_secs(3600), "{passed:?}");
}

/// Nobody listens: an error, not a hang.
async fn refuse(runtime: Arc<dyn Runtime>) {
    let listener = runtime.listen_tcp(loopback()).await.unwrap();
    let address = listener.local_addr();
    drop(listener);
    let error = runtime.connect_tcp(address).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}
