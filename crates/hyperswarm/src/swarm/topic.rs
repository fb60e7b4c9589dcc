use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use event_listener::Event as Wake;
use futures_lite::future::or;
use hyperswarm_dht::{AnnounceOptions, FoundPeers, Id, LookupOptions};

use super::{Inner, SwarmEvent};
use crate::config::JoinOptions;
use crate::lan::links;
use crate::peers::{Source, Topic};

/// Announces a topic and looks for its peers, again and again.
pub(super) async fn rounds(
    inner: Arc<Inner>,
    topic: Topic,
    options: JoinOptions,
    refresh: Arc<Wake>,
) {
    // A table that is still empty knows none of the nodes that matter.
    if inner.node.ready().await.is_err() {
        return;
    }
    let mut in_vain = 0;
    let mut is_first = true;
    loop {
        let refreshed = refresh.listen();
        let was_answered = round(&inner, topic, options).await;
        inner.searched(&topic, is_first);
        is_first = false;
        let is_content = || !options.lookup || inner.state().peers.has_prospects(&topic);
        if was_answered && is_content() {
            in_vain = 0;
        } else {
            in_vain += 1;
        }
        let pause = pause(&inner, in_vain, was_answered, is_content);
        or(refreshed, pause).await;
    }
}

/// Waits for the time of the next round. It comes sooner while nobody answers or can be dialled: the
/// only peer may have been asked for a moment before it was announced.
pub(super) async fn pause(
    inner: &Inner,
    in_vain: u32,
    was_answered: bool,
    is_content: impl Fn() -> bool,
) {
    let more = inner.state().random_below(ROUND_INTERVAL);
    let regular = ROUND_INTERVAL + more;
    let mut step = (FIRST_RETRY * (1 << in_vain.min(8))).min(ROUND_INTERVAL);
    let mut waited = Duration::ZERO;
    while waited < regular {
        inner.runtime.sleep(step).await;
        if !was_answered || !is_content() {
            return;
        }
        waited += step;
        step = (step * 2).min(regular);
    }
}

/// One walk. Returns whether anybody answered.
async fn round(inner: &Arc<Inner>, topic: Topic, options: JoinOptions) -> bool {
    let local_address = local_address(inner);
    let id = Id::from_bytes(topic);
    let mut walk = if options.announce {
        inner.node.announce(id, announcement(inner))
    } else {
        inner.node.lookup(id, LookupOptions { local_address })
    };
    while let Some(found) = walk.next().await {
        if options.lookup {
            take_in(inner, topic, &found);
        }
    }
    walk.finish().await.is_ok()
}

fn take_in(inner: &Inner, topic: Topic, found: &FoundPeers) {
    let now = inner.runtime.now();
    let mut state = inner.state();
    let referrer = Source::Dht {
        referrer: found.referrer,
    };
    let public = found.peers.iter().map(|peer| (*peer, referrer));
    let local = found.local_peers.iter().map(|peer| (*peer, Source::Lan));
    let mut is_news = false;
    for (address, source) in public.chain(local) {
        // That node sees us there: we are not our own peer.
        let is_own = found.observed == Some(address);
        if !is_own && state.peers.found(now, topic, address, source) {
            is_news = true;
            state.tell(&SwarmEvent::Found { topic, address });
        }
    }
    drop(state);
    if is_news {
        inner.peers_changed();
    }
}

/// Takes an announcement back, as far as nodes answer.
pub(super) async fn unannounce(inner: Arc<Inner>, topic: Topic) {
    // Without an answer it is forgotten a few minutes later.
    let options = announcement(&inner);
    let _ = inner.node.unannounce(Id::from_bytes(topic), options).await;
}

/// Takes several announcements back at once.
pub(super) async fn unannounce_all(inner: &Arc<Inner>, topics: Vec<Topic>) {
    let (running, ended) = async_channel::bounded::<()>(1);
    for topic in topics {
        let (inner, running) = (inner.clone(), running.clone());
        inner.clone().spawn(async move {
            unannounce(inner, topic).await;
            drop(running);
        });
    }
    drop(running);
    // Nothing is ever sent: it closes with the last of them.
    let _ = ended.recv().await;
}

fn announcement(inner: &Inner) -> AnnounceOptions {
    AnnounceOptions {
        // TCP listens where the datagrams come from.
        port: None,
        local_address: local_address(inner),
    }
}

/// Where peers behind the same NAT reach us.
fn local_address(inner: &Inner) -> Option<SocketAddrV4> {
    if !inner.config.announce_local {
        return None;
    }
    let links = links(*inner.local.ip()).ok()?;
    let mut addresses = links.iter().map(|link| link.address);
    let address = addresses.find(|address| !address.is_loopback())?;
    Some(SocketAddrV4::new(address, inner.local.port()))
}

/// Time between two rounds: this, and up to as much again at random (the reference's).
const ROUND_INTERVAL: Duration = Duration::from_secs(300);

/// Half of the pause after a round that was in vain; it doubles with each further one.
const FIRST_RETRY: Duration = Duration::from_millis(500);
