//! One piece of code on whatever runtime the program runs on: a greeting over TCP, with a limit on
//! how long it may take.
//!
//! `cargo run -p hypercore-runtime --features tokio,async-std --example greeting`

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::{block_on, or};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use hypercore_runtime::{AsyncStd, Runtime, Tokio};

pub(crate) fn main() -> io::Result<()> {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let runtimes: [Arc<dyn Runtime>; 2] = [
        Arc::new(Tokio::new(tokio.handle().clone())),
        Arc::new(AsyncStd::new()),
    ];
    for runtime in runtimes {
        let before = runtime.now();
        let heard = block_on(greet(runtime.clone()))?;
        let took = runtime.now() - before;
        println!("{heard:?} on {runtime:?} after {took:?}");
    }
    Ok(())
}

/// Knows no runtime by name: a crate that is written like this works on both.
async fn greet(runtime: Arc<dyn Runtime>) -> io::Result<String> {
    let listener = runtime.listen_tcp(([127, 0, 0, 1], 0).into()).await?;
    let address = listener.local_addr();
    runtime.spawn(Box::pin(async move {
        if let Ok(mut stream) = listener.accept().await {
            // The caller sees the connection end if this fails.
            let _ = stream.write_all(b"hello").await;
            let _ = stream.close().await;
        }
    }));
    let listen = async {
        let mut stream = runtime.connect_tcp(address).await?;
        let mut heard = String::new();
        stream.read_to_string(&mut heard).await?;
        Ok(heard)
    };
    let late = async {
        runtime.sleep(Duration::from_secs(10)).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    or(listen, late).await
}
