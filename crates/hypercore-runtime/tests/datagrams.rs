//! The same checks over every adapter: datagrams cross loopback, ports are shared only by those who
//! agree, and a group reaches all who joined it.
#![cfg(any(feature = "tokio", feature = "async-std"))]
#![allow(clippy::unwrap_used)]

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use futures_lite::future::{block_on, or, poll_once, zip};
use hypercore_runtime::{Runtime, UdpPort};

#[cfg(feature = "tokio")]
mod tokio_adapter {
    use hypercore_runtime::Tokio;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn carries_datagrams() {
        carry(Arc::new(Tokio::current())).await;
    }

    #[test]
    fn carries_datagrams_outside_of_the_runtime() {
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        block_on(carry(Arc::new(Tokio::new(tokio.handle().clone()))));
    }

    #[tokio::test]
    async fn two_tasks_wait_and_neither_is_forgotten() {
        two_receivers(Arc::new(Tokio::current())).await;
    }

    #[tokio::test]
    async fn a_port_of_ones_own_is_not_shared() {
        own_port(Arc::new(Tokio::current()));
    }

    #[tokio::test]
    async fn a_group_reaches_all_who_joined() {
        multicast(Arc::new(Tokio::current())).await;
    }
}

#[cfg(feature = "async-std")]
mod async_std_adapter {
    use hypercore_runtime::AsyncStd;

    use super::*;

    #[test]
    fn carries_datagrams() {
        block_on(carry(Arc::new(AsyncStd::new())));
    }

    #[test]
    fn two_tasks_wait_and_neither_is_forgotten() {
        block_on(two_receivers(Arc::new(AsyncStd::new())));
    }

    #[test]
    fn a_port_of_ones_own_is_not_shared() {
        own_port(Arc::new(AsyncStd::new()));
    }

    #[test]
    fn a_group_reaches_all_who_joined() {
        block_on(multicast(Arc::new(AsyncStd::new())));
    }
}

/// Datagrams keep their bounds, say where they come from, and are cut to the buffer.
async fn carry(runtime: Arc<dyn Runtime>) {
    let a = runtime.bind_udp(loopback(), UdpPort::Own).unwrap();
    let b = runtime.bind_udp(loopback(), UdpPort::Own).unwrap();
    assert_ne!(a.local_addr().port(), 0);
    let mut buf = [0; 1500];
    assert_eq!(
        b.try_recv_from(&mut buf).unwrap_err().kind(),
        io::ErrorKind::WouldBlock
    );
    // Given up before anything came: nothing is lost by it.
    assert!(poll_once(b.recv_from(&mut buf)).await.is_none());
    for payload in [&b"first"[..], b"", &[7; 1400]] {
        a.send_to(payload, b.local_addr()).await.unwrap();
        let (bytes, from) = b.recv_from(&mut buf).await.unwrap();
        assert_eq!(&buf[..bytes], payload);
        assert_eq!(from, a.local_addr());
    }
    a.try_send_to(b"a long one", b.local_addr()).unwrap();
    let mut short = [0; 6];
    let (bytes, _) = b.recv_from(&mut short).await.unwrap();
    assert_eq!(&short[..bytes], b"a long");
    // The way back, to a socket that nobody read from yet.
    b.send_to(b"answer", a.local_addr()).await.unwrap();
    let (bytes, from) = a.recv_from(&mut buf).await.unwrap();
    assert_eq!((&buf[..bytes], from), (&b"answer"[..], b.local_addr()));
}

async fn two_receivers(runtime: Arc<dyn Runtime>) {
    let to = runtime.bind_udp(loopback(), UdpPort::Own).unwrap();
    let from = runtime.bind_udp(loopback(), UdpPort::Own).unwrap();
    let receive = || async {
        let mut buf = [0; 16];
        let (bytes, _) = to.recv_from(&mut buf).await.unwrap();
        buf[..bytes].to_vec()
    };
    let both = zip(receive(), receive());
    let send = async {
        from.send_to(b"1", to.local_addr()).await.unwrap();
        from.send_to(b"2", to.local_addr()).await.unwrap();
        std::future::pending().await
    };
    let (one, other) = or(both, send).await;
    let mut received = [one, other];
    received.sort();
    assert_eq!(received, [b"1".to_vec(), b"2".to_vec()]);
}

fn own_port(runtime: Arc<dyn Runtime>) {
    let first = runtime.bind_udp(loopback(), UdpPort::Own).unwrap();
    for port in [UdpPort::Own, UdpPort::Shared] {
        let error = runtime.bind_udp(first.local_addr(), port).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}

/// A group of this test alone, on the loopback interface: no packet leaves the machine.
async fn multicast(runtime: Arc<dyn Runtime>) {
    let group = Ipv4Addr::new(239, 255, 77, 31);
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let first = runtime.bind_udp(any, UdpPort::Shared).unwrap();
    let port = first.local_addr().port();
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let second = runtime.bind_udp(any, UdpPort::Shared).unwrap();
    for socket in [&first, &second] {
        socket.join_multicast(group, Ipv4Addr::LOCALHOST).unwrap();
        socket.set_multicast_interface(Ipv4Addr::LOCALHOST).unwrap();
    }
    assert!(first.join_multicast(group, Ipv4Addr::LOCALHOST).is_err());
    first
        .send_to(b"to all", SocketAddr::from((group, port)))
        .await
        .unwrap();
    for socket in [&first, &second] {
        let mut buf = [0; 16];
        let (bytes, from) = socket.recv_from(&mut buf).await.unwrap();
        assert_eq!(&buf[..bytes], b"to all");
        assert_eq!(from, SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}
