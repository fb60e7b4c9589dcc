//! A whole exchange between two reference peers, with one side replaced by ours.

#![allow(clippy::unwrap_used)]

mod common;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use common::{Link, Ours, Scripted, World, open};
use hypercore::{Feed, Options};
use hypercore_crypto::{Hash, KeyPair, Signature};
use hypercore_protocol::{Channel, Data, Event, Have, Message, Node, Request, Role, Status, Want};
use hypercore_replication::Config;
use serde_json::Value;

#[test]
fn our_writer_says_what_the_reference_says() {
    let vectors = Vectors::read();
    let writer = open(Options::new().key_pair(vectors.pair.clone()));
    for block in &vectors.blocks {
        writer.append(block).unwrap();
    }
    let (said, ours) = vectors.play(&writer, "responder");
    assert_eq!(said, sorted(vectors.messages("initiator")));
    assert!(ours.is_ok());
}

#[test]
fn our_reader_says_what_the_reference_says() {
    let vectors = Vectors::read();
    let reader = open(Options::new().key(vectors.pair.public));
    let _everything = reader.download(0..5);
    let (said, ours) = vectors.play(&reader, "initiator");
    assert_eq!(said, sorted(vectors.messages("responder")));
    assert!(ours.is_ok());
    let blocks = reader.get_range_local(0..5).unwrap();
    assert_eq!(blocks, vectors.blocks);
}

struct Vectors {
    pair: KeyPair,
    blocks: Vec<Vec<u8>>,
    frames: Vec<Value>,
}

impl Vectors {
    fn read() -> Self {
        let all: Value = serde_json::from_str(include_str!("vectors/download5.json")).unwrap();
        let seed: [u8; 32] = bytes(&all["feed"]["seed"]).unwrap().try_into().unwrap();
        let blocks = all["feed"]["blocks"].as_array().unwrap();
        Self {
            pair: KeyPair::from_seed(&seed),
            blocks: blocks.iter().map(|block| bytes(block).unwrap()).collect(),
            frames: all["frames"].as_array().unwrap().clone(),
        }
    }

    /// What one side says about the log, between opening and closing it.
    fn messages(&self, side: &str) -> Vec<Message> {
        let frames = self.frames.iter().filter(|frame| frame["from"] == side);
        frames.filter_map(message).collect()
    }

    /// Connects our replicator to a peer that sends the frames of `side`, in the order of the
    /// transcript. Returns what ours said, and how its connection fared.
    fn play(&self, feed: &Feed, side: &str) -> (Vec<Message>, Result<(), String>) {
        let said = Rc::new(RefCell::new(Vec::new()));
        let closed = Rc::new(RefCell::new(false));
        // Each message goes out once as much was heard as was at that place of the transcript.
        let mut heard = 0;
        let mut script = Vec::new();
        for frame in &self.frames {
            if frame["from"] == side {
                let closing = frame["name"] == "Close";
                if let Some(message) = message(frame).map(Some).or(closing.then_some(None)) {
                    script.push((heard, message));
                }
            } else if message(frame).is_some() {
                heard += 1;
            }
        }
        let mut script = std::collections::VecDeque::from(script);
        let (record, has_closed) = (said.clone(), closed.clone());
        let mut channel: Option<Channel> = None;
        let peer = Scripted::new(vec![self.pair.clone()], move |connection, event| {
            match event {
                Event::Opened(opened) => channel = Some(opened),
                Event::Message(_, message) => record.borrow_mut().push(message),
                Event::Closed(_) => *has_closed.borrow_mut() = true,
                _ => {}
            }
            let Some(channel) = channel else { return };
            let heard = record.borrow().len();
            while script.front().is_some_and(|next| next.0 <= heard)
                && let Some((_, message)) = script.pop_front()
            {
                match message {
                    Some(message) => connection.send(channel, message).unwrap(),
                    None => connection.close(channel),
                }
            }
        });
        let mut config = Config::default();
        config.live = false;
        let ours = Ours::new(Role::Initiator, config, &[feed]);
        let mut world = World::new([Link::new(ours, peer)]);
        world.pass(Duration::from_secs(5));
        drop(world);
        let result = if *closed.borrow() || side == "initiator" {
            Ok(())
        } else {
            Err("left open")
        };
        let said = sorted(std::mem::take(&mut *said.borrow_mut()));
        (said, result.map_err(str::to_owned))
    }
}

/// Puts neighbouring requests, and neighbouring answers, in order: the reference begins at a random
/// block and answers in the order in which its disk does.
fn sorted(mut messages: Vec<Message>) -> Vec<Message> {
    let index = |message: &Message| match message {
        Message::Request(request) => request.index,
        Message::Data(data) => data.index,
        _ => 0,
    };
    let same = |a: &Message, b: &Message| {
        matches!(
            (a, b),
            (Message::Request(_), Message::Request(_)) | (Message::Data(_), Message::Data(_))
        )
    };
    for run in messages.chunk_by_mut(same) {
        run.sort_by_key(index);
    }
    messages
}

fn message(frame: &Value) -> Option<Message> {
    let it = &frame["message"];
    let number = |name: &str| it[name].as_u64().unwrap();
    let flag = |name: &str| it[name].as_bool().unwrap();
    Some(match frame["name"].as_str().unwrap() {
        "Open" | "Close" => return None,
        "Status" => Message::Status(Status {
            uploading: flag("uploading"),
            downloading: flag("downloading"),
        }),
        "Have" => Message::Have(Have {
            start: number("start"),
            length: number("length"),
            bitfield: bytes(&it["bitfield"]).map(Into::into),
            ack: flag("ack"),
        }),
        "Want" => Message::Want(Want {
            start: number("start"),
            length: number("length"),
        }),
        "Request" => Message::Request(Request {
            index: number("index"),
            bytes: number("bytes"),
            hash: flag("hash"),
            nodes: number("nodes"),
        }),
        "Data" => Message::Data(Data {
            index: number("index"),
            value: bytes(&it["value"]).map(Into::into),
            nodes: it["nodes"].as_array().unwrap().iter().map(node).collect(),
            signature: bytes(&it["signature"])
                .map(|signature| Signature::from_bytes(signature.try_into().unwrap())),
        }),
        name => panic!("a message of an unknown kind: {name}"),
    })
}

fn node(it: &Value) -> Node {
    Node {
        index: it["index"].as_u64().unwrap(),
        hash: Hash::from_bytes(bytes(&it["hash"]).unwrap().try_into().unwrap()),
        size: it["size"].as_u64().unwrap(),
    }
}

fn bytes(it: &Value) -> Option<Vec<u8>> {
    it.as_str().map(|digits| hex::decode(digits).unwrap())
}
