//! A remote that says `Unwant` is told of new blocks no longer.

#![allow(clippy::unwrap_used)]

mod common;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use common::{Link, Ours, Scripted, World, block, pair, writer_of};
use hypercore_protocol::{Connection, Event, Message, Role, Unwant, Want};
use hypercore_replication::Config;

/// A remote that wants to know everything until it hears of block 1, and then takes `unwant` back;
/// returns which of the blocks 1, 2 and 3, each appended by itself, it was told of.
fn heard(unwant: Unwant) -> Vec<u64> {
    let told = Rc::new(RefCell::new(Vec::new()));
    let writer = writer_of(1);
    let noted = told.clone();
    let script = move |connection: &mut Connection, event| match event {
        Event::Opened(channel) => {
            let length = 1 << 20;
            let want = Message::Want(Want { start: 0, length });
            connection.send(channel, want).unwrap();
        }
        Event::Message(channel, Message::Have(have)) if have.start > 0 => {
            noted.borrow_mut().push(have.start);
            if have.start == 1 {
                connection.send(channel, Message::Unwant(unwant)).unwrap();
            }
        }
        _ => {}
    };
    let ours = Ours::new(Role::Initiator, Config::default(), &[&writer]);
    let mut world = World::new([Link::new(ours, Scripted::new(vec![pair()], script))]);
    world.settle();
    for index in 1..4 {
        writer.append(block(index)).unwrap();
        // It is announced when it is durable, which is soon.
        world.pass(Duration::from_secs(1));
    }
    told.take()
}

#[test]
fn who_wants_nothing_hears_of_nothing() {
    let everything = Unwant {
        start: 0,
        length: 0,
    };
    assert_eq!(heard(everything), [1]);
}

#[test]
fn one_region_taken_back_leaves_the_others() {
    // Announcements are not bound to regions, as in the reference.
    let length = 1 << 20;
    let another = Unwant {
        start: length,
        length,
    };
    assert_eq!(heard(another), [1, 2, 3]);
}
