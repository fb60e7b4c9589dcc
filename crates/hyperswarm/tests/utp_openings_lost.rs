//! The packet that opens a uTP stream is sent again when it is lost, which the crate that carries uTP
//! does not do by itself.
#![cfg(feature = "utp")]
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyperswarm::{Carrier, JoinOptions, Swarm, SwarmEvent};
use hyperswarm_dht::wire::is_utp;

mod common;
use common::lossy::Lossy;
use common::utp::{TOPIC, announced};
use common::{dht_only, on_tokio, persistent};

#[test]
fn a_dial_survives_the_loss_of_its_first_openings() {
    on_tokio(|runtime| async move {
        let bootstrap = persistent(&runtime, &[]);
        let at = [bootstrap.local_addr()];
        let _server = announced(&runtime, &at).await;

        let openings = Arc::new(AtomicUsize::new(0));
        let seen = openings.clone();
        let lossy = Lossy::over(&runtime, move |datagram| {
            let opens = is_utp(datagram) && datagram[0] >> 4 == SYN;
            opens && seen.fetch_add(1, Ordering::Relaxed) < LOST
        });
        let client = Swarm::bind(lossy, dht_only(&at)).await.unwrap();
        let events = client.events();
        let lookup = JoinOptions {
            announce: false,
            lookup: true,
        };
        client.join(TOPIC, lookup);
        let connection = client.accept().await.unwrap();
        assert_eq!(connection.info().carrier, Carrier::Utp);
        assert!(openings.load(Ordering::Relaxed) > LOST);
        // At the first attempt: the dial was not given up meanwhile.
        let failed = |event: &SwarmEvent| matches!(event, SwarmEvent::DialFailed { .. });
        let seen = std::iter::from_fn(|| events.try_recv().ok());
        assert_eq!(seen.filter(failed).count(), 0);
    });
}

/// The type of a packet that opens a stream.
const SYN: u8 = 4;

/// As many as a dial sends at once: to the peer, and after the hole punch.
const LOST: usize = 2;
