//! Whoever shares and whoever reads find each other in BitTorrent's DHT, when both are told to look there.
//!
//! Addresses of loopback are nobody's there, so it is tried in a network namespace with an address
//! that could be anywhere.
#![cfg(target_os = "linux")]

mod common;

use std::env;
use std::net::Ipv4Addr;
use std::process::Command;

use common::{Background, Ended, Place, sample, tree};
use mainline::Testnet;
use testkit::{in_namespaces, namespaces_work};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

/// Set for the test when it runs in its namespace.
const INSIDE: &str = "HYPERDRIVE_TEST_INSIDE";

#[test]
fn share_and_clone_find_each_other_in_the_mainline_dht() {
    if env::var_os(INSIDE).is_some() {
        return meet();
    }
    if !namespaces_work() {
        assert!(env::var_os("CI").is_none(), "no network namespaces here");
        println!("left out: this machine makes no network namespaces, or has no nft");
        return;
    }
    let network = format!(
        "ip link set lo up && ip addr add {ADDRESS}/32 dev lo && exec \"$0\" --exact --nocapture \"$1\""
    );
    let output = in_namespaces()
        .args(["sh", "-c", &network])
        .arg(env::current_exe().expect("this program has a path"))
        .arg("share_and_clone_find_each_other_in_the_mainline_dht")
        .env(INSIDE, "1")
        .output()
        .expect("unshare starts");
    let words = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}{errors}");
    assert!(words.contains("1 passed"), "{words}{errors}");
}

fn meet() {
    let others = Testnet::builder(10).bind_address(ADDRESS).build();
    let others = others.expect("ten nodes of the DHT");
    let place = Place::new();
    sample(&place.folder("source"));
    let source = place.path("source");
    let source = source.to_str().expect("a path in UTF-8");
    let mut sharing = Background::spawn(command(&place, "author", &["share", source], &others));
    let link = sharing.stdout_line();

    let copy = ["clone", &link, "copy"];
    let ended: Ended = Background::spawn(command(&place, "reader", &copy, &others)).end();
    ended.expect(0);
    assert_eq!(tree(&place.path("copy")), tree(&place.path("source")));
}

/// Looks for peers there and nowhere else: no node of the Hyperswarm DHT answers.
fn command(place: &Place, storage: &str, args: &[&str], others: &Testnet) -> Command {
    let mut command = place.command(storage, args);
    command
        .args(["--no-lan", "--bootstrap", "127.0.0.1:1"])
        .arg(format!("--mainline={}", others.bootstrap.join(",")))
        .env_remove("HYPERDRIVE_NO_SWARM");
    command
}
