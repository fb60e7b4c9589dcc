//! Our side of the log workloads of `cargo xtask bench-compare`; `benches/node/peer.js` is the
//! other one and takes the same arguments.
//!
//! ```text
//! bench-peer append DIR COUNT SIZE        append blocks to a fresh log, one by one
//! bench-peer append-batch DIR COUNT SIZE  append them in one call
//! bench-peer serve-log DIR                serve a log on TCP
//! bench-peer fetch-log DIR KEY PORT COUNT download all of it
//! ```
//!
//! Prints one JSON line when done; a server prints where it listens and ends with its standard
//! input. What was written is durable before the clock stops.

use std::env;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use hypercore::{Feed, Hypercore, Options};
use hypercore_crypto::{KeyPair, PublicKey};
use hypercore_protocol::Role;
use hypercore_replication::{Config, FeedSet, replicate};
use hypercore_runtime::{Runtime, TcpStream, Tokio};
use hypercore_storage::DiskDir;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["append", dir, count, size] => append(dir, count.parse()?, size.parse()?, false),
        ["append-batch", dir, count, size] => append(dir, count.parse()?, size.parse()?, true),
        ["serve-log", dir] => on_tokio(serve(dir)),
        ["fetch-log", dir, key, port, count] => {
            on_tokio(fetch(dir, key, port.parse()?, count.parse()?))
        }
        _ => bail!("the comments in bench-peer.rs say what it takes"),
    }
}

fn append(dir: &str, count: u32, size: usize, batch: bool) -> Result<()> {
    let log = open(dir, Options::new().key_pair(pair()))?;
    let blocks: Vec<_> = (0..count).map(|i| block(i, size)).collect();
    let start = Instant::now();
    if batch {
        log.append_batch(&blocks)?;
    } else {
        for block in &blocks {
            log.append(block)?;
        }
    }
    log.flush()?;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        r#"{{"seconds": {seconds}, "key": "{}"}}"#,
        hex::encode(pair().public.as_bytes())
    );
    log.close()?;
    Ok(())
}

async fn serve(dir: &str) -> Result<()> {
    let log = open(dir, Options::new())?;
    let runtime: Arc<dyn Runtime> = Arc::new(Tokio::current());
    let listener = runtime.listen_tcp("127.0.0.1:0".parse()?).await?;
    let key = hex::encode(log.public_key().as_bytes());
    println!(
        r#"{{"port": {}, "key": "{key}"}}"#,
        listener.local_addr().port()
    );
    let connections = {
        let runtime = runtime.clone();
        async move {
            while let Ok(stream) = listener.accept().await {
                runtime.spawn(connection(stream, Role::Responder, &log, runtime.clone()));
            }
        }
    };
    runtime.spawn(Box::pin(connections));
    tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

async fn fetch(dir: &str, key: &str, port: u16, count: u64) -> Result<()> {
    let key = hex::decode(key)?
        .try_into()
        .ok()
        .context("a key has 32 bytes")?;
    let log = open(dir, Options::new().key(PublicKey::from_bytes(key)))?;
    let runtime: Arc<dyn Runtime> = Arc::new(Tokio::current());
    let start = Instant::now();
    let stream = runtime.connect_tcp(([127, 0, 0, 1], port).into()).await?;
    runtime.spawn(connection(stream, Role::Initiator, &log, runtime.clone()));
    log.wait_longer_than(count - 1).await?;
    log.download(0..count).await?;
    log.flush()?;
    println!(r#"{{"seconds": {}}}"#, start.elapsed().as_secs_f64());
    Ok(())
}

/// One connection that replicates one log, as a task.
fn connection(
    stream: TcpStream,
    role: Role,
    log: &Feed,
    runtime: Arc<dyn Runtime>,
) -> hypercore_runtime::BoxFuture<'static, ()> {
    let source = Arc::new(FeedSet::from_iter([log.clone()]));
    Box::pin(async move {
        if let Err(error) = replicate(stream, role, source, runtime, Config::default()).await {
            eprintln!("connection: {error}");
        }
    })
}

fn open(dir: &str, options: Options) -> Result<Feed> {
    let dir = Arc::new(DiskDir::new(Path::new(dir)));
    Ok(Feed::new(Hypercore::open(dir, options)?))
}

/// Block `i`: `size` bytes that begin with its number.
fn block(i: u32, size: usize) -> Vec<u8> {
    let mut block = vec![i.to_le_bytes()[0]; size];
    block[..4].copy_from_slice(&i.to_le_bytes());
    block
}

fn pair() -> KeyPair {
    KeyPair::from_seed(&[1; 32])
}

fn on_tokio(future: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(future)
}
