//! What real nodes and swarms of ours cost and achieve on this machine, everything on loopback: the
//! figures of `docs/dht-simulation.md` that no simulation gives.
//!
//! ```text
//! cargo run --release -p hyperswarm --example figures [-- PART...]
//! ```
//!
//! Parts: `memory` of a node that is idle, alone and with neighbours; `answers` a second on one core;
//! `lan`, the time from an announcement to its discovery on a local network; `lookups` in a network of
//! 600 nodes.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use hypercore_runtime::{Runtime, Tokio};
use hyperswarm::{Node, NodeConfig};

mod answers;
mod lan;
mod lookups;

type Done = Result<(), Box<dyn Error + Send + Sync>>;

fn main() -> Done {
    let parts: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|it| it == part);
    // First, while the process is small.
    if wanted("memory") || wanted("answers") {
        answers::measure(wanted("answers"))?;
    }
    let tokio = tokio::runtime::Runtime::new()?;
    tokio.block_on(async {
        let runtime: Arc<dyn Runtime> = Arc::new(Tokio::current());
        if wanted("lan") {
            lan::measure(runtime.clone()).await?;
        }
        if wanted("lookups") {
            lookups::measure(runtime).await?;
        }
        Ok(())
    })
}

/// A node on loopback.
fn node(
    runtime: &Arc<dyn Runtime>,
    known: &[SocketAddrV4],
    ephemeral: bool,
) -> std::io::Result<Node> {
    let mut config = NodeConfig::default();
    config.listen = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
    config.dht.ephemeral = ephemeral;
    config.dht.bootstrap = known.to_vec();
    Node::bind(runtime.clone(), config)
}

/// The value below which the given share of the values lies.
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    // An index, of a list that fits in memory.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let at = (last as f64 * share).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}
