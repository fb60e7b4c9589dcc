//! Three parties in one process, on loopback: a node that everybody knows, and two swarms that meet
//! through it by a topic. `cargo run -p hyperswarm --example meet`

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use hypercore_runtime::{Runtime, Tokio};
use hyperswarm::{JoinOptions, Node, NodeConfig, Swarm, SwarmConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime: Arc<dyn Runtime> = Arc::new(Tokio::current());
    let loopback = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);

    let mut config = NodeConfig::default();
    config.listen = loopback;
    config.dht.ephemeral = false;
    let known = Node::bind(runtime.clone(), config)?;

    let mut config = SwarmConfig::default();
    config.listen = loopback;
    config.use_lan = false;
    config.dht.bootstrap = vec![known.local_addr()];
    let alice = Swarm::bind(runtime.clone(), config.clone()).await?;
    let bob = Swarm::bind(runtime, config).await?;

    let topic = *b"any 32 bytes that both know of..";
    alice.join(topic, JoinOptions::default());
    alice.flush().await;
    bob.join(topic, JoinOptions::default());

    let mut to_alice = bob.accept().await.ok_or("closed")?;
    to_alice.write_all(b"hello, whoever you are").await?;
    to_alice.close().await?;
    let mut from_bob = alice.accept().await.ok_or("closed")?;
    let mut text = String::new();
    from_bob.read_to_string(&mut text).await?;
    println!("{}: {text}", from_bob.info().remote);

    alice.close().await;
    bob.close().await;
    Ok(())
}
