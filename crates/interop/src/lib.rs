//! Tests against the Node packages of the same generation: everything in this workspace that needs
//! Node, and nothing else does.
//!
//! The library is what the tests in `tests/` stand on: [`Peer`] leads a Node process, [`Program`]
//! runs the built `hyperdrive`, [`Tree`] makes folders and compares them. It is a harness, so it
//! panics, with the other side's last words, where a test could not go on anyway; and it waits for
//! events, each with the same generous [limit](LIMIT), and never for time to pass.

use std::time::Duration;

mod eventually;
mod lines;
mod peer;
mod program;
mod random;
mod tree;

pub use eventually::eventually;
pub use peer::{Node, Peer, Question};
pub use program::{Finished, Program, Running};
pub use random::Random;
pub use tree::{Entry, Tree, digest, pattern};

/// How long anything may take before the test fails. Far more than it needs, since machines are
/// slow when they are busy.
pub const LIMIT: Duration = Duration::from_secs(120);
