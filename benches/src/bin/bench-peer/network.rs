//! Logs over TCP on loopback, with every byte counted.

use std::io::{self, IoSlice, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use anyhow::Result;
use futures_io::{AsyncRead, AsyncWrite};
use hypercore_crypto::PublicKey;
use hypercore_protocol::{Protection, Role, Unprotected};
use hypercore_replication::{Config, FeedSource, replicate};
use hypercore_runtime::{Runtime, TcpStream, Tokio};
use serde_json::json;

use crate::args::Args;
use crate::meter::{Meter, Metrics, float, memory_mib};

/// Bytes that went over connections.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    received: AtomicU64,
    sent: AtomicU64,
}

impl Traffic {
    pub(crate) fn total(&self) -> u64 {
        self.received.load(Ordering::Relaxed) + self.sent.load(Ordering::Relaxed)
    }

    /// Adds what the fetching side saw. `payload` is what it wanted.
    pub(crate) fn add_to(&self, metrics: Metrics, payload: Option<u64>) -> Metrics {
        let received = self.received.load(Ordering::Relaxed);
        let sent = self.sent.load(Ordering::Relaxed);
        let metrics = metrics
            .with("bytes_in", float(received))
            .with("bytes_out", float(sent));
        match payload {
            Some(payload) => {
                let overhead = (float(received + sent) / float(payload) - 1.0) * 100.0;
                metrics.with("wire_overhead_pct", overhead)
            }
            None => metrics,
        }
    }
}

/// Serves until standard input ends.
pub(crate) async fn serve(args: &Args, key: PublicKey, source: Arc<dyn FeedSource>) -> Result<()> {
    let runtime: Arc<dyn Runtime> = Arc::new(Tokio::current());
    let listener = runtime.listen_tcp("127.0.0.1:0".parse()?).await?;
    let port = listener.local_addr().port();
    let key = hex::encode(key.as_bytes());
    let traffic = Arc::new(Traffic::default());
    let meter = Meter::start();
    println!("{}", json!({ "ready": true, "port": port, "key": key }));
    let config = config(args);
    let accepting = {
        let (runtime, traffic) = (runtime.clone(), traffic.clone());
        async move {
            while let Ok(stream) = listener.accept().await {
                let side = (Role::Responder, source.clone(), config.clone());
                run(&runtime, stream, traffic.clone(), side);
            }
        }
    };
    runtime.spawn(Box::pin(accepting));
    tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await??;
    Metrics::default()
        .with("server_cpu_s", meter.read().cpu_s)
        .with("server_peak_rss_mib", memory_mib("VmHWM:"))
        .with(
            "server_bytes_out",
            float(traffic.sent.load(Ordering::Relaxed)),
        )
        .print();
    Ok(())
}

/// Connects to who serves at `port`.
pub(crate) async fn dial(args: &Args, source: Arc<dyn FeedSource>) -> Result<Arc<Traffic>> {
    let runtime: Arc<dyn Runtime> = Arc::new(Tokio::current());
    let port: u16 = args.number("port")?;
    let stream = runtime.connect_tcp(([127, 0, 0, 1], port).into()).await?;
    let traffic = Arc::new(Traffic::default());
    let side = (Role::Initiator, source, config(args));
    run(&runtime, stream, traffic.clone(), side);
    Ok(traffic)
}

/// What one end of a connection is.
type Side = (Role, Arc<dyn FeedSource>, Config);

fn run(
    runtime: &Arc<dyn Runtime>,
    stream: TcpStream,
    traffic: Arc<Traffic>,
    (role, source, config): Side,
) {
    let stream = Counted { stream, traffic };
    let clock = runtime.clone();
    runtime.spawn(Box::pin(async move {
        if let Err(error) = replicate(stream, role, source, clock, config).await {
            eprintln!("connection: {error}");
        }
    }));
}

fn config(args: &Args) -> Config {
    let mut config = Config::default();
    if !args.is_on("encrypted", true) {
        let on_purpose = Unprotected::readable_by_anybody_on_the_way();
        config.protocol.protection = Protection::Plain(on_purpose);
    }
    config
}

/// A stream that counts.
struct Counted {
    stream: TcpStream,
    traffic: Arc<Traffic>,
}

fn count(counter: &AtomicU64, done: &Poll<io::Result<usize>>) {
    if let Poll::Ready(Ok(bytes)) = done {
        counter.fetch_add(*bytes as u64, Ordering::Relaxed);
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_read(cx, buffer);
        count(&self.traffic.received, &done);
        done
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, buffer);
        count(&self.traffic.sent, &done);
        done
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(cx, buffers);
        count(&self.traffic.sent, &done);
        done
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
