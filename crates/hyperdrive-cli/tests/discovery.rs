//! A link is enough: whoever shares and whoever reads find each other through a node of the DHT.

mod common;

use common::{Background, Ended, Place, command, sample, tree};

#[test]
fn share_and_clone_find_each_other_by_link_alone() {
    let network = Network::start();
    let place = Place::new();
    sample(&place.folder("source"));
    let (_sharing, link) = network.share(&place);
    network.run(&place, &["clone", &link, "copy"]).expect(0);
    assert_eq!(tree(&place.path("copy")), tree(&place.path("source")));
}

#[test]
fn a_file_is_read_by_link_alone() {
    let network = Network::start();
    let place = Place::new();
    sample(&place.folder("source"));
    let (_sharing, link) = network.share(&place);
    let listed = network.run(&place, &["ls", &link]).expect(0).text();
    assert!(listed.lines().any(|line| line == "hello.txt"), "{listed}");
}

#[test]
fn a_seed_is_found_when_the_author_is_gone() {
    let network = Network::start();
    let place = Place::new();
    sample(&place.folder("source"));
    let (sharing, link) = network.share(&place);
    let args = ["seed", &link, "--listen", "127.0.0.1:0"];
    let mut seed = Background::spawn(network.command(&place, "seed", &args));
    seed.stderr_with("complete at version");
    sharing.interrupt();
    sharing.end().expect(130);
    network.run(&place, &["clone", &link, "copy"]).expect(0);
    assert_eq!(tree(&place.path("copy")), tree(&place.path("source")));
}

#[test]
fn a_drive_that_nobody_has_is_told() {
    let network = Network::start();
    let place = Place::new();
    let link = format!("hyper://{}/", "7".repeat(64));
    let args = ["clone", &link, "copy", "--timeout", "2"];
    let ended = network.run(&place, &args).expect(5);
    ended.tells("nobody found");
}

#[test]
fn a_node_of_the_dht_ends_when_asked() {
    let network = Network::start();
    network.node.interrupt();
    network.node.end().expect(130);
}

/// A node of the DHT on loopback, and programs that know no other.
struct Network {
    node: Background,
    address: String,
}

impl Network {
    fn start() -> Self {
        let args = [
            "dht-node",
            "--listen",
            "127.0.0.1:0",
            "--bootstrap",
            "127.0.0.1:1",
        ];
        let mut node = Background::spawn(command(args));
        let address = node.address();
        Self { node, address }
    }

    fn share(&self, place: &Place) -> (Background, String) {
        let source = place.path("source");
        let source = source.to_str().expect("a path in UTF-8");
        let args = ["share", source, "--listen", "127.0.0.1:0"];
        let mut sharing = Background::spawn(self.command(place, "author", &args));
        let link = sharing.stdout_line();
        (sharing, link)
    }

    fn run(&self, place: &Place, args: &[&str]) -> Ended {
        Background::spawn(self.command(place, "reader", args)).end()
    }

    fn command(&self, place: &Place, storage: &str, args: &[&str]) -> std::process::Command {
        let mut command = place.command(storage, args);
        command
            .args(["--no-lan", "--bootstrap", &self.address])
            .env_remove("HYPERDRIVE_NO_SWARM");
        command
    }
}
