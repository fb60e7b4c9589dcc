//! Two peers behind two NATs connect directly, wherever that is possible. The NATs are the kernel's
//! own, in network namespaces that exist for the test alone (`tests/nat/lab.sh`).
#![cfg(all(target_os = "linux", feature = "utp"))]
#![allow(clippy::unwrap_used)]

use std::env;
use std::path::Path;
use std::thread;

use testkit::{in_namespaces, namespaces_work};

mod common;

/// The kind of the NAT before the peer that announces, of that before the peer that dials, and
/// whether they can meet. Behind two of which one is symmetric and the other minds ports, nobody
/// can know the port that has to be dialled.
const MATRIX: [(&str, &str, bool); 9] = [
    ("full-cone", "full-cone", true),
    ("full-cone", "port-restricted", true),
    ("full-cone", "symmetric", true),
    ("port-restricted", "full-cone", true),
    ("port-restricted", "port-restricted", true),
    ("port-restricted", "symmetric", false),
    ("symmetric", "full-cone", true),
    ("symmetric", "port-restricted", false),
    ("symmetric", "symmetric", false),
];

#[test]
fn peers_behind_two_nats_meet_wherever_that_is_possible() {
    if !namespaces_work() {
        // Said where a person reads it; where nobody does, nothing may be left out.
        assert!(env::var_os("CI").is_none(), "this machine makes no NATs");
        println!("left out: this machine makes no network namespaces, or has no nft");
        return;
    }
    let peer = common::example("peer");
    let cases = MATRIX.map(|(a, b, expected)| {
        let peer = peer.clone();
        let case = thread::spawn(move || reached(&peer, a, b, expected));
        (a, b, expected, case)
    });
    let mut wrong = Vec::new();
    for (a, b, expected, case) in cases {
        let (reached, words) = case.join().unwrap();
        println!("{a:16} {b:16} {}", if reached { "direct" } else { "-" });
        if reached != expected {
            wrong.push(format!("{a} and {b}:\n{words}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether the two meet, and what was said.
fn reached(peer: &Path, a: &str, b: &str, expected: bool) -> (bool, String) {
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nat/lab.sh");
    // Whoever can meet does so within a second, if the machine is not busy. Those who cannot get time
    // for one attempt with all its repetitions.
    let patience = if expected { "60" } else { "12" };
    let mut command = in_namespaces();
    command.arg(lab).arg(peer);
    command.arg(peer).arg(a).arg(peer).args([b, patience]);
    let output = command.output().unwrap();
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{a} and {b}: {errors}");
    // Who did not even find the other has proved nothing.
    assert!(words.contains("found"), "{a} and {b}: {words}{errors}");
    let is_direct = words.contains("Dialled Utp") && words.contains("echoed");
    (is_direct, words + &errors)
}

/// Which NAT is in between is seen from what others say.
#[test]
fn a_node_tells_which_nat_it_is_behind() {
    if !namespaces_work() {
        assert!(env::var_os("CI").is_none(), "this machine makes no NATs");
        println!("left out: this machine makes no network namespaces, or has no nft");
        return;
    }
    let peer = common::example("peer");
    for (kind, expected) in [
        ("none", "Direct"),
        ("full-cone", "Punchable"),
        ("port-restricted", "Punchable"),
        ("symmetric", "Symmetric"),
    ] {
        let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nat/lab.sh");
        let mut command = in_namespaces();
        let output = command.arg(lab).arg(&peer).arg(&peer).arg(kind).output();
        let output = output.unwrap();
        let words = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        println!("{kind:16} {words}");
        let expected = format!("{expected} Some(198.51.100.11)\n");
        assert_eq!(words, expected, "{kind}: {errors}");
    }
}
