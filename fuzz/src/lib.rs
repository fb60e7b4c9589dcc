//! Fuzz targets as plain functions of bytes.
//!
//! A target takes any bytes and returns; a panic is a finding, and so is one that takes long. Because
//! they are plain functions, the same code runs under libFuzzer (`fuzz_targets/`), over mutations of
//! the corpus on a stable toolchain (`src/bin/mutate.rs`), and over the committed corpus as an
//! ordinary test (`tests/replay.rs`).
//!
//! What an input means is said at each target. The corpus begins with seeds made from the vectors
//! ([`seed`]); inputs that once broke something stay in it under the name `regression-…`.
#![forbid(unsafe_code)]

mod encode;
mod input;
pub mod mutate;
pub mod plant;
pub mod seed;
pub mod targets;

use std::path::PathBuf;

/// A target: its name and the function.
pub type Target = (&'static str, fn(&[u8]));

/// All targets, by name.
pub const TARGETS: &[Target] = &[
    ("bitfield", targets::bitfield),
    ("dht", targets::dht),
    ("frames", targets::frames),
    ("handshake", targets::handshake),
    ("lan", targets::lan),
    ("link", targets::link),
    ("messages", targets::messages),
    ("proof", targets::proof),
    ("replication", targets::replication),
    ("session", targets::session),
    ("stat", targets::stat),
    ("storage", targets::storage),
    ("trie_lookups", targets::trie_lookups),
    ("trie_node", targets::trie_node),
    ("trie_remote", targets::trie_remote),
    ("trie_walk", targets::trie_walk),
    ("utp", targets::utp),
];

/// The target of a name.
pub fn target(name: &str) -> Option<fn(&[u8])> {
    TARGETS
        .iter()
        .find(|target| target.0 == name)
        .map(|target| target.1)
}

/// Where a target's corpus lies.
pub fn corpus(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name)
}

/// Makes a program of a target. Under cargo-fuzz it is driven by libFuzzer; built otherwise, it runs
/// the target over the files named on its command line, to look at a finding.
#[macro_export]
macro_rules! fuzz_with_libfuzzer {
    ($name:ident) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::targets::$name(data));

        #[cfg(not(fuzzing))]
        fn main() -> std::io::Result<()> {
            for path in std::env::args_os().skip(1) {
                $crate::targets::$name(&std::fs::read(&path)?);
            }
            Ok(())
        }
    };
}
