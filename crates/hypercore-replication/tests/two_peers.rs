//! Two of our own replicators with each other.

mod common;

use std::time::Duration;

use common::{Link, Ours, World, block, open, reader, writer, writer_of};
use futures_lite::future;
use hypercore::{Feed, Options};
use hypercore_crypto::KeyPair;
use hypercore_protocol::Role;
use hypercore_replication::Config;

const SOON: Duration = Duration::from_secs(1);

#[test]
fn a_download_fetches_everything() {
    for blocks in [1, 2, 5, 33, 1000, 8191, 8193] {
        let (writer, reader) = (writer_of(blocks), reader());
        let mut world = World::of_two(&[&writer], &[&reader]);
        world
            .run(SOON, reader.download(0..blocks))
            .unwrap()
            .unwrap();
        assert_eq!(reader.length(), blocks);
        assert_eq!(reader.byte_length(), writer.byte_length());
        let theirs = reader.get_range_local(0..blocks).unwrap();
        assert_eq!(theirs, writer.get_range_local(0..blocks).unwrap());
        assert_eq!(reader.stats().downloaded_blocks, blocks);
        assert_eq!(writer.stats().uploaded_blocks, blocks);
    }
}

/// With a tenth of a second from end to end: three for the handshake, the last of which brings the
/// log's opening and the question what there is of it; one for the answer, one for the request, one
/// for the block. A responder may speak only once the third has come.
#[test]
fn nothing_waits_a_round_trip_for_nothing() {
    let tenth = Duration::from_millis(100);
    for (reads, tenths) in [(Role::Initiator, 6), (Role::Responder, 7)] {
        let (writer, reader) = (writer_of(10), reader());
        let ours = Ours::new(reads, Config::default(), &[&reader]);
        let other = match reads {
            Role::Initiator => Role::Responder,
            Role::Responder => Role::Initiator,
        };
        let theirs = Ours::new(other, Config::default(), &[&writer]);
        let mut world = World::new([Link::new(ours, theirs).delayed(tenth)]);
        let got = world.run(SOON, reader.get(3)).unwrap();
        assert_eq!(got.unwrap(), block(3));
        let took = world.now.saturating_since(Default::default());
        assert_eq!(took, tenths * tenth, "{reads:?}");
    }
}

#[test]
fn a_sparse_get_fetches_one_block() {
    let (writer, reader) = (writer_of(5000), reader());
    let mut world = World::of_two(&[&writer], &[&reader]);
    assert_eq!(
        world.run(SOON, reader.get(3210)).unwrap().unwrap(),
        block(3210)
    );
    world.settle();
    assert_eq!(reader.length(), 5000);
    assert_eq!(reader.downloaded(0..5000), 1);
    assert_eq!(writer.stats().uploaded_blocks, 1);
}

#[test]
fn a_list_of_blocks_is_fetched() {
    let (writer, reader) = (writer_of(3000), reader());
    let mut world = World::of_two(&[&writer], &[&reader]);
    world
        .run(SOON, reader.download_blocks(vec![7, 2999, 1, 7]))
        .unwrap()
        .unwrap();
    assert_eq!(reader.downloaded(0..3000), 3);
}

#[test]
fn appended_blocks_arrive_in_both_directions() {
    let other = KeyPair::from_seed(&[8; 32]);
    let (a, a_copy) = (writer(), reader());
    let b = open(Options::new().key_pair(other.clone()));
    let b_copy = open(Options::new().key(other.public));
    let mut world = World::of_two(&[&a, &b_copy], &[&a_copy, &b]);
    world.settle();
    for index in 0..20 {
        let (got_a, got_b) = (a_copy.get(index), b_copy.get(index));
        a.append(block(index)).unwrap();
        b.append(block(index + 1000)).unwrap();
        let (got_a, got_b) = world.run(SOON, future::zip(got_a, got_b)).unwrap();
        assert_eq!(got_a.unwrap(), block(index));
        assert_eq!(got_b.unwrap(), block(index + 1000));
    }
}

#[test]
fn a_standing_download_follows_the_log() {
    let (writer, reader) = (writer(), reader());
    let mut world = World::of_two(&[&writer], &[&reader]);
    let _all = reader.download(0..u64::MAX);
    world.settle();
    for length in [1, 2, 300] {
        while writer.length() < length {
            writer.append(block(writer.length())).unwrap();
        }
        // Nobody flushes here: the replicator does, before it announces.
        let all = reader.download(0..length);
        world.run(SOON, all).unwrap().unwrap();
        assert_eq!(writer.durable_length(), length);
        assert_eq!(reader.downloaded(0..length), length);
    }
}

#[test]
fn what_is_read_is_passed_on() {
    let (writer, middle, end) = (writer_of(3000), reader(), reader());
    let link = |a, b| {
        Link::new(
            Ours::new(Role::Initiator, Config::default(), &[&a]),
            Ours::new(Role::Responder, Config::default(), &[&b]),
        )
    };
    let mut world = World::new([
        link(writer.clone(), middle.clone()),
        link(middle.clone(), end.clone()),
    ]);
    let everything = middle.download(0..3000);
    world.run(SOON, end.download(0..3000)).unwrap().unwrap();
    assert_eq!(
        end.get_range_local(0..3000).unwrap(),
        writer.get_range_local(0..3000).unwrap()
    );
    drop(everything);
}

#[test]
fn two_sources_share_the_work() {
    let (writer, copy, reader) = (writer_of(2000), reader(), reader());
    World::of_two(&[&writer], &[&copy])
        .run(SOON, copy.download(0..2000))
        .unwrap()
        .unwrap();
    let link = |feed| {
        Link::new(
            Ours::new(Role::Initiator, Config::default(), &[feed]),
            Ours::new(Role::Responder, Config::default(), &[&reader]),
        )
        .delayed(Duration::from_millis(5))
    };
    let uploaded = writer.stats().uploaded_blocks;
    let mut world = World::new([link(&writer), link(&copy)]);
    world.run(SOON, reader.download(0..2000)).unwrap().unwrap();
    let shares = [
        writer.stats().uploaded_blocks - uploaded,
        copy.stats().uploaded_blocks,
    ];
    assert_eq!(
        shares.iter().sum::<u64>(),
        2000,
        "no block is asked for twice"
    );
    assert!(shares.iter().all(|share| *share > 200), "{shares:?}");
}

#[test]
fn a_byte_is_found_without_fetching_blocks() {
    let (writer, reader) = (writer_of(1000), reader());
    let mut world = World::of_two(&[&writer], &[&reader]);
    assert!(world.run(SOON, reader.update()).unwrap().unwrap());
    for byte in [1, 77, 5000, writer.byte_length() - 1] {
        let found = world
            .run(SOON, reader.seek(byte, 0..1000))
            .unwrap()
            .unwrap();
        let expected = future::block_on(writer.seek(byte, 0..1000)).unwrap();
        assert!(expected.is_some());
        assert_eq!(found, expected);
    }
    let beyond = world
        .run(SOON, reader.seek(writer.byte_length() + 1, 0..1000))
        .unwrap();
    assert_eq!(beyond.unwrap(), None);
    assert!(
        reader.downloaded(0..1000) <= 4,
        "at most the blocks whose sizes were in doubt"
    );
}

#[test]
fn cleared_blocks_are_fetched_again() {
    let (writer, reader) = (writer_of(50), reader());
    let mut world = World::of_two(&[&writer], &[&reader]);
    world.run(SOON, reader.download(0..50)).unwrap().unwrap();
    reader.clear(10..20).unwrap();
    world.settle();
    world.run(SOON, reader.download(0..50)).unwrap().unwrap();
    // And the writer gets back from the reader what it lost itself.
    writer.clear_own(0..5).unwrap();
    world.settle();
    assert_eq!(world.run(SOON, writer.get(3)).unwrap().unwrap(), block(3));
}

#[test]
fn large_blocks_over_narrow_links_travel_once() {
    let (writer, copy, reader) = (writer(), reader(), reader());
    let block = vec![7; 1 << 20];
    writer.append_batch(&[&block[..]; 20]).unwrap();
    World::of_two(&[&writer], &[&copy])
        .run(SOON, copy.download(0..20))
        .unwrap()
        .unwrap();
    let uploaded = writer.stats().uploaded_blocks;
    let link = |feed: &Feed| {
        Link::new(
            Ours::new(Role::Initiator, Config::default(), &[feed]),
            Ours::new(Role::Responder, Config::default(), &[&reader]),
        )
        .narrow(400_000)
    };
    // A block takes longer than the time after which a silent peer counts as stalled.
    let mut world = World::new([link(&writer), link(&copy)]);
    let everything = reader.download(0..20);
    world
        .run(Duration::from_secs(60), everything)
        .unwrap()
        .unwrap();
    let shares = [
        writer.stats().uploaded_blocks - uploaded,
        copy.stats().uploaded_blocks,
    ];
    assert_eq!(shares.iter().sum::<u64>(), 20, "{shares:?}");
}
