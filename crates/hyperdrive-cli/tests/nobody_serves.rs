//! Nobody serves the drive: a clear message in time, never a hang.

mod common;

use std::time::{Duration, Instant};

use common::{Place, sample};

const KEY: &str = "7b88cc7548c8c80f7e4d38426ab37c6e26a23e5dfe0b79c3932496cc24ebe21d";

#[test]
fn nobody_to_ask_at_all() {
    let place = Place::new();
    let (file, drive) = (format!("hyper://{KEY}/a"), format!("hyper://{KEY}/"));
    for (command, link) in [
        ("ls", &file),
        ("cat", &file),
        ("stat", &file),
        ("info", &file),
        ("clone", &drive),
    ] {
        place
            .run("reader", &[command, link, "--timeout", "2"])
            .expect(5)
            .tells("--peer");
    }
}

#[test]
fn the_peer_is_not_there() {
    let place = Place::new();
    let peer = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let peer = peer.to_string();
    let started = Instant::now();
    let ended = place
        .run("reader", &["ls", KEY, "--peer", &peer, "--timeout", "1"])
        .expect(5);
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    ended.tells(&peer).tells("refused");
}

#[test]
fn the_peer_does_not_know_the_key() {
    let place = Place::new();
    sample(&place.folder("source"));
    let sharing = place.share("author", "source");
    let args = [
        "clone",
        KEY,
        "copy",
        "--peer",
        &sharing.address,
        "--timeout",
        "1",
    ];
    place.run("reader", &args).expect(5).tells(&sharing.address);
    assert!(!place.path("copy").exists());
}

#[test]
fn what_is_held_is_shown_when_nobody_answers() {
    let place = Place::new();
    sample(&place.folder("source"));
    let sharing = place.share("author", "source");
    let file = format!("{}hello.txt", sharing.link);
    place
        .run("reader", &["cat", &file, "--peer", &sharing.address])
        .expect(0);
    sharing.process.interrupt();
    sharing.process.end();
    let read = place
        .run("reader", &["cat", &file, "--peer", &sharing.address])
        .expect(0);
    assert_eq!(read.text(), "hello\n");
    read.tells("no peer");
    // What was never fetched is not to be had.
    let other = format!("{}two-blocks.bin", sharing.link);
    place
        .run("reader", &["cat", &other, "--timeout", "1"])
        .expect(5);
}
