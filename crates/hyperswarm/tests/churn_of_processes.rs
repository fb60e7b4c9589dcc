//! A short soak: real nodes, each a process, are killed and replaced, and whoever announces is found.
//! `cargo xtask soak` is the long one.
#![allow(clippy::unwrap_used)]

use std::process::Command;

mod common;

#[test]
fn nodes_that_are_killed_and_replaced_leave_a_network_that_works() {
    let soak = common::example("soak");
    let output = Command::new(soak)
        .args(["--nodes", "20", "--rounds", "8", "--pause", "0"])
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    println!("{words}");
    assert!(output.status.success(), "{words}{errors}");
    assert!(words.contains("8 nodes killed"), "{words}");
    assert!(words.ends_with("verdict: passed\n"), "{words}");
}
