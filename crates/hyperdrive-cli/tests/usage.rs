//! A wrong command line ends with status 2 and says what was expected.

mod common;

use common::run;

const KEY: &str = "7b88cc7548c8c80f7e4d38426ab37c6e26a23e5dfe0b79c3932496cc24ebe21d";

#[test]
fn no_command() {
    run(std::iter::empty::<&str>())
        .expect(2)
        .tells("Usage: hyperdrive");
}

#[test]
fn an_unknown_command_or_flag() {
    run(["shore", "."]).expect(2).tells("share");
    run(["share", ".", "--wotch"]).expect(2).tells("--watch");
}

#[test]
fn a_link_that_is_none() {
    run(["ls", "hyper://not-a-key/"])
        .expect(2)
        .tells("hyper://not-a-key/");
    run(["clone", &KEY[1..]]).expect(2).tells("64");
    run(["seed"]).expect(2).tells("<LINK>");
    run(["cat", &format!("{KEY}+x/a")]).expect(2);
}

#[test]
fn a_link_with_parts_that_mean_nothing_here() {
    for link in ["a?b", "a#b"] {
        run(["cat", &format!("{KEY}/{link}")])
            .expect(2)
            .tells("%3F");
    }
    run(["clone", &format!("{KEY}/docs")])
        .expect(2)
        .tells("as a whole");
}

#[test]
fn a_range_that_is_none() {
    for range in ["5-3", "abc", "-", "1-2-3"] {
        run(["cat", KEY, "--range", range])
            .expect(2)
            .tells("--range");
    }
}

#[test]
fn a_peer_without_a_port() {
    run(["ls", KEY, "--peer", "example.org"])
        .expect(2)
        .tells("HOST:PORT");
}

#[test]
fn an_address_or_timeout_that_is_none() {
    run(["share", ".", "--listen", "nowhere"])
        .expect(2)
        .tells("--listen");
    run(["ls", KEY, "--timeout=-3"]).expect(2).tells("seconds");
}
