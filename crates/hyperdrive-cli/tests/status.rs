//! `status` tells how others see this machine, from a running process or by asking.

mod common;

use common::{Network, Place, sample, transcript};
use serde_json::Value;

#[test]
fn others_are_asked_if_no_process_runs() {
    let network = Network::of_four();
    let place = Place::new();
    let status = network.run(&place, &["status", "--json"]).expect(0).json();
    assert_eq!(status["process"], Value::Null);
    let seen = &status["network"];
    assert_eq!(seen["reachable"], true, "{status}");
    assert_eq!(seen["nat"], "none");
    assert_eq!(seen["address"], "127.0.0.1");
    assert!(seen["port"].as_u64().is_some());
    assert_eq!(seen["nodes"], 4);
    assert_eq!(seen["lanLinks"], Value::Null);
    // Nothing is left behind: it needs no storage.
    assert!(!place.path("reader").exists());
}

#[test]
fn a_running_process_is_asked() {
    let network = Network::of_four();
    let place = Place::new();
    sample(&place.folder("source"));
    let (mut sharing, link) = network.share(&place);
    let address = sharing.address();
    network.run(&place, &["clone", &link, "copy"]).expect(0);
    // Without --bootstrap or --no-lan: what that process knows is told, and nobody else is asked.
    let status = place.run("author", &["status", "--json"]).expect(0).json();
    let process = &status["process"];
    assert_eq!(process["pid"], sharing.pid());
    assert_eq!(process["listening"], address);
    assert!(process["sent"].as_u64() > Some(800_000), "{status}");
    assert_eq!(process["drives"], 1);
    assert_eq!(status["network"]["nat"], "none");
    let port: u64 = address.rsplit_once(':').unwrap().1.parse().unwrap();
    assert_eq!(status["network"]["port"], port);
    sharing.interrupt();
    sharing.end().expect(130);
}

#[test]
fn a_process_without_discovery_says_so() {
    let place = Place::new();
    sample(&place.folder("source"));
    let sharing = place.share("author", "source");
    let ended = place.run("author", &["status"]).expect(0);
    let text = ended.text();
    assert!(text.contains(&sharing.address), "{text}");
    assert!(text.ends_with("discovery     off\n"), "{text}");
}

#[test]
fn without_discovery_nobody_is_asked() {
    let place = Place::new();
    let status = place.run("none", &["status", "--json"]).expect(0).json();
    assert_eq!(status["network"], Value::Null);
}

#[test]
fn that_nobody_answers_is_told_within_ten_seconds() {
    let place = Place::new();
    let mut command = place.command("none", &["status", "--no-lan"]);
    command
        .args(["--bootstrap", "127.0.0.1:1"])
        .env_remove("HYPERDRIVE_NO_SWARM");
    let started = std::time::Instant::now();
    let ended = common::Background::spawn(command).end().expect(5);
    assert!(started.elapsed().as_secs() < 15);
    let ended = ended.tells("no node of the DHT answered");
    assert!(ended.text().contains("unknown: nobody answers"));
}

#[test]
fn the_transcript_is_true() {
    let network = Network::of_four();
    let env = [
        ("HYPERDRIVE_BOOTSTRAP", network.address.as_str()),
        ("HYPERDRIVE_NO_SWARM", ""),
    ];
    transcript::check(&Place::new(), "status", &env);
}
