//! A drive and all that is mounted in it, over one connection.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::{copy_in, drive_in, listing, mount, store, text, write};
use corestore::Corestore;
use futures_util::StreamExt;
use hypercore_replication::{Config, Role, replicate};
use hypercore_runtime::{Runtime, Tokio};
use hyperdrive::{Attributes, Drive, DriveError, DriveEvent, KeepOptions, Mount, Patience};

/// What connections run on. They end with it.
struct Network {
    tokio: tokio::runtime::Runtime,
}

impl Network {
    fn new() -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let tokio = builder.worker_threads(2).enable_all().build();
        Self {
            tokio: tokio.unwrap(),
        }
    }

    /// Connects two stores, until the handle is dropped.
    fn connect(&self, one: &Corestore, other: &Corestore) -> Connection {
        let runtime: Arc<dyn Runtime> = Arc::new(Tokio::new(self.tokio.handle().clone()));
        let (dialled, accepted) = self.tokio.block_on(async {
            let local = "127.0.0.1:0".parse().unwrap();
            let listener = runtime.listen_tcp(local).await.unwrap();
            let dialled = runtime.connect_tcp(listener.local_addr()).await;
            (dialled.unwrap(), listener.accept().await.unwrap())
        });
        let ends = [
            (dialled, Role::Initiator, one.source()),
            (accepted, Role::Responder, other.source()),
        ];
        Connection(ends.map(|(stream, role, source)| {
            let runtime = runtime.clone();
            self.tokio.spawn(async move {
                // It ends with the test, which is no failure of it.
                let _ended = replicate(stream, role, source, runtime, Config::default()).await;
            })
        }))
    }

    /// Waits for something that the other side has to bring.
    #[track_caller]
    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        let limited = async { tokio::time::timeout(Duration::from_secs(60), future).await };
        self.tokio.block_on(limited).expect("it comes in time")
    }
}

struct Connection([tokio::task::JoinHandle<()>; 2]);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

#[test]
fn a_group_of_drives_is_listed_and_read_over_one_connection() {
    let network = Network::new();
    let (theirs, ours) = (store(), store());
    let (group, users) = network.wait(async {
        let group = drive_in(&theirs, "group").await;
        let mut users = Vec::new();
        for index in 0..20 {
            let user = drive_in(&theirs, index).await;
            write(&user, "/profile", &format!("user {index}")).await;
            mount(&group, &format!("/users/{index}"), Mount::drive(user.key())).await;
            users.push(user);
        }
        // Users mount each other, so that there are circles.
        for pair in users.windows(2) {
            mount(&pair[0], "/friend", Mount::drive(pair[1].key())).await;
        }
        mount(&users[19], "/friend", Mount::drive(users[0].key())).await;
        (group, users)
    });
    let _connection = network.connect(&theirs, &ours);
    network.wait(async {
        let copy = copy_in(&ours, &group).await;
        copy.metadata().wait_longer_than(0).await.unwrap();
        tokio::spawn(copy.lookups().unwrap());
        assert_eq!(
            text(&copy, "/users/7/friend/friend/profile").await,
            "user 9"
        );
        assert_eq!(listing(&copy).await, listing(&group).await);
        let error = copy.write_file("/users/1/x", "x", &Attributes::new()).await;
        assert_eq!(error.unwrap_err().errno_name(), Some("EROFS"));

        // What is written to a mounted drive arrives, and is told of.
        let mut watch = copy.watch("/users/3");
        let written = async {
            // Only once the watch waits.
            tokio::task::yield_now().await;
            write(&users[3], "/news", "something").await;
        };
        let (change, ()) = futures_util::future::join(watch.next(), written).await;
        assert_eq!(change.unwrap().path, "/users/3/news");
        assert_eq!(text(&copy, "/users/3/news").await, "something");
    });
}

#[test]
fn each_reads_what_the_other_one_mounted_and_wrote() {
    let network = Network::new();
    let (a, b) = (store(), store());
    let (one, two) = network.wait(async { (drive_in(&a, 1).await, drive_in(&b, 2).await) });
    let log = b.create().unwrap();
    log.append_batch(&["a ", "log"]).unwrap();
    network.wait(async {
        mount(&one, "/two", Mount::drive(two.key())).await;
        mount(&one, "/log", Mount::log(log.public_key())).await;
        write(&one, "/one", "1").await;
        mount(&two, "/one", Mount::drive(one.key())).await;
        write(&two, "/old", "2").await;
        let version = two.version();
        write(&two, "/two", "2").await;
        mount(&one, "/then", Mount::drive(two.key()).at_version(version)).await;
    });
    let _connection = network.connect(&a, &b);
    network.wait(async {
        assert_eq!(text(&one, "/then/old").await, "2");
        one.metadata().wait_longer_than(0).await.unwrap();
        one.holder("/two")
            .await
            .unwrap()
            .drive()
            .metadata()
            .wait_longer_than(4)
            .await
            .unwrap();
        assert_eq!(text(&one, "/two/two").await, "2");
        assert_eq!(text(&one, "/log").await, "a log");
        two.holder("/one")
            .await
            .unwrap()
            .drive()
            .metadata()
            .wait_longer_than(6)
            .await
            .unwrap();
        assert_eq!(text(&two, "/one/one").await, "1");
        assert!(!one.exists("/then/two").await.unwrap());
    });
}

#[test]
fn peers_and_versions_are_events_and_messages_are_exchanged() {
    let network = Network::new();
    let (theirs, ours) = (store(), store());
    let drive = network.wait(drive_in(&theirs, 1));
    let copy = network.wait(copy_in(&ours, &drive));
    let (mut their_events, mut our_events) = (drive.events(), copy.events());
    let (from, to) = (
        drive.extension("greetings").unwrap(),
        copy.extension("greetings").unwrap(),
    );
    assert!(drive.extension("greetings").is_err());
    let connection = network.connect(&theirs, &ours);
    network.wait(async {
        let mut until = async |wanted: fn(&DriveEvent) -> bool| {
            while !wanted(&our_events.next().await.expect("the drive is open")) {}
        };
        until(|event| *event == DriveEvent::PeerAdded).await;
        write(&drive, "/x", "x").await;
        copy.metadata().wait_longer_than(1).await.unwrap();
        until(|event| *event == DriveEvent::Updated { version: 2 }).await;

        while from.broadcast(Bytes::from_static(b"hello")).unwrap() == 0 {
            assert!(their_events.next().await.is_some());
        }
        let (peer, message) = to.receive().await.unwrap();
        assert_eq!(message, "hello");
        to.send(peer, Bytes::from_static(b"and you")).unwrap();
        assert_eq!(from.receive().await.unwrap().1, "and you");

        drop(connection);
        until(|event| *event == DriveEvent::PeerRemoved).await;
        ours.close().unwrap();
        until(|event| *event == DriveEvent::Closed).await;
        assert_eq!(our_events.next().await, None);
    });
}

#[test]
fn a_read_takes_what_is_here_or_waits_for_as_long_as_it_is_given() {
    let network = Network::new();
    let (theirs, ours) = (store(), store());
    let drive = network.wait(drive_in(&theirs, 1));
    network.wait(write(&drive, "/x", "content"));
    let copy = network.wait(copy_in(&ours, &drive));
    let connection = network.connect(&theirs, &ours);
    network.wait(async {
        copy.metadata().wait_longer_than(1).await.unwrap();
        let size = copy.stat("/x").await.unwrap().size;
        assert_eq!(copy.stat("/x").cached().await.unwrap().size, size);
        // Its entry is here, its content is not.
        let content = copy.content().await.unwrap();
        content.wait_longer_than(0).await.unwrap();
        let error = copy.read_file("/x").cached().await.unwrap_err();
        assert!(matches!(error, DriveError::NotHere), "{error:?}");
        assert_eq!(error.errno_name(), Some("EAGAIN"));
        drop(connection);
        let mut events = copy.events();
        while copy.metadata().peers() + content.peers() > 0 {
            events.next().await.unwrap();
        }
        let timer = tokio::time::sleep(Duration::from_millis(1));
        let error = copy.read_file("/x").until(timer).await.unwrap_err();
        assert!(matches!(error, DriveError::TimedOut), "{error:?}");
        let mut list = copy.read_dir("/", false).await.unwrap();
        assert_eq!(list.next().cached().await.unwrap().unwrap().name, "x");
    });
    let _connection = network.connect(&theirs, &ours);
    network.wait(async {
        let never = std::future::pending::<()>();
        assert_eq!(copy.read_file("/x").until(never).await.unwrap(), "content");
        assert_eq!(copy.read_file("/x").cached().await.unwrap(), "content");
    });
}

/// Blocks of a drive's content that are here, of those there are.
async fn kept(drive: &Drive) -> (u64, u64) {
    let content = drive.content().await.unwrap();
    let length = content.length();
    (content.downloaded(0..length), length)
}

#[test]
fn a_drive_that_is_kept_is_here_with_all_its_versions_and_mounts_and_what_comes_later() {
    let network = Network::new();
    let (theirs, ours) = (store(), store());
    let drives = network.wait(async {
        let drives = [
            drive_in(&theirs, 1).await,
            drive_in(&theirs, 2).await,
            drive_in(&theirs, 3).await,
        ];
        for content in ["one", "two", "three"] {
            write(&drives[0], "/file", content).await;
            write(&drives[1], "/file", content).await;
        }
        mount(&drives[0], "/m", Mount::drive(drives[1].key())).await;
        drives
    });
    let _connection = network.connect(&theirs, &ours);
    network.wait(async {
        let [one, two, three] = &drives;
        let copy = copy_in(&ours, one).await;
        let keeping = tokio::spawn(copy.keep(KeepOptions::new()));
        let twice = tokio::spawn(copy.keep(KeepOptions::new()));
        let until = async |path: &str, blocks: u64| {
            copy.metadata().wait_longer_than(1).await.unwrap();
            let drive = copy.holder(path).await.unwrap().drive().clone();
            let content = drive.content().await.unwrap();
            let mut events = content.events();
            while content.downloaded(0..content.length()) < blocks {
                events.next().await.unwrap();
            }
            assert_eq!(kept(&drive).await, (blocks, blocks));
        };
        until("/", 3).await;
        until("/m", 3).await;
        write(one, "/file", "four").await;
        until("/", 4).await;
        // A mount that comes later, in a mounted drive.
        write(three, "/x", "x").await;
        mount(two, "/three", Mount::drive(three.key())).await;
        let mut watch = copy.watch("/m");
        while !copy.exists("/m/three").await.unwrap() {
            watch.next().await.unwrap();
        }
        until("/m/three", 1).await;

        // What is no longer kept is not fetched any more.
        keeping.abort();
        twice.abort();
        assert!(keeping.await.is_err() && twice.await.is_err());
        write(one, "/file", "five").await;
        let length = copy
            .content()
            .await
            .unwrap()
            .wait_longer_than(4)
            .await
            .unwrap();
        assert_eq!((length, kept(&copy).await), (5, (4, 5)));
        assert_eq!(text(&copy, "/m/three/x").await, "x");
    });
}
