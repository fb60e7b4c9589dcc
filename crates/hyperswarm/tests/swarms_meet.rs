//! Swarms on real sockets find each other by topic and connect, on every runtime.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use hypercore_runtime::Runtime;
use hyperswarm::{
    Carrier, Connection, JoinOptions, LanStatus, Reach, Side, Swarm, SwarmConfig, SwarmEvent,
    Verdict,
};

mod common;
use common::{dht_only, on_async_std, on_tokio, persistent, swarm};

const TOPIC: [u8; 32] = [7; 32];
const ANNOUNCE: JoinOptions = JoinOptions {
    announce: true,
    lookup: false,
};
const LOOKUP: JoinOptions = JoinOptions {
    announce: false,
    lookup: true,
};

#[test]
fn by_topic_through_the_dht_on_tokio() {
    on_tokio(through_the_dht);
}

#[test]
fn by_topic_through_the_dht_on_async_std() {
    on_async_std(through_the_dht);
}

async fn through_the_dht(runtime: Arc<dyn Runtime>) {
    let bootstrap = persistent(&runtime, &[]);
    let at = [bootstrap.local_addr()];
    let server = swarm(&runtime, &at).await;
    assert!(server.join(TOPIC, ANNOUNCE));
    server.flush().await;
    let client = swarm(&runtime, &at).await;
    assert!(client.join(TOPIC, LOOKUP));
    let (mut dialled, mut accepted) = meet(&client, &server).await;
    assert_eq!(dialled.info().topics, [TOPIC]);
    assert_eq!(dialled.info().peer, Some(server.local_addr()));
    assert_eq!(accepted.info().topics, [] as [[u8; 32]; 0]);
    assert_eq!(accepted.info().carrier, Carrier::Tcp);
    echo(&mut dialled, &mut accepted).await;
    client.flush().await;
    assert_eq!(client.status().connections, 1);
    assert_eq!(server.status().connections, 1);
    drop(dialled);
    assert_eq!(accepted.read(&mut [0; 1]).await.unwrap(), 0);
    client.close().await;
    server.close().await;
}

#[test]
fn by_topic_on_the_local_network_on_tokio() {
    on_tokio(on_the_local_network);
}

#[test]
fn by_topic_on_the_local_network_on_async_std() {
    on_async_std(on_the_local_network);
}

async fn on_the_local_network(runtime: Arc<dyn Runtime>) {
    // On the loopback interface: bound to it, a swarm sends nowhere else.
    let mut config = SwarmConfig::default();
    config.listen = common::loopback();
    config.use_dht = false;
    let server = Swarm::bind(runtime.clone(), config.clone()).await.unwrap();
    let client = Swarm::bind(runtime.clone(), config).await.unwrap();
    // Whichever comes first: who tells is heard by who looks, and who asks is told.
    server.join(TOPIC, ANNOUNCE);
    client.join(TOPIC, LOOKUP);
    let (mut dialled, mut accepted) = meet(&client, &server).await;
    assert_eq!(dialled.info().carrier, Carrier::Tcp);
    echo(&mut dialled, &mut accepted).await;
    assert_eq!(client.status().lan, LanStatus::On { links: 1 });
}

#[test]
fn who_is_announced_after_the_first_search_is_found_by_the_next() {
    on_tokio(|runtime| async move {
        let bootstrap = persistent(&runtime, &[]);
        let at = [bootstrap.local_addr()];
        let client = swarm(&runtime, &at).await;
        client.join(TOPIC, LOOKUP);
        client.flush().await;
        assert_eq!(client.status().peers, 0);
        let server = swarm(&runtime, &at).await;
        server.join(TOPIC, ANNOUNCE);
        meet(&client, &server).await;
    });
}

#[test]
fn a_lost_connection_is_made_again() {
    on_tokio(|runtime| async move {
        let bootstrap = persistent(&runtime, &[]);
        let at = [bootstrap.local_addr()];
        let server = swarm(&runtime, &at).await;
        server.join(TOPIC, ANNOUNCE);
        server.flush().await;
        let client = swarm(&runtime, &at).await;
        client.join(TOPIC, LOOKUP);
        let (_, accepted) = meet(&client, &server).await;
        drop(accepted);
        meet(&client, &server).await;
    });
}

#[test]
fn peers_of_a_topic_that_was_left_are_not_found() {
    on_tokio(|runtime| async move {
        let bootstrap = persistent(&runtime, &[]);
        let at = [bootstrap.local_addr()];
        let server = swarm(&runtime, &at).await;
        server.join(TOPIC, ANNOUNCE);
        server.flush().await;
        server.leave(&TOPIC);
        while bootstrap.inspect(|dht| dht.stored_records()) > 0 {
            runtime.sleep(std::time::Duration::from_millis(5)).await;
        }
        let client = swarm(&runtime, &at).await;
        client.join(TOPIC, LOOKUP);
        client.flush().await;
        assert_eq!(client.status().peers, 0);
        // And are found again when it is joined again.
        server.join(TOPIC, ANNOUNCE);
        server.flush().await;
        client.refresh();
        meet(&client, &server).await;
    });
}

#[test]
fn closing_takes_announcements_back_and_frees_the_port() {
    on_tokio(|runtime| async move {
        let bootstrap = persistent(&runtime, &[]);
        let server = swarm(&runtime, &[bootstrap.local_addr()]).await;
        server.join(TOPIC, ANNOUNCE);
        server.flush().await;
        assert_eq!(bootstrap.inspect(|dht| dht.stored_records()), 1);
        let address = server.local_addr();
        let events = server.events();
        server.close().await;
        assert_eq!(bootstrap.inspect(|dht| dht.stored_records()), 0);
        assert!(server.accept().await.is_none());
        assert!(events.recv().await.is_err());
        assert!(!server.join(TOPIC, ANNOUNCE));
        server.flush().await;
        let mut config = dht_only(&[]);
        config.listen = address;
        // The listener goes with its task, which may take a moment longer.
        while Swarm::bind(runtime.clone(), config.clone()).await.is_err() {
            runtime.sleep(std::time::Duration::from_millis(1)).await;
        }
    });
}

#[test]
fn two_who_dial_each_other_keep_one_connection() {
    on_tokio(|runtime| async move {
        let bootstrap = persistent(&runtime, &[]);
        let at = [bootstrap.local_addr()];
        let a = swarm(&runtime, &at).await;
        let b = swarm(&runtime, &at).await;
        a.join(TOPIC, JoinOptions::default());
        a.flush().await;
        b.join(TOPIC, JoinOptions::default());
        let (b_dialled, a_accepted) = meet(&b, &a).await;
        a.refresh();
        let (a_dialled, b_accepted) = meet(&a, &b).await;
        let (low, high) = (b"a", b"b");
        let use_it = |it: &Connection, local, remote| it.handle().identify(local, remote);
        assert_eq!(use_it(&b_dialled, high, low), Verdict::Use);
        assert_eq!(use_it(&a_accepted, low, high), Verdict::Use);
        // The one with the smaller key dialled the other connection, so that one stays.
        assert_eq!(use_it(&a_dialled, low, high), Verdict::Use);
        assert_eq!(use_it(&b_accepted, high, low), Verdict::Use);
        b_dialled.handle().superseded().await;
        a_accepted.handle().superseded().await;
        drop((b_dialled, a_accepted));
        assert_eq!(a.status().connections, 1);
        assert_eq!(b.status().connections, 1);
        // While it lasts the other side is not dialled again; when it ends it is.
        b.refresh();
        b.flush().await;
        assert_eq!(b.status().connections, 1);
        drop((a_dialled, b_accepted));
        b.refresh();
        let again = b.accept().await.unwrap();
        assert!(matches!(again.info().side, Side::Dialled | Side::Accepted));
    });
}

#[test]
fn a_peer_that_is_reached_otherwise_is_not_dialled() {
    on_tokio(|runtime| async move {
        let bootstrap = persistent(&runtime, &[]);
        let at = [bootstrap.local_addr()];
        let a = swarm(&runtime, &at).await;
        let b = swarm(&runtime, &at).await;
        b.join(TOPIC, ANNOUNCE);
        b.flush().await;
        a.join(TOPIC, LOOKUP);
        let (dialled, accepted) = meet(&a, &b).await;
        let rest = dialled.handle().rest();
        drop((dialled, accepted));
        a.refresh();
        a.flush().await;
        assert_eq!(a.status().connections, 0);
        drop(rest);
        meet(&a, &b).await;
    });
}

#[test]
fn one_who_finds_oneself_is_told() {
    on_tokio(|runtime| async move {
        let bootstrap = persistent(&runtime, &[]);
        let at = [bootstrap.local_addr()];
        let a = swarm(&runtime, &at).await;
        let b = swarm(&runtime, &at).await;
        b.join(TOPIC, ANNOUNCE);
        b.flush().await;
        a.join(TOPIC, LOOKUP);
        let (dialled, _accepted) = meet(&a, &b).await;
        let verdict = dialled.handle().identify(b"same", b"same");
        assert_eq!(verdict, Verdict::Oneself);
    });
}

#[test]
fn a_swarm_does_not_dial_itself() {
    on_tokio(|runtime| async move {
        let bootstrap = persistent(&runtime, &[]);
        let swarm = swarm(&runtime, &[bootstrap.local_addr()]).await;
        swarm.join(TOPIC, JoinOptions::default());
        swarm.flush().await;
        swarm.refresh();
        swarm.flush().await;
        assert_eq!(swarm.status().peers, 0);
    });
}

#[test]
fn a_dial_in_vain_is_told_and_the_banned_are_left_alone() {
    on_tokio(|runtime| async move {
        let bootstrap = persistent(&runtime, &[]);
        let at = [bootstrap.local_addr()];
        // A node announces and no swarm listens there.
        let node = common::ephemeral(&runtime, &at);
        let topic = hyperswarm_dht::Id::from_bytes(TOPIC);
        let announced = node.announce(topic, hyperswarm_dht::AnnounceOptions::default());
        announced.finish().await.unwrap();
        let mut config = dht_only(&at);
        config.dial_timeout = std::time::Duration::from_millis(200);
        let client = Swarm::bind(runtime.clone(), config).await.unwrap();
        let events = client.events();
        client.join(TOPIC, LOOKUP);
        client.flush().await;
        let mut seen = Vec::new();
        while let Ok(event) = events.try_recv() {
            seen.push(event);
        }
        let address = node.local_addr();
        assert!(seen.contains(&SwarmEvent::Found {
            topic: TOPIC,
            address
        }));
        let failed = |event: &SwarmEvent| matches!(event, SwarmEvent::DialFailed { address: at, .. } if *at == address);
        assert!(seen.iter().any(failed), "{seen:?}");
        client.ban(address);
        assert_eq!(client.status().peers, 0);
    });
}

#[test]
fn a_peer_that_was_banned_is_not_dialled_again() {
    on_tokio(|runtime| async move {
        let bootstrap = persistent(&runtime, &[]);
        let at = [bootstrap.local_addr()];
        let server = swarm(&runtime, &at).await;
        server.join(TOPIC, ANNOUNCE);
        server.flush().await;
        let client = swarm(&runtime, &at).await;
        client.join(TOPIC, LOOKUP);
        let (dialled, _accepted) = meet(&client, &server).await;
        let handle = dialled.handle();
        handle.ban();
        handle.superseded().await;
        drop(dialled);
        client.refresh();
        client.flush().await;
        assert_eq!(client.status().peers, 0);
        assert_eq!(client.status().connections, 0);
    });
}

#[test]
fn others_tell_how_they_see_us() {
    on_tokio(|runtime| async move {
        let first = persistent(&runtime, &[]);
        let at = [first.local_addr()];
        let others: Vec<_> = (0..4).map(|_| persistent(&runtime, &at)).collect();
        for other in &others {
            other.ready().await.unwrap();
        }
        let swarm = swarm(&runtime, &at).await;
        while swarm.status().reach == Reach::Unknown {
            runtime.sleep(std::time::Duration::from_millis(5)).await;
        }
        let status = swarm.status();
        assert_eq!(status.reach, Reach::Direct);
        assert_eq!(status.observed.unwrap().port, Some(status.local.port()));
    });
}

#[test]
fn connections_from_others_have_a_limit() {
    on_tokio(|runtime| async move {
        let mut config = dht_only(&[]);
        config.peers.max_connections = 3;
        let server = Swarm::bind(runtime.clone(), config).await.unwrap();
        let address = server.local_addr().into();
        let mut streams = Vec::new();
        let mut accepted = Vec::new();
        for _ in 0..3 {
            streams.push(runtime.connect_tcp(address).await.unwrap());
            accepted.push(server.accept().await.unwrap());
        }
        let mut refused = runtime.connect_tcp(address).await.unwrap();
        // An end or a reset: either way nobody lets it in.
        assert!(!matches!(refused.read(&mut [0; 1]).await, Ok(1..)));
        assert_eq!(server.status().connections, 3);
        accepted.pop();
        streams.push(runtime.connect_tcp(address).await.unwrap());
        server.accept().await.unwrap();
    });
}

/// Waits for a connection that `dialler` makes, at both ends.
async fn meet(dialler: &Swarm, other: &Swarm) -> (Connection, Connection) {
    let dialled = loop {
        let connection = dialler.accept().await.unwrap();
        if connection.info().side == Side::Dialled {
            break connection;
        }
    };
    let accepted = loop {
        let connection = other.accept().await.unwrap();
        if connection.info().side == Side::Accepted {
            break connection;
        }
    };
    (dialled, accepted)
}

async fn echo(a: &mut Connection, b: &mut Connection) {
    let mut received = [0; 5];
    a.write_all(b"hello").await.unwrap();
    b.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"hello");
    b.write_all(b"world").await.unwrap();
    a.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"world");
}
