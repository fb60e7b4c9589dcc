//! A share that is killed in its first import leaves a drive that the next one completes.

mod common;

use std::fs;
use std::path::Path;

use common::{Place, noise, tree, write};

fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

fn large_source(place: &Place) {
    let source = place.folder("source");
    for file in 0..400 {
        write(
            &source,
            &format!("{}/{file}", file % 7),
            noise(file, 200_000),
        );
    }
}

/// Starts an import, and returns when a part of it is stored.
fn started(place: &Place) -> common::Background {
    let process = place.start("author", &["share", "source", "--listen", "127.0.0.1:0"]);
    while bytes_below(&place.path("author/storage/cores")) < 4_000_000 {
        std::thread::yield_now();
    }
    process
}

fn check_that_it_goes_on(place: &Place) {
    let sharing = place.share("author", "source");
    place
        .run(
            "reader",
            &["clone", &sharing.link, "copy", "--peer", &sharing.address],
        )
        .expect(0);
    assert_eq!(tree(&place.path("copy")), tree(&place.path("source")));
}

#[test]
fn killed_in_the_middle() {
    let place = Place::new();
    large_source(&place);
    started(&place).kill();
    check_that_it_goes_on(&place);
}

#[cfg(unix)]
#[test]
fn interrupted_in_the_middle() {
    let place = Place::new();
    large_source(&place);
    let process = started(&place);
    process.interrupt();
    let ended = process.end().expect(130);
    assert_eq!(
        ended.text(),
        "",
        "a link was printed for a drive that is not complete"
    );
    check_that_it_goes_on(&place);
}
