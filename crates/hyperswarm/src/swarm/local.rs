use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::or;
use hypercore_runtime::{UdpPort, UdpSocket};

use super::Inner;
use crate::lan::{GROUP, LanEvent, Link, MAX_PACKET_BYTES, links};
use crate::peers::Source;
use crate::swarm::SwarmEvent;

/// Finds peers on the local network. Where that is impossible the swarm goes on without, and its
/// status says so.
pub(super) async fn discover(inner: Arc<Inner>) {
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, GROUP.port()));
    let socket = match inner.runtime.bind_udp(everywhere, UdpPort::Shared) {
        Ok(socket) => socket,
        Err(error) => {
            let mut state = inner.state();
            state.lan = None;
            state.lan_error = Some(error.to_string());
            return;
        }
    };
    let mut joined: Vec<Link> = Vec::new();
    let mut next_check = inner.runtime.now();
    let mut buffer = [0; MAX_PACKET_BYTES + 1];
    loop {
        let woken = inner.lan_wake.listen();
        let now = inner.runtime.now();
        if next_check <= now {
            next_check = now + LINK_INTERVAL;
            look_around(&inner, &socket, &mut joined);
        }
        let Some((next, packets)) = turn(&inner) else {
            return;
        };
        for packet in packets {
            send(&socket, &joined, &packet).await;
        }
        let wait = next.min(next_check).saturating_sub(inner.runtime.now());
        let receive = async { socket.recv_from(&mut buffer).await.ok() };
        let wake = async {
            or(woken, inner.runtime.sleep(wait)).await;
            None
        };
        if let Some((bytes, SocketAddr::V4(from))) = or(wake, receive).await {
            let now = inner.runtime.now();
            if let Some(lan) = &mut inner.state().lan {
                lan.handle_packet(now, from, &buffer[..bytes]);
            }
        }
    }
}

/// Joins the group on links that are new. The system forgets those that are gone.
fn look_around(inner: &Inner, socket: &UdpSocket, joined: &mut Vec<Link>) {
    // Without an answer everything stays as it is until the next time.
    let Ok(mut usable) = links(*inner.local.ip()) else {
        return;
    };
    usable.retain(|link| {
        joined.contains(link) || socket.join_multicast(*GROUP.ip(), link.address).is_ok()
    });
    let now = inner.runtime.now();
    if let Some(lan) = &mut inner.state().lan {
        lan.set_links(now, usable.clone());
    }
    *joined = usable;
}

/// Does what is due, and returns when there will be more, and what is to be sent.
fn turn(inner: &Inner) -> Option<(Duration, Vec<Vec<u8>>)> {
    let now = inner.runtime.now();
    let mut state = inner.state();
    let state = &mut *state;
    let lan = state.lan.as_mut()?;
    lan.handle_timeout(now);
    let mut is_news = false;
    while let Some(LanEvent::Peer { topic, address }) = lan.poll_event() {
        if state.peers.found(now, topic, address, Source::Lan) {
            is_news = true;
            for listener in &state.listeners {
                let _ = listener.try_send(SwarmEvent::Found { topic, address });
            }
        }
    }
    let packets = std::iter::from_fn(|| lan.poll_transmit()).collect();
    if is_news {
        inner.peers_changed();
    }
    Some((lan.poll_timeout().unwrap_or(Duration::MAX), packets))
}

/// Sends a packet through every link. Where the system refuses, the next query repeats it.
async fn send(socket: &UdpSocket, joined: &[Link], packet: &[u8]) {
    for link in joined {
        if socket.set_multicast_interface(link.address).is_ok() {
            let _ = socket.send_to(packet, GROUP.into()).await;
        }
    }
}

/// How often links are looked for (the reference's).
const LINK_INTERVAL: Duration = Duration::from_secs(5);
