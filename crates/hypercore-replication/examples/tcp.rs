//! Serves a log of generated blocks over TCP, or fetches one. The other end may be Node:
//!
//! ```text
//! cargo run --release -p hypercore-replication --example tcp -- serve 127.0.0.1:7000 1000 512
//! cargo run --release -p hypercore-replication --example tcp -- fetch 127.0.0.1:7000 <key> 1000
//! ```

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use hypercore::{Feed, Hypercore, Options};
use hypercore_crypto::KeyPair;
use hypercore_protocol::Role;
use hypercore_replication::{Config, FeedSet, replicate};
use hypercore_runtime::{Runtime, Tokio};
use hypercore_storage::MemoryDir;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let runtime: Arc<dyn Runtime> = Arc::new(Tokio::current());
    match args[..] {
        ["serve", address, blocks, bytes] => {
            serve(runtime, address, blocks.parse()?, bytes.parse()?).await
        }
        ["fetch", address, key, blocks] => fetch(runtime, address, key, blocks.parse()?).await,
        _ => Err("usage: serve ADDRESS BLOCKS BYTES | fetch ADDRESS KEY BLOCKS".into()),
    }
}

async fn serve(
    runtime: Arc<dyn Runtime>,
    address: &str,
    blocks: u64,
    bytes: usize,
) -> Result<(), Box<dyn Error>> {
    let options = Options::new().key_pair(KeyPair::from_seed(&[7; 32]));
    let feed = Feed::new(Hypercore::open(Arc::new(MemoryDir::new()), options)?);
    let all: Vec<u64> = (0..blocks).collect();
    for batch in all.chunks(1000) {
        let batch: Vec<Vec<u8>> = batch.iter().map(|index| block(*index, bytes)).collect();
        feed.append_batch(&batch)?;
    }
    let listener = runtime.listen_tcp(address.parse()?).await?;
    println!("{} on {}", feed.public_key(), listener.local_addr());
    let source = Arc::new(FeedSet::from_iter([feed]));
    loop {
        let stream = listener.accept().await?;
        let (source, runtime) = (source.clone(), runtime.clone());
        let task = replicate(
            stream,
            Role::Responder,
            source,
            runtime.clone(),
            Config::default(),
        );
        runtime.spawn(Box::pin(async move {
            match task.await {
                Ok(summary) => println!("{summary:?}"),
                Err(error) => println!("{error}: {:?}", error.source()),
            }
        }));
    }
}

async fn fetch(
    runtime: Arc<dyn Runtime>,
    address: &str,
    key: &str,
    blocks: u64,
) -> Result<(), Box<dyn Error>> {
    let options = Options::new().key(key.parse()?);
    let feed = Feed::new(Hypercore::open(Arc::new(MemoryDir::new()), options)?);
    let start = Instant::now();
    let stream = runtime.connect_tcp(address.parse()?).await?;
    let source = Arc::new(FeedSet::from_iter([feed.clone()]));
    let task = replicate(
        stream,
        Role::Initiator,
        source,
        runtime.clone(),
        Config::default(),
    );
    let hold = feed.hold_available();
    runtime.spawn(Box::pin(async move {
        let _hold = hold;
        println!("{:?}", task.await);
    }));
    feed.download(0..blocks).await?;
    let (time, bytes) = (start.elapsed(), feed.byte_length());
    println!(
        "{blocks} blocks, {bytes} bytes in {time:?}: {:.1} MiB/s, {:.0} blocks/s",
        bytes as f64 / time.as_secs_f64() / f64::from(1 << 20),
        blocks as f64 / time.as_secs_f64()
    );
    Ok(())
}

/// What block `index` holds: its index, over and over.
fn block(index: u64, bytes: usize) -> Vec<u8> {
    index
        .to_le_bytes()
        .into_iter()
        .cycle()
        .take(bytes)
        .collect()
}
