//! Swarms that meet over uTP alone.

use std::io;
use std::net::SocketAddrV4;
use std::sync::Arc;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use hypercore_runtime::{Accept, BoxFuture, Runtime, TcpListener, TcpStream};
use hyperswarm::{Carrier, Connection, JoinOptions, Node, Swarm};

use super::{dht_only, persistent};

pub(crate) const TOPIC: [u8; 32] = [7; 32];

/// Two swarms and the two ends of a connection between them. The swarms live as long as the value.
pub(crate) struct Pair {
    pub(crate) dialled: Connection,
    pub(crate) accepted: Connection,
    pub(crate) _alive: (Node, Swarm, Swarm),
}

impl Pair {
    /// Whoever accepts is on the first runtime, who dials on the second one.
    pub(crate) async fn meet(accepts: &Arc<dyn Runtime>, dials: &Arc<dyn Runtime>) -> Self {
        let bootstrap = persistent(accepts, &[]);
        let at = [bootstrap.local_addr()];
        let server = announced(accepts, &at).await;
        let client = Swarm::bind(dials.clone(), dht_only(&at)).await.unwrap();
        let lookup = JoinOptions {
            announce: false,
            lookup: true,
        };
        client.join(TOPIC, lookup);
        let mut dialled = client.accept().await.unwrap();
        assert_eq!(dialled.info().carrier, Carrier::Utp);
        // With uTP who dialled speaks first.
        dialled.write_all(b"hello").await.unwrap();
        let mut accepted = server.accept().await.unwrap();
        accepted.read_exact(&mut [0; 5]).await.unwrap();
        Self {
            dialled,
            accepted,
            _alive: (bootstrap, server, client),
        }
    }
}

/// A swarm that is announced, and that nobody reaches over TCP.
pub(crate) async fn announced(runtime: &Arc<dyn Runtime>, at: &[SocketAddrV4]) -> Swarm {
    let listener = runtime.listen_tcp(super::loopback().into()).await.unwrap();
    let local = listener.local_addr();
    drop(listener);
    let deaf = TcpListener::new(Box::new(Deaf), local);
    let swarm = Swarm::with_listener(runtime.clone(), deaf, dht_only(at)).unwrap();
    let announce = JoinOptions {
        announce: true,
        lookup: false,
    };
    swarm.join(TOPIC, announce);
    swarm.flush().await;
    swarm
}

/// Listens nowhere.
#[derive(Debug)]
struct Deaf;

impl Accept for Deaf {
    fn accept(&self) -> BoxFuture<'_, io::Result<TcpStream>> {
        Box::pin(std::future::pending())
    }
}
