//! A DHT on loopback, of the program's own nodes.

use std::process::Command;

use super::{Background, Ended, Place, command};

/// Nodes of the DHT on loopback, and programs that know no others.
pub(crate) struct Network {
    nodes: Vec<Background>,
    /// Where others begin.
    pub(crate) address: String,
}

impl Network {
    /// One node.
    pub(crate) fn start() -> Self {
        let (node, address) = node("127.0.0.1:1");
        Self {
            nodes: vec![node],
            address,
        }
    }

    /// As many nodes as are needed to agree on how they see somebody, and one more.
    pub(crate) fn of_four() -> Self {
        let mut network = Self::start();
        for _ in 0..3 {
            network.nodes.push(node(&network.address).0);
        }
        network
    }

    /// The node that everybody begins with, without the others.
    pub(crate) fn into_first(mut self) -> Background {
        self.nodes.swap_remove(0)
    }

    /// Starts `hyperdrive share source`, and waits for its link.
    pub(crate) fn share(&self, place: &Place) -> (Background, String) {
        let source = place.path("source");
        let source = source.to_str().expect("a path in UTF-8");
        let args = ["share", source, "--listen", "127.0.0.1:0"];
        let mut sharing = Background::spawn(self.command(place, "author", &args));
        let link = sharing.stdout_line();
        (sharing, link)
    }

    /// Runs a command to its end, with a storage of its own.
    pub(crate) fn run(&self, place: &Place, args: &[&str]) -> Ended {
        Background::spawn(self.command(place, "reader", args)).end()
    }

    /// A command that finds others through these nodes.
    pub(crate) fn command(&self, place: &Place, storage: &str, args: &[&str]) -> Command {
        let mut command = place.command(storage, args);
        command
            .args(["--no-lan", "--bootstrap", &self.address])
            .env_remove("HYPERDRIVE_NO_SWARM");
        command
    }
}

fn node(bootstrap: &str) -> (Background, String) {
    let args = [
        "dht-node",
        "--listen",
        "127.0.0.1:0",
        "--bootstrap",
        bootstrap,
    ];
    let mut node = Background::spawn(command(args));
    let address = node.address();
    (node, address)
}
