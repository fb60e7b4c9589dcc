//! A node of the DHT on a loopback socket, and a second one that finds what the first announced.
//!
//! `cargo run -p hyperswarm-dht --example on_a_socket`
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // an example has a clock and sockets

use std::error::Error;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use hyperswarm_dht::{AnnounceOptions, Config, Dht, Event, Id, LookupOptions, Timestamp};

/// A node and what surrounds it.
struct Node {
    dht: Dht,
    socket: UdpSocket,
}

impl Node {
    /// Sends what waits, and takes what has come within a few milliseconds.
    fn turn(&mut self, start: Instant) -> Result<Vec<Event>, Box<dyn Error>> {
        let now = || Timestamp::from(start.elapsed());
        self.dht.handle_timeout(now());
        while let Some(transmit) = self.dht.poll_transmit() {
            self.socket.send_to(&transmit.bytes, transmit.to)?;
        }
        let mut buffer = [0; 2048];
        if let Ok((length, from)) = self.socket.recv_from(&mut buffer) {
            self.dht.handle_datagram(now(), from, &buffer[..length]);
        }
        Ok(std::iter::from_fn(|| self.dht.poll_event()).collect())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let mut nodes = Vec::new();
    let mut bootstrap = Vec::new();
    for seed in 0..4 {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        // In earnest, wait for the socket or for `poll_timeout`, whichever comes first.
        socket.set_read_timeout(Some(Duration::from_millis(5)))?;
        let mut config = Config::default();
        config.ephemeral = false;
        config.bootstrap.clone_from(&bootstrap);
        if let SocketAddr::V4(address) = socket.local_addr()? {
            bootstrap.push(address);
        }
        // In earnest, seeds are random.
        let mut dht = Dht::new(config, [seed; 32], Timestamp::from(start.elapsed()));
        dht.bootstrap(Timestamp::from(start.elapsed()));
        nodes.push(Node { dht, socket });
    }
    let topic = Id::from_bytes([7; 32]);
    let mut announced = None;
    while start.elapsed() < Duration::from_secs(10) {
        for at in 0..nodes.len() {
            for event in nodes[at].turn(start)? {
                let now = Timestamp::from(start.elapsed());
                match event {
                    Event::Ready { nodes: known } if at == 3 => {
                        println!("ready, {known} nodes known");
                        let options = AnnounceOptions::default();
                        announced = Some(nodes[at].dht.announce(now, topic, options));
                    }
                    Event::Done { query, result } if Some(query) == announced => {
                        println!("announced at {} nodes", result?.stored);
                        nodes[0].dht.lookup(now, topic, LookupOptions::default());
                    }
                    Event::Peers { peers, .. } if at == 0 => {
                        println!("{} says that {:?} have it", peers.referrer, peers.peers);
                        return Ok(());
                    }
                    _ => {}
                }
            }
        }
    }
    Err("nobody was found".into())
}
