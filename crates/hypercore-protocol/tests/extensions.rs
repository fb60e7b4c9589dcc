//! Extension names are numbered by their sender, and renumbered when the set changes.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Pair, events, extension, key};
use hypercore_protocol::{Channel, Event, Extension, Message, Options, SendError};

fn options(names: &[&str], ack: bool) -> Message {
    let extensions = names.iter().map(|name| (*name).to_owned()).collect();
    Message::Options(Options { extensions, ack })
}

/// Options given before the channel is open on both sides arrive first of all.
#[test]
fn options_wait_for_the_remote() {
    let mut pair = Pair::encrypted();
    let channel = pair.initiator.open(&key(1)).unwrap();
    pair.initiator
        .send(channel, options(&["b", "a"], true))
        .unwrap();
    pair.carry().unwrap();
    let remote = pair.responder.open(&key(1)).unwrap();
    pair.carry().unwrap();
    let expected = Event::Message(remote, options(&["a", "b"], true));
    assert_eq!(events(&mut pair.responder).last(), Some(&expected));
}

#[test]
fn options_that_say_nothing_are_not_sent() {
    let mut pair = Pair::encrypted();
    let channel = pair.initiator.open(&key(1)).unwrap();
    pair.initiator.send(channel, options(&[], false)).unwrap();
    let (initiator, responder) = {
        pair.carry().unwrap();
        (channel, pair.responder.open(&key(1)).unwrap())
    };
    pair.responder.send(responder, options(&[], false)).unwrap();
    pair.carry().unwrap();
    assert_eq!(
        events(&mut pair.initiator).last(),
        Some(&Event::Opened(initiator))
    );
    assert_eq!(
        events(&mut pair.responder).last(),
        Some(&Event::Opened(responder))
    );
    // Taking something back is news.
    pair.initiator
        .send(channel, options(&["x"], false))
        .unwrap();
    pair.initiator.send(channel, options(&[], false)).unwrap();
    pair.carry().unwrap();
    assert_eq!(events(&mut pair.responder).len(), 2);
}

#[test]
fn messages_reach_those_who_named_the_extension() {
    let mut pair = Pair::encrypted();
    let (initiator, responder) = pair.open(&key(1));
    pair.initiator
        .send(initiator, options(&["a", "b", "c"], false))
        .unwrap();
    pair.responder
        .send(responder, options(&["b", "x"], false))
        .unwrap();
    pair.carry().unwrap();
    events(&mut pair.initiator);
    events(&mut pair.responder);
    for name in ["a", "b", "c"] {
        pair.initiator
            .send(initiator, extension(name, name))
            .unwrap();
    }
    pair.responder
        .send(responder, extension("x", "nobody listens"))
        .unwrap();
    pair.carry().unwrap();
    assert_eq!(
        events(&mut pair.responder),
        [Event::Message(responder, extension("b", "b"))]
    );
    assert_eq!(events(&mut pair.initiator), []);
}

/// The reference keeps the old ids after a name was removed, so that its messages go astray.
#[test]
fn removing_a_name_renumbers_the_others() {
    let mut pair = Pair::encrypted();
    let (initiator, responder) = pair.open(&key(1));
    pair.responder
        .send(responder, options(&["a", "b"], false))
        .unwrap();
    pair.initiator
        .send(initiator, options(&["a", "b"], false))
        .unwrap();
    pair.initiator.send(initiator, extension("b", "1")).unwrap();
    pair.initiator
        .send(initiator, options(&["b"], false))
        .unwrap();
    pair.initiator.send(initiator, extension("b", "2")).unwrap();
    let gone = pair.initiator.send(initiator, extension("a", ""));
    assert_eq!(gone, Err(SendError::UnknownExtension));
    pair.carry().unwrap();
    assert_eq!(received(&mut pair, responder), ["1", "2"]);
}

fn received(pair: &mut Pair, channel: Channel) -> Vec<String> {
    let payload = |event| match event {
        Event::Message(it, Message::Extension(message)) if it == channel => {
            Some(String::from_utf8(message.payload.to_vec()).unwrap())
        }
        _ => None,
    };
    events(&mut pair.responder)
        .into_iter()
        .filter_map(payload)
        .collect()
}

#[test]
fn stream_extensions_are_announced_before_their_first_message() {
    let mut pair = Pair::encrypted();
    pair.initiator.set_stream_extensions(&["s"]).unwrap();
    pair.responder.set_stream_extensions(&["r", "s"]).unwrap();
    pair.carry().unwrap();
    events(&mut pair.responder);
    pair.initiator.send_stream_extension("s", b"1").unwrap();
    pair.initiator.send_stream_extension("s", b"2").unwrap();
    pair.carry().unwrap();
    let message = |payload: &'static str| {
        Event::StreamExtension(Extension {
            name: "s".into(),
            payload: payload.into(),
        })
    };
    let announced = Event::StreamOptions {
        extensions: vec!["s".into()],
    };
    assert_eq!(
        events(&mut pair.responder),
        [announced, message("1"), message("2")]
    );
    let unknown = pair.initiator.send_stream_extension("r", b"");
    assert_eq!(unknown, Err(SendError::UnknownExtension));
}
