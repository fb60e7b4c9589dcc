//! Who is dialled, when, and how often: the policy on a virtual clock.

use std::net::{IpAddr, SocketAddrV4};
use std::time::Duration;

use hyperswarm::peers::{
    DOUBTFUL_PAUSE, FORGET, MAX_BANS, PAUSES, Peers, PeersConfig, Source, Topic,
};

const TOPIC: Topic = [7; 32];
const OTHER: Topic = [8; 32];

#[test]
fn a_peer_is_dialled_once_however_often_it_is_found() {
    let mut peers = peers(PeersConfig::default());
    assert!(peers.found(at(0), TOPIC, public(1), told_by(1)));
    assert!(!peers.found(at(0), TOPIC, public(1), told_by(2)));
    assert!(
        peers.found(at(0), OTHER, public(1), told_by(2)),
        "a new topic is news"
    );
    let dial = peers.poll_dial(at(0)).expect("somebody to dial");
    assert_eq!(dial.address, public(1));
    assert_eq!(dial.referrer, Some(node(2)), "the latest node to know it");
    assert_eq!(peers.poll_dial(at(0)), None);
    assert_eq!(peers.topics(&public(1)), [TOPIC, OTHER]);
    assert!(peers.connected(at(0), &public(1)));
    assert!(!peers.found(at(1), TOPIC, public(1), told_by(1)));
    assert_eq!(peers.poll_dial(at(1)), None);
}

#[test]
fn failures_are_followed_by_longer_pauses_and_then_by_oblivion() {
    let mut peers = peers(PeersConfig::default());
    found_well(&mut peers, public(1));
    let mut now = at(0);
    for pause in PAUSES {
        peers.poll_dial(now).expect("an attempt");
        peers.failed(now, &public(1));
        assert_eq!(peers.poll_timeout(now), Some(now + pause));
        assert_eq!(peers.poll_dial(now + pause - at(1)), None, "early");
        now += pause;
    }
    peers.poll_dial(now).expect("the last attempt");
    assert!(peers.has_prospects(&TOPIC));
    peers.failed(now, &public(1));
    assert!(!peers.has_prospects(&TOPIC));
    assert_eq!(peers.poll_timeout(now), None);
    // Found at once it is still the one that failed; found later it is a new one.
    peers.found(now + FORGET - at(1), TOPIC, public(1), told_by(1));
    assert_eq!(peers.poll_dial(now + FORGET), None);
    peers.found(now + FORGET, TOPIC, public(1), told_by(1));
    assert!(peers.poll_dial(now + FORGET).is_some());
}

#[test]
fn a_lost_connection_is_made_again_before_others_are_tried() {
    let mut peers = peers(PeersConfig::default());
    found_well(&mut peers, public(1));
    peers.poll_dial(at(0)).expect("an attempt");
    assert!(peers.connected(at(0), &public(1)));
    peers.failed(at(10_000), &public(1));
    for other in 2..20 {
        found_well(&mut peers, public(other));
    }
    let dial = peers.poll_dial(at(10_000) + PAUSES[0]).expect("an attempt");
    assert_eq!(dial.address, public(1));
    // Its pauses begin anew with each connection.
    assert!(peers.connected(at(0), &public(1)));
    peers.failed(at(20_000), &public(1));
    let dial = peers.poll_dial(at(20_000) + PAUSES[0]).expect("an attempt");
    assert_eq!(dial.address, public(1));
}

#[test]
fn neighbours_come_first_and_those_who_never_answered_last() {
    let mut peers = peers(PeersConfig::default());
    found_well(&mut peers, public(9));
    peers.poll_dial(at(0)).expect("an attempt");
    peers.failed(at(0), &public(9));
    let later = at(0) + PAUSES[0];
    found_well(&mut peers, public(1));
    peers.found(later, TOPIC, address([192, 168, 0, 2], 5000), Source::Lan);
    let order: Vec<SocketAddrV4> = std::iter::from_fn(|| peers.poll_dial(later))
        .map(|dial| dial.address)
        .collect();
    assert_eq!(
        order,
        [address([192, 168, 0, 2], 5000), public(1), public(9)]
    );
}

#[test]
fn a_neighbour_is_dialled_without_referrer() {
    let mut peers = peers(PeersConfig::default());
    let neighbour = address([192, 168, 0, 2], 5000);
    peers.found(at(0), TOPIC, neighbour, told_by(1));
    peers.found(at(0), TOPIC, neighbour, Source::Lan);
    let dial = peers.poll_dial(at(0)).expect("an attempt");
    assert_eq!(dial.referrer, None);
}

#[test]
fn who_shares_our_public_address_is_tried_once() {
    let mut peers = peers(PeersConfig::default());
    peers.set_public(Some([203, 0, 113, 1].into()));
    found_well(&mut peers, public(1));
    peers.poll_dial(at(0)).expect("an attempt");
    peers.failed(at(0), &public(1));
    assert_eq!(peers.poll_timeout(at(0)), None);
}

#[test]
fn a_topic_that_was_left_and_joined_again_is_dialled_again() {
    // The reference keeps such a peer marked as being dealt with, and never dials it again.
    let mut peers = peers(PeersConfig::default());
    found_well(&mut peers, public(1));
    peers.leave(&TOPIC);
    assert_eq!(peers.poll_dial(at(0)), None);
    found_well(&mut peers, public(1));
    assert!(peers.poll_dial(at(0)).is_some());
    // Also when it was left during the attempt.
    peers.leave(&TOPIC);
    peers.failed(at(1), &public(1));
    assert!(peers.is_empty());
    found_well(&mut peers, public(1));
    assert!(peers.poll_dial(at(10)).is_some());
}

#[test]
fn we_are_never_dialled_ourselves() {
    let mut peers = peers(PeersConfig::default());
    found_well(&mut peers, public(1));
    peers.set_own([public(1), public(2)]);
    assert!(!peers.found(at(0), TOPIC, public(2), told_by(1)));
    assert_eq!(peers.poll_dial(at(0)), None);
}

#[test]
fn addresses_where_nobody_can_be_are_not_dialled() {
    let mut peers = peers(PeersConfig::default());
    for nowhere in [
        address([0, 0, 0, 0], 5000),
        address([0, 1, 2, 3], 5000),
        address([224, 0, 0, 251], 5000),
        address([255, 255, 255, 255], 5000),
        address([203, 0, 113, 1], 0),
    ] {
        assert!(!peers.found(at(0), TOPIC, nowhere, told_by(1)), "{nowhere}");
    }
    assert!(peers.is_empty());
}

#[test]
fn attempts_under_way_have_a_limit() {
    let config = limits(|config| config.max_dials = 3);
    let mut peers = peers(config);
    for peer in 1..=5 {
        found_well(&mut peers, public(peer));
    }
    let dials: Vec<_> = std::iter::from_fn(|| peers.poll_dial(at(0))).collect();
    assert_eq!(dials.len(), 3);
    assert_eq!(
        peers.poll_timeout(at(0)),
        None,
        "nothing to wait for but an end"
    );
    peers.failed(at(0), &dials[0].address);
    assert_eq!(peers.poll_timeout(at(0)), Some(at(0)));
    assert!(peers.poll_dial(at(0)).is_some());
}

#[test]
fn connections_have_a_limit_and_room_is_kept_for_our_own() {
    let config = limits(|config| {
        config.max_connections = 4;
        config.max_incoming = 2;
    });
    let mut peers = peers(config);
    assert!(peers.accept(ip([203, 0, 113, 1])));
    assert!(peers.accept(ip([203, 0, 113, 2])));
    assert!(
        !peers.accept(ip([203, 0, 113, 3])),
        "the rest is for our own"
    );
    for peer in 1..=3 {
        found_well(&mut peers, public(peer));
    }
    for _ in 0..2 {
        let dial = peers.poll_dial(at(0)).expect("there is room");
        assert!(peers.connected(at(0), &dial.address));
    }
    assert_eq!(peers.connections(), 4);
    assert!(!peers.accept(ip([203, 0, 113, 4])));
    assert_eq!(peers.poll_dial(at(0)), None);
    assert!(peers.is_flushed(), "nobody else can be tried");
    peers.left(ip([203, 0, 113, 1]));
    assert!(peers.poll_dial(at(0)).is_some());
}

#[test]
fn a_dial_that_succeeds_too_late_is_given_up() {
    let config = limits(|config| config.max_connections = 1);
    let mut peers = peers(config);
    found_well(&mut peers, public(1));
    let dial = peers.poll_dial(at(0)).expect("there is room");
    assert!(peers.accept(ip([203, 0, 113, 9])));
    assert!(!peers.connected(at(0), &dial.address));
    assert_eq!(peers.connections(), 1);
    // Also when its topic was left.
    let mut peers = self::peers(PeersConfig::default());
    found_well(&mut peers, public(1));
    let dial = peers.poll_dial(at(0)).expect("there is room");
    peers.leave(&TOPIC);
    assert!(!peers.connected(at(0), &dial.address));
    assert!(peers.is_empty());
}

#[test]
fn one_host_cannot_take_all_places() {
    let config = limits(|config| config.max_incoming_per_ip = 2);
    let mut peers = peers(config);
    let host = ip([203, 0, 113, 1]);
    assert!(peers.accept(host) && peers.accept(host));
    assert!(!peers.accept(host));
    assert!(peers.accept(ip([203, 0, 113, 2])));
    peers.left(host);
    assert!(peers.accept(host));
    // Programs of this machine all have one address.
    for _ in 0..10 {
        assert!(peers.accept(ip([127, 0, 0, 1])));
    }
}

#[test]
fn the_banned_are_neither_dialled_nor_let_in() {
    let mut peers = peers(PeersConfig::default());
    found_well(&mut peers, public(1));
    peers.ban(public(1));
    assert_eq!(peers.poll_dial(at(0)), None);
    assert!(!peers.found(at(0), TOPIC, public(1), told_by(1)));
    assert!(!peers.accept(ip([203, 0, 113, 1])));
    assert!(peers.accept(ip([203, 0, 113, 2])));
    // Others of this machine do not answer for one of them.
    peers.ban(address([127, 0, 0, 1], 5000));
    assert!(peers.accept(ip([127, 0, 0, 1])));
    for peer in 0..MAX_BANS {
        let port = 2000 + u16::try_from(peer).expect("a port");
        peers.ban(address([198, 51, 100, 1], port));
    }
    assert!(!peers.accept(ip([198, 51, 100, 1])));
}

#[test]
fn a_host_that_was_banned_is_not_let_in_over_either_family() {
    let mut peers = peers(PeersConfig::default());
    let six = |last| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
    peers.ban_host(six(1));
    peers.ban_host(ip([203, 0, 113, 1]));
    peers.ban_host(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]));
    assert!(!peers.accept(six(1)));
    assert!(!peers.accept(ip([203, 0, 113, 1])));
    assert!(peers.accept(six(2)));
    assert!(peers.accept(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])));
    // What is found there may still be dialled: it is another program, perhaps.
    assert!(peers.found(at(0), TOPIC, public(1), told_by(1)));
    // Beyond the limit hosts are not remembered.
    for host in 0..u16::try_from(MAX_BANS).expect("a few thousand") {
        peers.ban_host(six(0x1000 + host));
    }
    assert!(!peers.accept(six(0x1001)));
    assert!(peers.accept(six(0x0fff + u16::try_from(MAX_BANS).expect("as above"))));
}

#[test]
fn a_duplicate_rests_until_the_better_connection_ends() {
    let mut peers = peers(PeersConfig::default());
    found_well(&mut peers, public(1));
    peers.poll_dial(at(0)).expect("an attempt");
    assert!(peers.connected(at(0), &public(1)));
    peers.rest(&public(1));
    peers.found(at(100_000), TOPIC, public(1), told_by(1));
    assert_eq!(peers.poll_dial(at(100_000)), None);
    peers.released(&public(1));
    assert!(peers.poll_dial(at(100_000)).is_some());
}

#[test]
fn flushed_when_everybody_was_tried_once() {
    let mut peers = peers(PeersConfig::default());
    assert!(peers.is_flushed());
    found_well(&mut peers, public(1));
    found_well(&mut peers, public(2));
    for _ in 0..2 {
        assert!(!peers.is_flushed());
        let dial = peers.poll_dial(at(0)).expect("an attempt");
        assert!(!peers.is_flushed());
        peers.failed(at(0), &dial.address);
    }
    assert!(peers.is_flushed(), "further attempts are not waited for");
}

#[test]
fn known_peers_have_a_limit_and_the_spent_make_room() {
    let config = limits(|config| config.max_peers = 3);
    let mut peers = peers(config);
    for peer in 1..=4 {
        found_well(&mut peers, public(peer));
    }
    assert_eq!(peers.len(), 3);
    peers.set_public(Some([203, 0, 113, 1].into()));
    let mut now = at(0);
    // One of them fails until it is forgotten.
    let dial = peers.poll_dial(now).expect("an attempt");
    for pause in PAUSES {
        peers.failed(now, &dial.address);
        now += pause;
        while peers
            .poll_dial(now)
            .is_some_and(|it| it.address != dial.address)
        {}
    }
    peers.failed(now, &dial.address);
    assert!(!peers.found(now, TOPIC, public(4), told_by(1)));
    assert!(peers.found(now + FORGET, TOPIC, public(4), told_by(1)));
    assert_eq!(peers.len(), 3);
}

#[test]
fn fault_n7_a_victims_address_is_dialled_once_a_minute_at_most() {
    let mut peers = peers(PeersConfig::default());
    let mut attempts = Vec::new();
    // For an hour one node tells of the victim every second, from as many ports as it likes.
    for second in 0..3600 {
        let now = Duration::from_secs(second);
        let referrer = address(
            [198, 51, 100, 66],
            2000 + u16::try_from(second).expect("below 3600"),
        );
        peers.found(now, TOPIC, public(1), Source::Dht { referrer });
        while let Some(dial) = peers.poll_dial(now) {
            attempts.push(now);
            peers.failed(now, &dial.address);
        }
    }
    assert!(attempts.len() <= 60, "{}", attempts.len());
    assert!(
        attempts
            .windows(2)
            .all(|pair| pair[1] - pair[0] >= DOUBTFUL_PAUSE)
    );
}

#[test]
fn fault_n7_ports_of_other_services_are_not_dialled() {
    let mut peers = peers(PeersConfig::default());
    for port in [1, 22, 25, 53, 443, 1023] {
        let victim = address([203, 0, 113, 1], port);
        assert!(!peers.found(at(0), TOPIC, victim, told_by(1)));
        // A neighbour says so itself.
        assert!(peers.found(at(0), TOPIC, victim, Source::Lan));
    }
    assert!(peers.found(at(0), TOPIC, address([203, 0, 113, 1], 1024), told_by(1)));
}

#[test]
fn fault_n7_a_topic_full_of_inventions_does_not_fill_the_table() {
    let mut peers = peers(PeersConfig::default());
    let mut dials = 0;
    for tick in 0..60_000u32 {
        let now = at(u64::from(tick));
        let [_, b, c, d] = tick.to_be_bytes();
        let invented = address([100, 1 + b, c, d], 5000);
        peers.found(now, TOPIC, invented, told_by(1));
        while let Some(dial) = peers.poll_dial(now) {
            dials += 1;
            peers.failed(now, &dial.address);
        }
    }
    // 512 at once and 512 in the minute; each is dialled once, since one node alone tells of it.
    assert!(peers.len() <= 1024, "{}", peers.len());
    assert!(dials <= 1024, "{dials}");
    // Another topic is not affected.
    assert!(peers.found(at(60_000), OTHER, public(1), told_by(2)));
}

/// Of another DHT nothing is known that could forward a hole punch, and nothing of who told.
#[test]
fn fault_n7_what_another_dht_tells_is_doubted_as_well() {
    let mut peers = peers(limits(|config| config.max_new_per_topic = 3));
    let privileged = address([203, 0, 113, 1], 80);
    assert!(!peers.found(at(0), TOPIC, privileged, Source::Mainline));
    assert!(peers.found(at(0), TOPIC, public(1), Source::Mainline));
    assert!(!peers.found(at(0), TOPIC, public(1), Source::Mainline));
    let dial = peers.poll_dial(at(0)).expect("an attempt");
    assert_eq!((dial.address, dial.referrer), (public(1), None));
    peers.failed(at(0), &public(1));
    let again = at(0) + DOUBTFUL_PAUSE;
    assert_eq!(peers.poll_dial(again - at(1)), None);
    assert!(peers.poll_dial(again).is_some());
    // Peers that it invents count as those of the DHT do.
    assert!(peers.found(at(0), OTHER, public(2), Source::Mainline));
    assert!(peers.found(at(0), OTHER, public(3), told_by(1)));
    assert!(peers.found(at(0), OTHER, public(4), Source::Mainline));
    assert!(!peers.found(at(0), OTHER, public(5), Source::Mainline));
}

fn peers(config: PeersConfig) -> Peers {
    Peers::new(config, [5; 32], at(0))
}

fn limits(change: impl FnOnce(&mut PeersConfig)) -> PeersConfig {
    let mut config = PeersConfig::default();
    change(&mut config);
    config
}

/// Told by two nodes, so that nobody doubts it.
fn found_well(peers: &mut Peers, address: SocketAddrV4) {
    peers.found(at(0), TOPIC, address, told_by(1));
    peers.found(at(0), TOPIC, address, told_by(2));
}

fn ip(octets: [u8; 4]) -> IpAddr {
    IpAddr::from(octets)
}

fn public(last: u8) -> SocketAddrV4 {
    address([203, 0, 113, last], 5000)
}

fn node(last: u8) -> SocketAddrV4 {
    address([198, 51, 100, last], 49737)
}

fn told_by(last: u8) -> Source {
    Source::Dht {
        referrer: node(last),
    }
}

fn address(ip: [u8; 4], port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(ip.into(), port)
}

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
