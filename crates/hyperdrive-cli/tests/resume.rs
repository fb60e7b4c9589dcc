//! What was downloaded is not downloaded again, and what was written is not written again.

mod common;

use std::fs;

use common::{Place, Proxy, noise, tree, write};

#[test]
fn an_interrupted_clone_goes_on() {
    let place = Place::new();
    let source = place.folder("source");
    let (files, size) = (40, 400_000);
    for file in 0..files {
        write(&source, &format!("{file:02}"), noise(file, size));
    }
    let total = files * size as u64;
    let sharing = place.share("author", "source");

    // The connection breaks down halfway, and the peer is gone.
    let half = Proxy::new(&sharing.address, total / 2);
    let args = ["clone", &sharing.link, "copy", "--timeout", "1", "--peer"];
    place
        .run("reader", &[&args[..], &[&half.address]].concat())
        .expect(5);
    assert_ne!(tree(&place.path("copy")), tree(&source));

    let rest = Proxy::new(&sharing.address, u64::MAX);
    place
        .run("reader", &[&args[..], &[&rest.address]].concat())
        .expect(0);
    assert_eq!(tree(&place.path("copy")), tree(&source));
    // What was under way when it broke down is sent twice, and proofs take some bytes.
    let sent = half.sent() + rest.sent();
    assert!(sent < total * 6 / 5, "{sent} bytes were sent for {total}");
}

#[test]
fn what_the_storage_has_needs_no_peer() {
    let place = Place::new();
    common::sample(&place.folder("source"));
    let sharing = place.share("author", "source");
    place
        .run(
            "reader",
            &["clone", &sharing.link, "one", "--peer", &sharing.address],
        )
        .expect(0);
    sharing.process.interrupt();
    sharing.process.end();
    place
        .run("reader", &["clone", &sharing.link, "two"])
        .expect(0)
        .tells("no peer");
    assert_eq!(tree(&place.path("two")), tree(&place.path("source")));
}

#[test]
fn a_second_clone_leaves_files_as_they_are() {
    let place = Place::new();
    common::sample(&place.folder("source"));
    let sharing = place.share("author", "source");
    let args = ["clone", &sharing.link, "copy", "--peer", &sharing.address];
    place.run("reader", &args).expect(0);
    place
        .run("reader", &args)
        .expect(0)
        .tells("0 files written");
}

#[test]
fn files_of_the_users_own_are_never_replaced() {
    let place = Place::new();
    common::sample(&place.folder("source"));
    let sharing = place.share("author", "source");
    write(&place.folder("copy"), "hello.txt", "mine");
    write(&place.path("copy"), "also mine", "mine");
    let args = ["clone", &sharing.link, "copy", "--peer", &sharing.address];
    place.run("reader", &args).expect(3).tells("hello.txt");
    assert_eq!(fs::read(place.path("copy/hello.txt")).unwrap(), b"mine");
    assert_eq!(fs::read(place.path("copy/also mine")).unwrap(), b"mine");
    assert!(place.path("copy/docs/readme.md").exists());

    let args = [
        "clone",
        &sharing.link,
        "copy",
        "--force",
        "--peer",
        &sharing.address,
    ];
    place.run("reader", &args).expect(0);
    assert_eq!(fs::read(place.path("copy/hello.txt")).unwrap(), b"hello\n");
    assert_eq!(fs::read(place.path("copy/also mine")).unwrap(), b"mine");
}
