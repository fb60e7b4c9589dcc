//! A store is replicated over a socket of tokio as it is, as the README shows it.
#![cfg(feature = "replication")]
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use corestore::{Corestore, Options};
use futures_lite::future::or;
use hypercore_replication::{Replicate, Role};
use hypercore_storage::MemoryDir;
use tokio::net::{TcpListener, TcpStream};

const SOON: Duration = Duration::from_secs(30);

fn store() -> Corestore {
    Corestore::open(Arc::new(MemoryDir::new()), Options::new()).unwrap()
}

#[test]
fn every_core_of_a_store_shares_one_socket() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (ours, theirs) = (store(), store());
        let notes = ours.get_by_name("notes").unwrap();
        notes.append("first").unwrap();

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dialled = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        tokio::spawn(ours.replicate(accepted, Role::Responder));
        tokio::spawn(theirs.replicate(dialled, Role::Initiator));

        let late = async {
            tokio::time::sleep(SOON).await;
            panic!("nothing came in {SOON:?}");
        };
        let reading = async {
            let copy = theirs.get(&notes.public_key()).unwrap();
            assert_eq!(copy.get(0).await.unwrap(), "first");
            // A core that is made while the connection lasts, and one of the other side.
            let later = ours.get_by_name("later").unwrap();
            later.append("second").unwrap();
            let copy = theirs.get(&later.public_key()).unwrap();
            assert_eq!(copy.get(0).await.unwrap(), "second");
            let answer = theirs.get_by_name("answer").unwrap();
            answer.append("third").unwrap();
            let copy = ours.get(&answer.public_key()).unwrap();
            assert_eq!(copy.get(0).await.unwrap(), "third");
        };
        or(reading, late).await;
    });
}
