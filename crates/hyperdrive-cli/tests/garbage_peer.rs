//! A peer that sends garbage, or nothing, costs a clear message and nothing else.

mod common;

use std::io::Write;
use std::net::TcpListener;
use std::thread;

use common::{Place, noise, sample, tree};

const KEY: &str = "7b88cc7548c8c80f7e4d38426ab37c6e26a23e5dfe0b79c3932496cc24ebe21d";

/// Serves `bytes` to everybody who connects, and returns the address.
fn garbage(bytes: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.write_all(&bytes);
        }
    });
    address
}

#[test]
fn random_bytes_end_in_a_message() {
    let place = Place::new();
    for seed in 0..4 {
        let peer = garbage(noise(seed, 100_000));
        let args = ["ls", KEY, "--peer", &peer, "--timeout", "1"];
        place.run("reader", &args).expect(5).tells(&peer);
    }
}

#[test]
fn text_ends_in_a_message() {
    let place = Place::new();
    let peer = garbage(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec());
    place
        .run("reader", &["ls", KEY, "--peer", &peer, "--timeout", "1"])
        .expect(5)
        .tells(&peer);
}

#[test]
fn an_honest_peer_beside_it_is_used() {
    let place = Place::new();
    sample(&place.folder("source"));
    let sharing = place.share("author", "source");
    let bad = garbage(noise(5, 100_000));
    let args = [
        "clone",
        &sharing.link,
        "copy",
        "--peer",
        &bad,
        "--peer",
        &sharing.address,
    ];
    place.run("reader", &args).expect(0);
    assert_eq!(tree(&place.path("copy")), tree(&place.path("source")));
}

#[test]
fn a_serving_process_goes_on_when_it_is_sent_garbage() {
    let place = Place::new();
    sample(&place.folder("source"));
    let sharing = place.share("author", "source");
    for seed in 0..8 {
        let mut stream = std::net::TcpStream::connect(&sharing.address).unwrap();
        let _ = stream.write_all(&noise(seed, 50_000));
    }
    place
        .run(
            "reader",
            &["clone", &sharing.link, "copy", "--peer", &sharing.address],
        )
        .expect(0);
    assert_eq!(tree(&place.path("copy")), tree(&place.path("source")));
}
