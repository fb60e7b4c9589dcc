//! Our peers and Node's behind two NATs connect directly, wherever the way in which Node dials allows
//! it. The NATs are the kernel's own, in network namespaces that exist for the test alone.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use interop::Node;
use testkit::{in_namespaces, namespaces_work};

/// The kind of the NAT before the peer that announces, of that before the peer that dials, whether
/// they meet when ours announces and Node dials, and whether when Node announces and ours dials.
///
/// Node dials after the hole punch alone, and only the address that was announced. So it does not
/// reach whoever is behind a symmetric NAT, which has chosen another port for it; ours also dials
/// where the answer came from.
const MATRIX: [Pair; 9] = [
    ("full-cone", "full-cone", true, true),
    ("full-cone", "port-restricted", true, true),
    ("full-cone", "symmetric", true, true),
    ("port-restricted", "full-cone", true, true),
    ("port-restricted", "port-restricted", true, true),
    ("port-restricted", "symmetric", false, false),
    ("symmetric", "full-cone", false, true),
    ("symmetric", "port-restricted", false, false),
    ("symmetric", "symmetric", false, false),
];

type Pair = (&'static str, &'static str, bool, bool);

#[test]
fn node_reaches_ours_behind_two_nats() {
    all_pairs(
        |pair| pair.2,
        |lab, a, b, expected| lab.meet((&lab.ours, a), (&lab.node, b), expected),
    );
}

#[test]
fn ours_reaches_node_behind_two_nats() {
    all_pairs(
        |pair| pair.3,
        |lab, a, b, expected| lab.meet((&lab.node, a), (&lab.ours, b), expected),
    );
}

/// Tries all pairs, as many at once as a small machine starts in good time. Those who cannot meet are
/// tried together, for they do nothing but wait.
fn all_pairs(
    expected: fn(&Pair) -> bool,
    case: fn(&Lab, &str, &str, bool) -> Result<bool, String>,
) {
    if !namespaces_work() {
        // Said where a person reads it; where nobody does, nothing may be left out.
        assert!(env::var_os("CI").is_none(), "this machine makes no NATs");
        println!("left out: this machine makes no network namespaces, or has no nft");
        return;
    }
    let lab = Lab {
        ours: ours(),
        node: Node::home().join("nat-peer.js"),
    };
    let (meet, part): (Vec<_>, Vec<_>) = MATRIX.iter().partition(|pair| expected(pair));
    let mut wrong = Vec::new();
    for pairs in meet.chunks(3).chain([&part[..]]) {
        thread::scope(|scope| {
            let lab = &lab;
            let cases: Vec<_> = pairs
                .iter()
                .map(|&pair: &&Pair| {
                    let met = move || case(lab, pair.0, pair.1, expected(pair));
                    (pair, scope.spawn(met))
                })
                .collect();
            for ((a, b, ..), case) in cases {
                match case.join().expect("the networks are made") {
                    Ok(is_direct) => {
                        println!("{a:16} {b:16} {}", if is_direct { "direct" } else { "-" })
                    }
                    Err(words) => wrong.push(format!("{a} and {b}:\n{words}")),
                }
            }
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The programs of the two kinds of peers.
struct Lab {
    ours: PathBuf,
    node: PathBuf,
}

impl Lab {
    /// Has one peer announce and another look for it, each behind a NAT of its kind. Whether they met
    /// over uTP, or what was said when that is not as expected.
    fn meet(
        &self,
        announcer: (&Path, &str),
        dialler: (&Path, &str),
        expected: bool,
    ) -> Result<bool, String> {
        let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hyperswarm/tests/nat/lab.sh");
        // Whoever can meet does so within a second, if the machine is not busy. Those who cannot get time
        // for one attempt with all its repetitions.
        let patience = if expected { "60" } else { "12" };
        let output = in_namespaces()
            .arg(lab)
            .arg(&self.ours)
            .arg(announcer.0)
            .arg(announcer.1)
            .arg(dialler.0)
            .args([dialler.1, patience])
            .output()
            .expect("unshare was there a moment ago");
        let words = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        let is_direct = words.contains("Dialled Utp") && words.contains("echoed");
        // Who did not even find the other has proved nothing.
        if output.status.success() && words.contains("found") && is_direct == expected {
            Ok(is_direct)
        } else {
            Err(words + &errors)
        }
    }
}

/// The program of hyperswarm's `examples/peer.rs`.
fn ours() -> PathBuf {
    let built = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--locked", "--package", "hyperswarm"])
        .args(["--features", "utp", "--example", "peer"])
        .status()
        .expect("cargo runs");
    assert!(built.success(), "the example does not build");
    // This program lies in `target/debug/deps`, the other one beside that.
    let tests = env::current_exe().expect("this program has a path");
    let debug = tests.ancestors().nth(2).expect("it lies in deps");
    debug.join("examples/peer")
}
