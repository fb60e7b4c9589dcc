//! A peer on the command line, to try a network with.
//!
//! ```text
//! cargo run -p hyperswarm --features utp --example peer -- node 0.0.0.0:49737
//! cargo run -p hyperswarm --features utp --example peer -- announce TOPIC 192.168.1.7:49737
//! cargo run -p hyperswarm --features utp --example peer -- lookup TOPIC 192.168.1.7:49737
//! ```
//!
//! `node` is a node of the DHT that the others begin with. Who announces echoes what it is sent; who
//! looks up says hello to everybody it finds and ends with the first echo. TOPIC is any text.

use std::net::SocketAddrV4;
use std::sync::Arc;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use hypercore_runtime::{Runtime, Tokio};
use hyperswarm::{Connection, JoinOptions, Node, NodeConfig, Side, Swarm, SwarmConfig};

type Done = Result<(), Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Done {
    let runtime: Arc<dyn Runtime> = Arc::new(Tokio::current());
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["node", listen] => node(runtime, listen.parse()?).await,
        [role @ ("announce" | "lookup"), topic, bootstrap] => {
            peer(runtime, *role == "announce", topic, bootstrap.parse()?).await
        }
        _ => Err("expected `node ADDR:PORT` or `announce|lookup TOPIC ADDR:PORT`".into()),
    }
}

async fn node(runtime: Arc<dyn Runtime>, listen: SocketAddrV4) -> Done {
    let mut config = NodeConfig::default();
    config.listen = listen;
    config.dht.ephemeral = false;
    let node = Node::bind(runtime, config)?;
    println!("listening on {}", node.local_addr());
    std::future::pending().await
}

async fn peer(
    runtime: Arc<dyn Runtime>,
    announce: bool,
    name: &str,
    bootstrap: SocketAddrV4,
) -> Done {
    let mut config = SwarmConfig::default();
    config.dht.bootstrap = vec![bootstrap];
    config.use_lan = false;
    let swarm = Swarm::bind(runtime, config).await?;
    let mut topic = [0; 32];
    for (place, byte) in topic.iter_mut().zip(name.bytes()) {
        *place = byte;
    }
    let lookup = !announce;
    swarm.join(topic, JoinOptions { announce, lookup });
    if announce {
        swarm.flush().await;
        println!("announced");
    }
    while let Some(connection) = swarm.accept().await {
        let info = connection.info();
        println!("{:?} {:?} {}", info.side, info.carrier, info.remote);
        if info.side == Side::Accepted {
            tokio::spawn(echo(connection));
        } else if greet(connection).await.is_ok() {
            println!("echoed");
            swarm.close().await;
        }
    }
    Ok(())
}

async fn greet(mut connection: Connection) -> std::io::Result<()> {
    connection.write_all(b"hello").await?;
    let mut heard = [0; 5];
    connection.read_exact(&mut heard).await?;
    connection.close().await
}

async fn echo(mut connection: Connection) -> std::io::Result<()> {
    let mut bytes = [0; 1024];
    loop {
        match connection.read(&mut bytes).await? {
            0 => return connection.close().await,
            read => connection.write_all(&bytes[..read]).await?,
        }
        connection.flush().await?;
    }
}
