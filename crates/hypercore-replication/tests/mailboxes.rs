//! Mailboxes of a log carry messages between two of our own replicators.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{Link, Ours, World, open, reader, writer, writer_of};
use futures_lite::future;
use hypercore::{
    Feed, MAX_MAIL_BYTES, MAX_MAILBOX_BYTES, MAX_MAILBOX_NAME_BYTES, MAX_MAILBOXES,
    MAX_WAITING_MAIL, MAX_WAITING_MAIL_BYTES, Mailbox, MailboxError, Options, PeerId,
};
use hypercore_crypto::KeyPair;
use hypercore_protocol::Role;
use hypercore_replication::Config;

const SOON: Duration = Duration::from_secs(1);

/// The only peer that may have the mailbox.
#[track_caller]
fn only_peer(mailbox: &Mailbox) -> PeerId {
    let peers = mailbox.peers();
    assert_eq!(peers.len(), 1, "{peers:?}");
    peers[0]
}

fn received(mailbox: &Mailbox) -> Vec<Bytes> {
    std::iter::from_fn(|| mailbox.try_receive())
        .map(|(_, message)| message)
        .collect()
}

#[test]
fn messages_arrive_in_order_and_can_be_answered() {
    let (a, b) = (writer(), reader());
    let (at_a, at_b) = (a.mailbox("talk").unwrap(), b.mailbox("talk").unwrap());
    let mut world = World::of_two(&[&a], &[&b]);
    world.settle();
    assert_eq!(at_a.broadcast("one"), Ok(1));
    assert_eq!(at_a.broadcast(""), Ok(1));
    let (from, first) = world.run(SOON, at_b.receive()).unwrap().unwrap();
    assert_eq!(first, "one");
    assert_eq!(world.run(SOON, at_b.receive()).unwrap().unwrap().1, "");
    at_b.send(from, "two").unwrap();
    let (from, answer) = world.run(SOON, at_a.receive()).unwrap().unwrap();
    assert_eq!(answer, "two");
    assert_eq!(from, only_peer(&at_a));
}

#[test]
fn a_mailbox_opened_on_a_live_connection_is_announced() {
    let (a, b) = (writer_of(3), reader());
    let early = a.mailbox("zz").unwrap();
    let mut world = World::of_two(&[&a], &[&b]);
    world.settle();
    // Each of these changes the numbers that stand for the names on the wire.
    let first = b.mailbox("m").unwrap();
    let late = b.mailbox("zz").unwrap();
    world.settle();
    assert_eq!(early.broadcast("to b"), Ok(1));
    assert_eq!(late.broadcast("to a"), Ok(1));
    world.settle();
    assert_eq!(received(&late), ["to b"]);
    assert_eq!(received(&early), ["to a"]);
    drop(first);
    let earlier = a.mailbox("aa").unwrap();
    world.settle();
    late.broadcast("renumbered").unwrap();
    early.broadcast("renumbered too").unwrap();
    world.settle();
    assert_eq!(received(&early), ["renumbered"]);
    assert_eq!(received(&late), ["renumbered too"]);
    assert!(earlier.peers().is_empty(), "b said that it has none");
}

#[test]
fn a_peer_without_the_mailbox_is_left_out() {
    let (a, b) = (writer(), reader());
    let here = a.mailbox("talk").unwrap();
    let other = b.mailbox("other").unwrap();
    let mut world = World::of_two(&[&a], &[&b]);
    world.settle();
    assert_eq!(here.broadcast("nobody hears"), Ok(0));
    drop(other);
    let there = b.mailbox("talk").unwrap();
    world.settle();
    let peer = only_peer(&here);
    here.send(peer, "now").unwrap();
    world.settle();
    assert_eq!(received(&there), ["now"]);
    drop(there);
    world.settle();
    assert_eq!(here.send(peer, "gone"), Err(MailboxError::NoPeer));
}

#[test]
fn logs_on_one_connection_do_not_mix_their_mail() {
    let pair = KeyPair::from_seed(&[8; 32]);
    let other = || open(Options::new().key(pair.public));
    let (a1, b1, a2, b2) = (writer(), reader(), other(), other());
    let (from1, from2) = (a1.mailbox("talk").unwrap(), a2.mailbox("talk").unwrap());
    let (to1, to2) = (b1.mailbox("talk").unwrap(), b2.mailbox("talk").unwrap());
    let mut world = World::of_two(&[&a1, &a2], &[&b1, &b2]);
    world.settle();
    from1.broadcast("first log").unwrap();
    from2.broadcast("second log").unwrap();
    world.settle();
    assert_eq!(received(&to1), ["first log"]);
    assert_eq!(received(&to2), ["second log"]);
}

#[test]
fn one_peer_of_several_is_written_to() {
    let (hub, left, right) = (writer(), reader(), reader());
    let link = |end: &Feed| {
        Link::new(
            Ours::new(Role::Initiator, Config::default(), &[&hub]),
            Ours::new(Role::Responder, Config::default(), &[end]),
        )
    };
    let at_hub = hub.mailbox("talk").unwrap();
    let (at_left, at_right) = (
        left.mailbox("talk").unwrap(),
        right.mailbox("talk").unwrap(),
    );
    let mut world = World::new([link(&left), link(&right)]);
    world.settle();
    at_left.broadcast("from the left").unwrap();
    let (peer, _) = world.run(SOON, at_hub.receive()).unwrap().unwrap();
    at_hub.send(peer, "to the left").unwrap();
    world.settle();
    assert_eq!(received(&at_left), ["to the left"]);
    assert!(received(&at_right).is_empty());
    assert_eq!(at_hub.broadcast("to both"), Ok(2));
    world.settle();
    assert_eq!(received(&at_left), ["to both"]);
    assert_eq!(received(&at_right), ["to both"]);
}

#[test]
fn a_dropped_receive_loses_nothing() {
    let (a, b) = (writer(), reader());
    let (from, to) = (a.mailbox("talk").unwrap(), b.mailbox("talk").unwrap());
    let mut world = World::of_two(&[&a], &[&b]);
    world.settle();
    // Two wait, the first of them is woken, and dropped before it looks.
    let mut first = Box::pin(to.receive());
    let mut second = Box::pin(to.receive());
    assert!(future::block_on(future::poll_once(&mut first)).is_none());
    assert!(future::block_on(future::poll_once(&mut second)).is_none());
    from.broadcast("kept").unwrap();
    world.settle();
    drop(first);
    assert_eq!(world.run(SOON, second).unwrap().unwrap().1, "kept");
}

#[test]
fn closing_the_log_ends_the_mail() {
    let (a, b) = (writer(), reader());
    let (from, to) = (a.mailbox("talk").unwrap(), b.mailbox("talk").unwrap());
    let mut world = World::of_two(&[&a], &[&b]);
    world.settle();
    from.broadcast("last words").unwrap();
    world.settle();
    b.close().unwrap();
    assert_eq!(
        world.run(SOON, to.receive()).unwrap().unwrap().1,
        "last words"
    );
    assert_eq!(world.run(SOON, to.receive()).unwrap(), None);
    assert_eq!(b.mailbox("more").unwrap_err(), MailboxError::Closed);
    world.settle();
    assert_eq!(from.broadcast("nobody is left"), Ok(0));
}

#[test]
fn names_are_limited() {
    let feed = writer();
    let longest = "x".repeat(MAX_MAILBOX_NAME_BYTES);
    let mailbox = feed.mailbox(&longest).unwrap();
    assert_eq!(mailbox.name(), longest);
    assert_eq!(feed.mailbox(&longest).unwrap_err(), MailboxError::Taken);
    let bytes = longest.len() + 1;
    let error = feed.mailbox(&format!("{longest}x")).unwrap_err();
    assert_eq!(error, MailboxError::NameLength { bytes });
    let mut all: Vec<Mailbox> = (1..MAX_MAILBOXES)
        .map(|number| feed.mailbox(&number.to_string()).unwrap())
        .collect();
    assert_eq!(feed.mailbox("more").unwrap_err(), MailboxError::TooMany);
    all.pop();
    feed.mailbox("more").unwrap();
}

#[test]
fn the_largest_message_arrives() {
    let (a, b) = (writer(), reader());
    let (from, to) = (a.mailbox("talk").unwrap(), b.mailbox("talk").unwrap());
    let mut world = World::of_two(&[&a], &[&b]);
    world.settle();
    let largest = vec![7; MAX_MAIL_BYTES];
    from.broadcast(largest.clone()).unwrap();
    world.settle();
    assert!(received(&to) == [largest]);
    let bytes = MAX_MAIL_BYTES + 1;
    let error = from.broadcast(vec![0; bytes]);
    assert_eq!(error, Err(MailboxError::MessageLength { bytes }));
}

#[test]
fn a_peer_that_takes_nothing_fills_its_queue_only() {
    let (a, b) = (writer(), reader());
    let (from, to) = (a.mailbox("talk").unwrap(), b.mailbox("talk").unwrap());
    let mut world = World::of_two(&[&a], &[&b]);
    world.settle();
    let peer = only_peer(&from);
    // Nothing moves between the ends here.
    for number in 0..MAX_WAITING_MAIL {
        from.send(peer, number.to_string()).unwrap();
    }
    assert_eq!(from.send(peer, "one more"), Err(MailboxError::Full));
    assert_eq!(from.broadcast("one more"), Ok(0));
    world.settle();
    assert_eq!(received(&to).len(), MAX_WAITING_MAIL);
    from.send(peer, vec![0; MAX_WAITING_MAIL_BYTES - 1])
        .unwrap();
    from.send(peer, "x").unwrap();
    assert_eq!(from.send(peer, "y"), Err(MailboxError::Full));
    world.settle();
    assert_eq!(received(&to).len(), 2);
}

#[test]
fn mail_that_nobody_takes_out_is_bounded_and_counted() {
    let (a, b) = (writer(), reader());
    let (from, to) = (a.mailbox("talk").unwrap(), b.mailbox("talk").unwrap());
    let mut world = World::of_two(&[&a], &[&b]);
    world.settle();
    for _ in 0..2 {
        for number in 0..MAX_WAITING_MAIL {
            from.broadcast(number.to_string()).unwrap();
        }
        world.settle();
    }
    assert_eq!(received(&to).len(), MAX_WAITING_MAIL);
    assert_eq!(to.missed(), MAX_WAITING_MAIL as u64);
    // A message as large as all that may wait keeps the next one out.
    from.broadcast(vec![0; MAX_WAITING_MAIL_BYTES]).unwrap();
    world.settle();
    from.broadcast("x").unwrap();
    world.settle();
    assert_eq!(received(&to).len(), 1);
    assert_eq!(to.missed(), MAX_WAITING_MAIL as u64 + 1);
}

#[test]
fn all_peers_together_fill_a_mailbox_to_its_limit_only() {
    let hub = writer();
    let at_hub = hub.mailbox("talk").unwrap();
    let ends: Vec<Feed> = (0..3).map(|_| reader()).collect();
    let mailboxes: Vec<Mailbox> = ends
        .iter()
        .map(|end| end.mailbox("talk").unwrap())
        .collect();
    let mut world = World::new(ends.iter().map(|end| {
        Link::new(
            Ours::new(Role::Initiator, Config::default(), &[&hub]),
            Ours::new(Role::Responder, Config::default(), &[end]),
        )
    }));
    world.settle();
    let large = vec![0; MAX_MAIL_BYTES];
    for mailbox in &mailboxes {
        mailbox.broadcast(large.clone()).unwrap();
    }
    world.settle();
    assert_eq!(at_hub.missed(), 1, "three do not fit");
    let waiting: usize = received(&at_hub).iter().map(Bytes::len).sum();
    assert!(waiting <= MAX_MAILBOX_BYTES);
    assert_eq!(waiting, 2 * MAX_MAIL_BYTES);
}

#[test]
fn mail_to_a_slow_reader_does_not_pile_up() {
    // What waits to be sent stays below the limit of the connection, one message beyond it.
    let (a, b) = (writer(), reader());
    let (from, to) = (a.mailbox("talk").unwrap(), b.mailbox("talk").unwrap());
    let ours = Ours::new(Role::Initiator, Config::default(), &[&a]);
    let watch = ours.watch.clone();
    let theirs = Ours::new(Role::Responder, Config::default(), &[&b]);
    let mut world = World::new([Link::new(ours, theirs).narrow(1 << 20)]);
    world.pass(SOON);
    let mut sent = 0;
    for _ in 0..20 {
        while from.broadcast(vec![1; 60_000]) == Ok(1) {
            sent += 1;
        }
        world.pass(SOON);
        sent -= received(&to).len();
    }
    world.pass(60 * SOON);
    assert_eq!(
        received(&to).len() + usize::try_from(to.missed()).unwrap(),
        sent
    );
    assert!(watch.queued_bytes() < 1_200_000, "{}", watch.queued_bytes());
}
