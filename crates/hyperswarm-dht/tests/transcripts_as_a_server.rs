//! Questions that the reference asked the reference, put to our nodes instead: the answers are the
//! same.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;

use common::{START, sent, vectors};
use hyperswarm_dht::wire::{Kind, Message, Mutable, PeersReply};
use hyperswarm_dht::{Config, Dht, Id};
use testkit::vectors::{Value, array, bytes, number};

/// The three persistent nodes of the vectors, as ours, and who stands at which address.
struct Stage {
    nodes: BTreeMap<String, Dht>,
    addresses: BTreeMap<String, SocketAddrV4>,
    /// The token that one gave another last.
    tokens: BTreeMap<(String, String), Vec<u8>>,
}

impl Stage {
    fn new(vectors: &Value) -> Self {
        let mut addresses = BTreeMap::new();
        let mut nodes = BTreeMap::new();
        for (name, node) in vectors["nodes"].as_object().unwrap() {
            let port = u16::try_from(number(&node["port"])).unwrap();
            addresses.insert(name.clone(), SocketAddrV4::new([127, 0, 0, 1].into(), port));
        }
        for (seed, name) in [(1, "R"), (2, "S"), (3, "A")] {
            let mut config = Config::default();
            config.ephemeral = false;
            config.id = Some(Id::from_bytes(array(&vectors["nodes"][name]["id"])));
            config.bootstrap = addresses.values().take(4).copied().collect();
            config
                .bootstrap
                .retain(|it| *it != addresses[name] && it.port() != 42004);
            nodes.insert(name.to_owned(), Dht::new(config, [seed; 32], START));
        }
        let mut stage = Self {
            nodes,
            addresses,
            tokens: BTreeMap::new(),
        };
        for name in ["R", "S", "A"] {
            stage.nodes.get_mut(name).unwrap().bootstrap(START);
            stage.settle();
        }
        for dht in stage.nodes.values() {
            assert_eq!(dht.nodes().count(), 2);
        }
        stage
    }

    /// Carries datagrams between our nodes until all are silent.
    fn settle(&mut self) {
        loop {
            let mut carried = false;
            for from in ["R", "S", "A"] {
                for transmit in sent(self.nodes.get_mut(from).unwrap()) {
                    carried = true;
                    let to = self.name_of(transmit.to);
                    let source = self.addresses[from].into();
                    let node = self.nodes.get_mut(&to).unwrap();
                    node.handle_datagram(START, source, &transmit.bytes);
                }
            }
            if !carried {
                return;
            }
        }
    }

    fn name_of(&self, address: SocketAddrV4) -> String {
        let found = self.addresses.iter().find(|it| *it.1 == address);
        found.unwrap().0.clone()
    }

    /// Puts a recorded request to one of ours, and returns what it sends in reaction.
    fn ask(&mut self, packet: &Value) -> Vec<(String, Vec<u8>)> {
        let [from, to] = ["from", "to"].map(|it| packet[it].as_str().unwrap().to_owned());
        let datagram = bytes(&packet["hex"]);
        let mut request = Message::decode(&datagram).unwrap();
        let token = self.tokens.get(&(to.clone(), from.clone())).cloned();
        if request.kind == Kind::Update {
            request.token = token.as_deref();
        }
        let source = self.addresses[&from].into();
        let node = self.nodes.get_mut(&to).unwrap();
        node.handle_datagram(START, source, &request.encode());
        let reaction = sent(node);
        reaction
            .into_iter()
            .map(|it| (self.name_of(it.to), it.bytes))
            .collect()
    }
}

#[test]
fn answers_are_those_of_the_reference() {
    let vectors = vectors();
    let mut stage = Stage::new(&vectors);
    // Whoever puts an immutable value keeps it too; its requests are among the recorded ones.
    let putter = stage.nodes.get_mut("A").unwrap();
    putter.immutable_put(START, b"immutable value").unwrap();
    sent(putter);
    let mut compared = 0;
    for scenario in vectors["scenarios"].as_array().unwrap() {
        let title = scenario["title"].as_str().unwrap();
        // There the tables were still being filled.
        if title.starts_with("bootstrap") || title == "holepunch" {
            continue;
        }
        let packets = scenario["packets"].as_array().unwrap();
        for (i, packet) in packets.iter().enumerate() {
            if packet["type"] == "RESPONSE" {
                continue;
            }
            let reaction = stage.ask(packet);
            let [(to, answer)] = &reaction[..] else {
                panic!("{title}: {reaction:?}")
            };
            assert_eq!(packet["from"], *to);
            assert_same(title, answer, &packets[i + 1]);
            if let Some(token) = Message::decode(answer).unwrap().token {
                let pair =
                    [&packet["to"], &packet["from"]].map(|it| it.as_str().unwrap().to_owned());
                stage.tokens.insert(pair.into(), token.to_vec());
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 52);
}

/// Every field but the token is the same; peers come in any order.
fn assert_same(title: &str, ours: &[u8], recorded: &Value) {
    let datagram = bytes(&recorded["hex"]);
    let expected = Message::decode(&datagram).unwrap();
    let answer = Message::decode(ours).unwrap();
    assert_eq!(answer.token.is_some(), expected.token.is_some(), "{title}");
    let without = |message: &Message<'_>| {
        let message = Message {
            token: None,
            value: None,
            ..*message
        };
        message.encode()
    };
    assert_eq!(without(&answer), without(&expected), "{title}");
    if let (Some(value), Some(wanted)) = (answer.value, expected.value)
        && let (Ok(value), Ok(wanted)) = (PeersReply::decode(value), PeersReply::decode(wanted))
        && title.contains("lookup")
    {
        let set = |bytes: Option<&[u8]>, size| {
            bytes.map(|bytes| {
                let pieces = bytes.chunks(size).map(<[u8]>::to_vec);
                pieces.collect::<BTreeSet<_>>()
            })
        };
        assert_eq!(set(value.peers, 6), set(wanted.peers, 6), "{title}");
        assert_eq!(
            set(value.local_peers, 4),
            set(wanted.local_peers, 4),
            "{title}"
        );
    } else if title == "mutable-put-older" && answer.error.is_some() {
        // The reference has stored by now what it refused before; ours has not.
        let proof = Mutable::decode(answer.value.unwrap()).unwrap();
        assert_eq!((proof.value.unwrap(), proof.seq), (&b"first"[..], Some(1)));
    } else {
        assert_eq!(answer.value, expected.value, "{title}");
    }
}

/// All four packets of a hole punch, in the order in which they are sent.
#[test]
fn hole_punches_are_forwarded_and_answered() {
    let vectors = vectors();
    let mut stage = Stage::new(&vectors);
    let scenarios = vectors["scenarios"].as_array().unwrap();
    let scenario = scenarios.iter().find(|it| it["title"] == "holepunch");
    let packets = scenario.unwrap()["packets"].as_array().unwrap();
    // The reference passes over what was to open the asker's NAT. Where it comes through ours, the
    // answer that it would give in the end is as good now.
    let [(to, answer)] = &stage.ask(&packets[0])[..] else {
        panic!("one answer")
    };
    assert_eq!(to, "B");
    assert_same("holepunch", answer, &packets[3]);
    let forwarded = stage.ask(&packets[1]);
    let datagram = bytes(&packets[2]["hex"]);
    let recorded = Message::decode(&datagram).unwrap();
    // The reference adds an error without text.
    let expected = Message {
        error: None,
        ..recorded
    };
    assert_eq!(forwarded, [("A".to_owned(), expected.encode())]);
    let answered = stage.ask(&packets[2]);
    let [(to, answer)] = &answered[..] else {
        panic!("{answered:?}")
    };
    assert_eq!(to, "B");
    assert_same("holepunch", answer, &packets[3]);
}
