//! A peer on the command line, to try a network with.
//!
//! ```text
//! cargo run -p hyperswarm --features utp --example peer -- node 0.0.0.0:49737
//! cargo run -p hyperswarm --features utp --example peer -- announce TOPIC 192.168.1.7:49737
//! cargo run -p hyperswarm --features utp --example peer -- lookup TOPIC 192.168.1.7:49737
//! cargo run -p hyperswarm --features utp --example peer -- status 192.168.1.7:49737
//! ```
//!
//! `node` is a node of the DHT that the others begin with; further ones name one that is there already.
//! Who announces echoes what it is sent; who looks up says hello to everybody it finds and ends with
//! the first echo. `status` tells how others see us as soon as enough of them have. TOPIC is any text.

use std::net::SocketAddrV4;
use std::sync::Arc;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use hypercore_runtime::{Runtime, Tokio};
use hyperswarm::{
    Connection, JoinOptions, Node, NodeConfig, Reach, Side, Swarm, SwarmConfig, SwarmEvent,
};

type Done = Result<(), Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Done {
    let runtime: Arc<dyn Runtime> = Arc::new(Tokio::current());
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["node", listen] => node(runtime, listen.parse()?, None).await,
        ["node", listen, known] => node(runtime, listen.parse()?, Some(known.parse()?)).await,
        [role @ ("announce" | "lookup"), topic, bootstrap] => {
            peer(runtime, *role == "announce", topic, bootstrap.parse()?).await
        }
        ["status", bootstrap] => status(runtime, bootstrap.parse()?).await,
        _ => Err(
            "expected `node ADDR:PORT [ADDR:PORT]`, `announce|lookup TOPIC ADDR:PORT` or \
                  `status ADDR:PORT`"
                .into(),
        ),
    }
}

async fn node(
    runtime: Arc<dyn Runtime>,
    listen: SocketAddrV4,
    known: Option<SocketAddrV4>,
) -> Done {
    let mut config = NodeConfig::default();
    config.listen = listen;
    config.dht.ephemeral = false;
    config.dht.bootstrap.extend(known);
    let node = Node::bind(runtime, config)?;
    node.ready().await?;
    println!("listening on {}", node.local_addr());
    std::future::pending().await
}

async fn status(runtime: Arc<dyn Runtime>, bootstrap: SocketAddrV4) -> Done {
    let mut config = NodeConfig::default();
    config.dht.bootstrap = vec![bootstrap];
    let node = Node::bind(runtime, config)?;
    let events = node.events();
    while node.status().reach == Reach::Unknown {
        events.recv().await?;
    }
    let status = node.status();
    let observed = status.observed.map(|it| it.ip);
    println!("{:?} {observed:?}", status.reach);
    node.close().await;
    Ok(())
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
    tokio::spawn(tell(swarm.events()));
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

async fn tell(events: async_channel::Receiver<SwarmEvent>) {
    while let Ok(event) = events.recv().await {
        match event {
            SwarmEvent::Found { address, .. } => println!("found {address}"),
            SwarmEvent::DialFailed { address, error } => println!("{address}: {error}"),
            _ => {}
        }
    }
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
