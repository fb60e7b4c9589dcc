//! A link is enough: whoever shares and whoever reads find each other through a node of the DHT.

mod common;

use common::{Background, Network, Place, sample, tree, write};

#[test]
fn share_and_clone_find_each_other_by_link_alone() {
    let network = Network::start();
    let place = Place::new();
    sample(&place.folder("source"));
    let (_sharing, link) = network.share(&place);
    network.run(&place, &["clone", &link, "copy"]).expect(0);
    assert_eq!(tree(&place.path("copy")), tree(&place.path("source")));
}

#[test]
fn a_file_is_read_by_link_alone() {
    let network = Network::start();
    let place = Place::new();
    sample(&place.folder("source"));
    let (_sharing, link) = network.share(&place);
    let listed = network.run(&place, &["ls", &link]).expect(0).text();
    assert!(listed.lines().any(|line| line == "hello.txt"), "{listed}");
}

#[test]
fn a_seed_is_found_when_the_author_is_gone() {
    let network = Network::start();
    let place = Place::new();
    sample(&place.folder("source"));
    let (sharing, link) = network.share(&place);
    let args = ["seed", &link, "--listen", "127.0.0.1:0"];
    let mut seed = Background::spawn(network.command(&place, "seed", &args));
    seed.stderr_with("complete at version");
    sharing.interrupt();
    sharing.end().expect(130);
    network.run(&place, &["clone", &link, "copy"]).expect(0);
    assert_eq!(tree(&place.path("copy")), tree(&place.path("source")));
}

#[test]
fn a_mounted_drive_is_found_once_its_own_author_serves_it() {
    let network = Network::start();
    let place = Place::new();
    write(&place.folder("source"), "file", "hers\n");
    let (sharing, inner) = network.share(&place);
    sharing.interrupt();
    sharing.end().expect(130);
    let mine = place.run("mine", &["create"]).expect(0).text();
    let mine = mine.trim();
    let at = format!("{mine}friends/ann");
    place.run("mine", &["mount", &at, &inner]).expect(0);
    let args = ["seed", mine, "--listen", "127.0.0.1:0"];
    let mut seed = Background::spawn(network.command(&place, "mine", &args));
    seed.stderr_with("complete at version");

    // Nobody has it, and a reader that knows nothing of it is told so.
    let file = format!("{at}/file");
    let args = ["cat", &file, "--timeout", "2"];
    let ended = Background::spawn(network.command(&place, "early", &args)).end();
    ended.expect(5).tells("what is mounted at '/friends/ann'");
    let args = ["ls", mine, "-R", "--timeout", "2"];
    let ended = Background::spawn(network.command(&place, "early", &args)).end();
    assert_eq!(ended.expect(3).text(), "friends/ann\n");

    let (_sharing, again) = network.share(&place);
    assert_eq!(again, inner);
    let read = network.run(&place, &["cat", &file]).expect(0).text();
    assert_eq!(read, "hers\n");
    let listed = network.run(&place, &["ls", mine, "-R"]).expect(0).text();
    assert_eq!(listed, "friends/ann\nfriends/ann/file\n");
}

#[test]
fn a_drive_that_nobody_has_is_told() {
    let network = Network::start();
    let place = Place::new();
    let link = format!("hyper://{}/", "7".repeat(64));
    let args = ["clone", &link, "copy", "--timeout", "2"];
    let ended = network.run(&place, &args).expect(5);
    ended.tells("nobody found");
}

#[test]
fn a_node_of_the_dht_ends_when_asked() {
    let network = Network::start();
    let node = network.into_first();
    node.interrupt();
    node.end().expect(130);
}
