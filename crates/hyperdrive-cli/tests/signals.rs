//! SIGINT and SIGTERM end a command cleanly, with the status that shells expect.
#![cfg(unix)]

mod common;

use common::{Place, sample};

#[test]
fn interrupt_and_terminate() {
    let place = Place::new();
    sample(&place.folder("source"));
    for (signal, status) in [("INT", 130), ("TERM", 143)] {
        let sharing = place.share("author", "source");
        sharing.process.signal(signal);
        sharing.process.end().expect(status);
        assert!(!place.path("author/storage/node.json").exists());
    }
    // Nothing was lost by it.
    let sharing = place.share("author", "source");
    place
        .run(
            "reader",
            &["clone", &sharing.link, "copy", "--peer", &sharing.address],
        )
        .expect(0);
}

#[test]
fn a_command_that_waits_for_a_peer_can_be_interrupted() {
    let place = Place::new();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = silent.local_addr().unwrap().to_string();
    let key = "7b88cc7548c8c80f7e4d38426ab37c6e26a23e5dfe0b79c3932496cc24ebe21d";
    let reading = place.start("reader", &["ls", key, "--peer", &peer, "--timeout", "600"]);
    let _connected = silent.accept().unwrap();
    reading.signal("INT");
    let ended = reading.end().expect(130);
    assert_eq!(ended.stderr, "");
}

#[test]
fn a_reader_that_goes_away_ends_cat_quietly() {
    let place = Place::new();
    common::write(&place.folder("source"), "big", common::noise(3, 4 << 20));
    let sharing = place.share("author", "source");
    let file = format!("{}big", sharing.link);
    let mut command = place.command("author", &["cat", &file]);
    let mut child = command.spawn().unwrap();
    // One byte is read, then the pipe is closed.
    let mut out = child.stdout.take().unwrap();
    std::io::Read::read_exact(&mut out, &mut [0]).unwrap();
    drop(out);
    let stderr = common::read_all(child.stderr.take().unwrap());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&stderr), "");
}
