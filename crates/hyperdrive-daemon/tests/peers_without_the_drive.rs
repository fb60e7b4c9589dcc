//! A peer that is there and has nothing of a drive is waited for, and no longer than that.
//!
//! It used to be asked over and over when the time was up, for as long as it stayed.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hyperdrive_daemon::{Access, Node, NodeError, Root};

#[tokio::test]
async fn a_peer_that_has_nothing_of_a_drive_is_not_waited_for_any_longer() {
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let open = |place: usize| Node::open(Root::new(dirs[place].path()), Access::Hold);
    let (other, node) = (open(0).await.unwrap(), open(1).await.unwrap());
    let key = [7; 32];
    let _waits_for_it_too = other.seed(&key).await.unwrap();
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let address = other.serve(other.bind(Some(loopback)).await.unwrap());
    node.dial(&address.to_string());
    let opened = node.drive(&key, None, Duration::from_secs(1));
    let opened = tokio::time::timeout(Duration::from_secs(60), opened).await;
    match opened.expect("it ends") {
        Err(NodeError::Nobody { .. }) => {}
        other => panic!("{other:?}"),
    }
}
