use std::collections::BTreeSet;
use std::net::SocketAddrV4;
use std::time::Duration;

use hypercore_crypto::KeyPair;
use hyperswarm_dht::wire::{Kind, Message, command};
use hyperswarm_dht::{
    Config, Dht, Event, Id, MAX_REPLY_BYTES, QueryId, SignedValue, Timestamp, Transmit,
};

use crate::input::Input;
use crate::plant;

/// A node among strangers: each byte is a step, followed by what it needs.
///
/// Whatever they send, nothing long leaves in reaction, the node stays within its limits, and every
/// operation ends.
pub fn dht(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut world = World::new();
    while !input.is_empty() {
        match input.byte() & 7 {
            0 => {
                let from = peer(input.byte());
                world.give(from, input.piece());
            }
            1 => world.pass(Duration::from_millis(50 * u64::from(input.byte()))),
            2 => world.order(&mut input),
            3 => world.answer(&mut input),
            4 | 5 => world.begin(&mut input),
            6 => world.pass(Duration::from_secs(10 * u64::from(input.byte()))),
            _ => {
                if let Some(query) = world.running.pop_first() {
                    world.dht.cancel(query);
                }
            }
        }
    }
    world.pass(Duration::from_secs(60));
    assert!(world.running.is_empty(), "{:?} never ended", world.running);
}

struct World {
    dht: Dht,
    now: Timestamp,
    /// What was sent last, to be answered.
    sent: Vec<Transmit>,
    running: BTreeSet<QueryId>,
}

impl World {
    fn new() -> Self {
        let mut config = Config::default();
        // That of the vectors' first node, to which their packets go.
        config.id = "c25a353ebc4a829623140a65f447e5c8b1c756b5fd924c621cd47a1bd0b508c5"
            .parse()
            .ok();
        config.ephemeral = false;
        config.bootstrap = vec![peer(0)];
        config.max_records = MAX_KEPT;
        config.max_values = MAX_KEPT;
        config.max_table_nodes = MAX_KEPT;
        let now = Timestamp::from_start(Duration::from_secs(1));
        Self {
            dht: Dht::new(config, [7; 32], now),
            now,
            sent: Vec::new(),
            running: BTreeSet::new(),
        }
    }

    /// A datagram arrives.
    fn give(&mut self, from: SocketAddrV4, datagram: &[u8]) {
        self.dht.handle_datagram(self.now, from.into(), datagram);
        self.drain();
    }

    /// An order with the token that the node itself has given.
    fn order(&mut self, input: &mut Input<'_>) {
        let from = peer(input.byte());
        self.sent.clear();
        let ping = Message {
            command: Some(command::PING),
            ..Message::new(Kind::Query, 1)
        };
        self.give(from, &ping.encode());
        let answer = self.sent.iter().find(|it| it.to == from).cloned();
        let token = answer.and_then(|answer| {
            let token = Message::decode(&answer.bytes).ok()?.token?;
            Some(token.to_vec())
        });
        let choice = input.byte();
        let commands = [
            command::PEERS,
            command::MUTABLE,
            command::IMMUTABLE,
            command::PING,
        ];
        let target = input.piece();
        let value = input.piece();
        let order = Message {
            command: Some(commands[usize::from(choice & 3)]),
            target: (choice & 4 == 0).then_some(target),
            token: token.as_deref(),
            value: (choice & 8 == 0).then_some(value),
            ..Message::new(Kind::Update, 2)
        };
        self.give(from, &order.encode());
    }

    /// An answer to something that was sent, with fields of the stranger's choice.
    fn answer(&mut self, input: &mut Input<'_>) {
        let which = usize::from(input.byte());
        let choice = input.byte();
        let fields = input.piece();
        let Some(request) = self
            .sent
            .get(which.min(self.sent.len().saturating_sub(1)))
            .cloned()
        else {
            return;
        };
        let Ok(Message { rid, .. }) = Message::decode(&request.bytes) else {
            return;
        };
        let id = [choice; 32];
        let answer = Message {
            to: (choice & 1 == 0).then_some(&fields[..fields.len().min(6)]),
            id: (choice & 2 == 0).then_some(&id),
            token: (choice & 4 == 0).then_some(b"token"),
            closer_nodes: (choice & 8 == 0).then_some(fields),
            value: (choice & 16 == 0).then_some(fields),
            error: (choice & 32 != 0).then_some("ERR_INVALID_SEQ"),
            ..Message::new(Kind::Response, rid)
        };
        self.give(request.to, &answer.encode());
    }

    /// The node is told to do something.
    fn begin(&mut self, input: &mut Input<'_>) {
        let choice = input.byte();
        let id = Id::from_bytes([choice; 32]);
        let (dht, now) = (&mut self.dht, self.now);
        let pair = KeyPair::from_seed(&[1; 32]);
        let query = match choice & 15 {
            0 | 1 => Some(dht.bootstrap(now)),
            2 => Some(dht.find_node(now, id)),
            3 | 4 => Some(dht.lookup(now, id, Default::default())),
            5 | 6 => Some(dht.announce(now, id, Default::default())),
            7 => Some(dht.unannounce(now, id, Default::default())),
            8 => Some(dht.immutable_get(now, id)),
            9 => dht.immutable_put(now, input.piece()).ok().map(|it| it.1),
            10 => dht.mutable_get(now, &pair.public, None, 0).ok(),
            11 => {
                let value = SignedValue::sign(&pair, input.piece(), u64::from(choice), None);
                value
                    .ok()
                    .and_then(|value| dht.mutable_put(now, value).ok())
            }
            12 | 13 => Some(dht.ping(now, peer(input.byte()))),
            _ => Some(dht.holepunch(now, peer(input.byte()), peer(input.byte()))),
        };
        self.running.extend(query);
        self.drain();
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        // As if something that is due only after a long time went wrong.
        assert!(!plant::strikes(time > LONG), "{time:?}");
        while let Some(due) = self.dht.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.dht.handle_timeout(self.now);
            let next = self.dht.poll_timeout();
            assert!(next.is_some_and(|next| next > self.now), "{next:?} is over");
            self.drain();
        }
        self.now = end;
    }

    fn drain(&mut self) {
        self.sent.clear();
        while let Some(transmit) = self.dht.poll_transmit() {
            assert!(transmit.bytes.len() <= MAX_REPLY_BYTES + 64);
            assert!(Message::decode(&transmit.bytes).is_ok());
            assert_ne!(transmit.to.port(), 0);
            self.sent.push(transmit);
        }
        assert!(self.sent.len() <= MAX_AT_ONCE, "{}", self.sent.len());
        while let Some(event) = self.dht.poll_event() {
            if let Event::Done { query, .. } = event {
                self.running.remove(&query);
            }
        }
        assert!(self.dht.stored_records() <= MAX_KEPT);
        assert!(self.dht.stored_values() <= MAX_KEPT);
        assert!(self.dht.nodes().count() <= MAX_KEPT);
    }
}

/// Strangers by number: on this machine, in a private network, and elsewhere.
fn peer(number: u8) -> SocketAddrV4 {
    let ip = match number >> 6 {
        0 => [127, 0, 0, 1],
        1 => [192, 168, 0, number],
        _ => [50, number, 0, 1],
    };
    SocketAddrV4::new(ip.into(), 42_001 + u16::from(number & 63))
}

/// Longer than any seed lets pass at once.
const LONG: Duration = Duration::from_secs(600);

const MAX_KEPT: usize = 50;

/// One datagram sets off no more: a walk's last answer, and everyone who waited for it.
const MAX_AT_ONCE: usize = 2000;
