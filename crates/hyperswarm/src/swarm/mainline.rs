//! Peers from the DHT of BitTorrent, by the crate `mainline`, which does all of it: a node with a
//! socket and a thread of its own. Here is what joins it to a swarm.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use event_listener::Event as Wake;
use futures_lite::StreamExt;
use futures_lite::future::or;
use mainline::async_dht::AsyncDht;
use mainline::{Dht, Id};

use super::topic::pause;
use super::{Inner, SwarmEvent};
use crate::config::{JoinOptions, MainlineConfig};
use crate::peers::{Source, Topic, is_public};

/// Begins to meet other nodes.
pub(super) fn start(config: &MainlineConfig) -> io::Result<AsyncDht> {
    let mut builder = Dht::builder();
    // Set in any case, since the crate knows public nodes and would ask those otherwise.
    builder.no_bootstrap().bootstrap(&config.bootstrap);
    builder.bind_address(*config.listen.ip());
    if config.listen.port() != 0 {
        builder.port(config.listen.port());
    }
    Ok(builder.build()?.as_async())
}

/// Announces a topic and looks for its peers, again and again.
pub(super) async fn rounds(
    inner: Arc<Inner>,
    mainline: AsyncDht,
    topic: Topic,
    options: JoinOptions,
    refresh: Arc<Wake>,
) {
    let name = info_hash(&topic);
    let listen = inner.config.mainline.as_ref().map(|it| *it.listen.ip());
    let mut in_vain = 0;
    let mut is_first = true;
    loop {
        let refreshed = refresh.listen();
        if options.lookup {
            let mut answers = mainline.get_peers(name);
            while let Some(peers) = answers.next().await {
                for address in peers {
                    if !is_public(*address.ip()) && !listen.is_some_and(is_local) {
                        continue;
                    }
                    let now = inner.runtime.now();
                    let mut state = inner.state();
                    if state.peers.found(now, topic, address, Source::Mainline) {
                        state.tell(&SwarmEvent::Found { topic, address });
                        drop(state);
                        inner.peers_changed();
                    }
                }
            }
        }
        if options.announce {
            // Where others reach our listener. Without an answer it is tried again in the next round.
            let observed = inner.node.inspect(hyperswarm_dht::Dht::observed_address);
            let port = observed.and_then(|it| it.port);
            let port = port.unwrap_or_else(|| inner.local.port());
            let _ = mainline.announce_peer(name, Some(port)).await;
        }
        inner.searched(&topic, is_first);
        is_first = false;
        let is_content = || !options.lookup || inner.state().peers.has_prospects(&topic);
        in_vain = if is_content() { 0 } else { in_vain + 1 };
        or(refreshed, pause(&inner, in_vain, true, is_content)).await;
    }
}

/// Whether a socket bound to an address hears nobody from far away, who could send us to our
/// neighbours' doors with addresses of our own network.
fn is_local(bound: Ipv4Addr) -> bool {
    !bound.is_unspecified() && !is_public(bound)
}

/// What names a topic there: its first 20 bytes.
fn info_hash(topic: &Topic) -> Id {
    let mut name = [0; 20];
    name.copy_from_slice(&topic[..20]);
    Id::from(name)
}
