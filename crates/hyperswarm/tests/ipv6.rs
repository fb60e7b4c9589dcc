//! Peers are found over IPv4 alone, since the format has no room for other addresses; but whoever knows
//! our address over IPv6 is let in.
#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use hyperswarm::{Carrier, Side, Swarm};

mod common;
use common::{dht_only, on_tokio};

#[test]
fn who_dials_over_ipv6_is_let_in() {
    if std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        println!("left out: this machine has no IPv6");
        return;
    }
    on_tokio(|runtime| async move {
        let mut config = dht_only(&[]);
        config.listen = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
        let swarm = Swarm::bind(runtime.clone(), config).await.unwrap();
        let at = SocketAddr::from((Ipv6Addr::LOCALHOST, swarm.local_addr().port()));
        let mut dialled = runtime.connect_tcp(at).await.unwrap();
        dialled.write_all(b"hello").await.unwrap();
        let mut accepted = swarm.accept().await.unwrap();
        assert!(accepted.info().remote.is_ipv6());
        assert_eq!(accepted.info().carrier, Carrier::Tcp);
        assert_eq!(accepted.info().side, Side::Accepted);
        let mut heard = [0; 5];
        accepted.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"hello");
        swarm.close().await;
    });
}
