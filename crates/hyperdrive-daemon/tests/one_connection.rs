//! Two nodes that dial each other end with one connection.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyperdrive_daemon::{Access, Node, Root};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(60);

struct Host {
    node: Node,
    address: SocketAddr,
    _dir: TempDir,
}

impl Host {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::open(Root::new(dir.path()), Access::Hold)
            .await
            .unwrap();
        let port = node.bind(Some(loopback())).await.unwrap();
        let address = node.serve(port);
        Self {
            node,
            address,
            _dir: dir,
        }
    }

    fn shape(&self) -> (usize, usize) {
        let traffic = self.node.traffic();
        (traffic.peers, traffic.connections)
    }
}

/// Passes connections on, counts them, and ends them when told to.
struct Proxy {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    cut: watch::Sender<()>,
}

impl Proxy {
    async fn new(to: SocketAddr) -> Self {
        let listener = TcpListener::bind(loopback()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let cut = watch::Sender::new(());
        let (counter, cuts) = (accepted.clone(), cut.clone());
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let mut cut = cuts.subscribe();
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(to).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self {
            address,
            accepted,
            cut,
        }
    }

    fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

fn loopback() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// Waits until it is so.
async fn until(what: &str, wanted: impl Fn() -> bool) {
    let wait = async {
        while !wanted() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(DEADLINE, wait).await.expect(what);
}

/// Dials one after the other, then ends what came of it, and looks whether one is left each time.
async fn dial_each_other(a: &Host, b: &Host) {
    let (to_b, to_a) = (Proxy::new(b.address).await, Proxy::new(a.address).await);
    let one = || a.shape() == (1, 1) && b.shape() == (1, 1);
    a.node.dial(&to_b.address.to_string());
    until("a connection", one).await;
    b.node.dial(&to_a.address.to_string());
    until("another dial", || to_a.accepted() == 1).await;
    until("one connection", one).await;
    // Whoever rested dials again when the connection that stayed ends.
    let dials = to_b.accepted() + to_a.accepted();
    to_b.cut.send_replace(());
    to_a.cut.send_replace(());
    until("another dial", || to_b.accepted() + to_a.accepted() > dials).await;
    until("one connection again", one).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_were_told_of_each_other_keep_one_connection() {
    // Which of the two has the smaller key is left to chance, so each of them dials first once.
    for round in 0..2 {
        let (a, b) = (Host::new().await, Host::new().await);
        if round == 0 {
            dial_each_other(&a, &b).await;
        } else {
            dial_each_other(&b, &a).await;
        }
        a.node.close().await.unwrap();
        b.node.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_with_two_addresses_is_connected_once() {
    let (a, b) = (Host::new().await, Host::new().await);
    let (first, second) = (Proxy::new(b.address).await, Proxy::new(b.address).await);
    a.node.dial(&first.address.to_string());
    a.node.dial(&second.address.to_string());
    until("two dials", || first.accepted() + second.accepted() >= 2).await;
    until("one connection", || {
        a.shape() == (1, 1) && b.shape() == (1, 1)
    })
    .await;
    a.node.close().await.unwrap();
    b.node.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_dials_itself_is_not_its_own_peer() {
    let a = Host::new().await;
    let proxy = Proxy::new(a.address).await;
    a.node.dial(&proxy.address.to_string());
    until("a dial", || proxy.accepted() >= 1).await;
    until("no connection", || a.shape() == (0, 0)).await;
    a.node.close().await.unwrap();
}
