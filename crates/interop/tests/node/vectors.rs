//! The vectors that the crates are tested with are what the Node packages still say: each generator
//! in `vectors/` makes every section of the JSON files that are committed under its name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use interop::Node;
use serde_json::{Map, Value};

#[test]
fn hypercore() {
    check("hypercore");
}

#[test]
fn hypertrie() {
    check("hypertrie");
}

#[test]
fn protocol() {
    check("protocol");
}

#[test]
fn hyperdrive() {
    check("hyperdrive");
}

#[test]
fn hyperswarm() {
    check("hyperswarm");
}

#[track_caller]
fn check(name: &str) {
    let copies = copies(name);
    assert!(!copies.is_empty(), "no crate has tests/vectors/{name}.json");
    let generator = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("vectors/{name}.js"));
    let made = Node::command()
        .arg(generator)
        .stderr(Stdio::inherit())
        .output();
    let made = made.expect("node starts");
    assert!(
        made.status.success(),
        "the generator ended with {}",
        made.status
    );
    let made: Map<String, Value> = serde_json::from_slice(&made.stdout).expect("it prints JSON");
    for copy in copies {
        let committed = fs::read(&copy).expect("the vectors can be read");
        let committed: Map<String, Value> = serde_json::from_slice(&committed).expect("JSON");
        for (section, vectors) in &committed {
            let same = made.get(section) == Some(vectors);
            assert!(same, "{}: {section} is not what Node makes", copy.display());
        }
    }
}

/// Every crate's copy of the vectors of this name.
fn copies(name: &str) -> Vec<PathBuf> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("crates lie in crates/");
    let listing = fs::read_dir(crates).expect("the crates can be listed");
    let files = listing.map(|entry| {
        let directory = entry.expect("the crates can be listed").path();
        directory.join(format!("tests/vectors/{name}.json"))
    });
    files.filter(|file| file.is_file()).collect()
}
