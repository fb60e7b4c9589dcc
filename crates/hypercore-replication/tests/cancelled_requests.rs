//! Who stops waiting for a block takes the request back.

mod common;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use common::{Link, Ours, Scripted, World, block, honest, log_of, pair, reader, writer, writer_of};
use futures_lite::future;
use hypercore::Feed;
use hypercore_protocol::{Channel, Connection, Event, Have, Message, Request, Role};
use hypercore_replication::Config;

const SOON: Duration = Duration::from_secs(2);

/// A link of 100 kB a second with a tenth of a second from end to end.
fn slow<'a>(writer: &Feed, reader: &Feed) -> World<'a> {
    let link = Link::new(
        Ours::new(Role::Initiator, Config::default(), &[reader]),
        Ours::new(Role::Responder, Config::default(), &[writer]),
    );
    let link = link.narrow(100_000).delayed(Duration::from_millis(100));
    World::new([link])
}

/// What a remote that knows no cancelling saw, and what it has yet to answer.
#[derive(Default)]
struct Seen {
    requests: Vec<(Channel, Request)>,
    cancelled: Vec<u64>,
    unhaves: usize,
}

/// A remote with a hundred blocks that answers when a test lets it.
fn patient<'a>(feed: &Feed) -> (World<'a>, Rc<RefCell<Seen>>, common::Watch) {
    let seen = Rc::new(RefCell::new(Seen::default()));
    let log = log_of(100);
    let noted = seen.clone();
    let script = move |connection: &mut Connection, event| {
        let mut seen = noted.borrow_mut();
        match event {
            Event::Opened(channel) => {
                let all = Have::range(0, 100);
                connection.send(channel, Message::Have(all)).unwrap();
            }
            // Answered: the length is always proved, blocks only after they were cancelled.
            Event::Message(channel, Message::Request(request)) if request.hash => {
                let data = honest(&log, request);
                connection.send(channel, Message::Data(data)).unwrap();
            }
            Event::Message(channel, Message::Request(request)) => {
                seen.requests.push((channel, request));
            }
            Event::Message(channel, Message::Cancel(cancel)) => {
                seen.cancelled.push(cancel.index);
                let of = |request: &Request| request.index == cancel.index;
                let request = seen.requests.iter().find(|(_, request)| of(request));
                let request = request.expect("it was asked for").1;
                let data = honest(&log, request);
                connection.send(channel, Message::Data(data)).unwrap();
            }
            Event::Message(_, Message::Unhave(_)) => seen.unhaves += 1,
            _ => {}
        }
    };
    let ours = Ours::new(Role::Initiator, Config::default(), &[feed]);
    let watch = ours.watch.clone();
    let link = Link::new(ours, Scripted::new(vec![pair()], script));
    (World::new([link]), seen, watch)
}

#[test]
fn a_dropped_get_is_taken_back_and_its_answer_still_taken_in() {
    let reader = reader();
    let (mut world, seen, watch) = patient(&reader);
    world.settle();
    {
        let mut get = Box::pin(reader.get(42));
        assert!(future::block_on(future::poll_once(&mut get)).is_none());
        world.settle();
        assert_eq!(seen.borrow().requests.len(), 1);
        assert!(seen.borrow().cancelled.is_empty());
    }
    world.settle();
    assert_eq!(seen.borrow().cancelled, [42]);
    // The remote has brought it all the same, and nothing is wrong with that.
    assert_eq!(reader.get_local(42).unwrap().unwrap(), block(42));
    world.pass(Duration::from_secs(60));
    assert_eq!((seen.borrow().unhaves, watch.error()), (0, None));
}

#[test]
fn a_block_that_somebody_else_waits_for_is_not_taken_back() {
    let reader = reader();
    let (mut world, seen, _) = patient(&reader);
    let mut first = Box::pin(reader.get(42));
    let mut second = Box::pin(reader.get(42));
    assert!(future::block_on(future::poll_once(&mut first)).is_none());
    assert!(future::block_on(future::poll_once(&mut second)).is_none());
    let list = reader.download_blocks(vec![42, 43]);
    world.settle();
    assert_eq!(seen.borrow().requests.len(), 2);
    drop(first);
    drop(second);
    world.settle();
    assert!(seen.borrow().cancelled.is_empty(), "the list has it too");
    drop(list);
    world.settle();
    let mut cancelled = seen.borrow().cancelled.clone();
    cancelled.sort_unstable();
    assert_eq!(cancelled, [42, 43]);
}

#[test]
fn a_dropped_download_frees_the_line() {
    let big = vec![7_u8; 16 << 10];
    let writer = writer();
    writer.append_batch(&vec![&big[..]; 200]).unwrap();
    let reader = reader();
    let mut world = slow(&writer, &reader);
    let download = reader.download(0..150);
    world.pass(3 * SOON);
    let before = writer.stats().uploaded_blocks;
    assert!(before > 20, "{before} blocks were sent");
    drop(download);
    // At most what was on its way, and what waited to be sent, comes before it.
    let got = world.run(Duration::from_secs(6), reader.get(199)).unwrap();
    assert_eq!(got.unwrap(), big);
    world.pass(Duration::from_secs(30));
    let after = writer.stats().uploaded_blocks;
    assert!(after <= before + 20, "{before} blocks, then {after}");
}

#[test]
fn a_cancelled_block_can_be_asked_for_again() {
    let (writer, reader) = (writer_of(100), reader());
    let mut world = slow(&writer, &reader);
    for _ in 0..5 {
        for index in [7, 8, 9] {
            let mut get = Box::pin(reader.get(index));
            assert!(future::block_on(future::poll_once(&mut get)).is_none());
            world.pass(Duration::from_millis(30));
        }
    }
    for index in [7, 8, 9] {
        let got = world.run(SOON, reader.get(index)).unwrap();
        assert_eq!(got.unwrap(), block(index));
    }
}
