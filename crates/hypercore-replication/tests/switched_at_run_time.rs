//! Uploading and downloading switched while a log is replicated, and what each peer is counted for.

mod common;

use std::time::Duration;

use common::{World, block, reader, writer_of};

const SOON: Duration = Duration::from_secs(1);

#[test]
fn nothing_is_sent_while_uploading_is_off() {
    let (writer, reader) = (writer_of(50), reader());
    let mut world = World::of_two(&[&writer], &[&reader]);
    let got = world.run(SOON, reader.get(3)).unwrap();
    assert_eq!(got.unwrap(), block(3));

    writer.set_uploading(false);
    assert!(!writer.is_uploading());
    // The reader is told, and so does not wait for who will not answer.
    world.settle();
    let found = world.run(SOON, reader.get_available(4)).unwrap();
    assert_eq!(found.unwrap(), None);
    assert_eq!(writer.stats().uploaded_blocks, 1);

    let waiting = reader.download(0..50);
    writer.set_uploading(true);
    world.run(SOON, waiting).unwrap().unwrap();
    assert!(reader.has_range(0..50));
}

#[test]
fn nothing_is_asked_for_while_downloading_is_off() {
    let (writer, reader) = (writer_of(50), reader());
    reader.set_downloading(false);
    let mut world = World::of_two(&[&writer], &[&reader]);
    let mut all = reader.download(0..50);
    assert!(world.run(SOON, &mut all).is_none(), "it was switched off");
    assert_eq!((reader.length(), reader.downloaded(0..50)), (0, 0));

    reader.set_downloading(true);
    world.run(SOON, &mut all).unwrap().unwrap();
    reader.set_downloading(false);
    assert!(!reader.is_downloading());
    // What comes later is heard of, and stays away.
    writer.append("more").unwrap();
    assert!(world.run(SOON, reader.get(50)).is_none());
    assert_eq!(reader.downloaded(0..51), 50);
}

#[test]
fn each_peer_is_counted_for_itself() {
    let (one, other, reader) = (writer_of(40), writer_of(40), reader());
    let mut world = World::of_two(&[&one], &[&reader]);
    world.run(SOON, reader.download(0..10)).unwrap().unwrap();
    let of_one = reader.peer_stats();
    assert_eq!(of_one.len(), 1);
    assert_eq!(of_one[0].1.downloaded_blocks, 10);
    assert_eq!(one.peer_stats()[0].1.uploaded_blocks, 10);
    drop(world);
    assert!(reader.peer_stats().is_empty(), "the peer has left");

    let mut world = World::of_two(&[&other], &[&reader]);
    world.run(SOON, reader.download(0..40)).unwrap().unwrap();
    let of_other = reader.peer_stats();
    assert_eq!(of_other.len(), 1);
    assert_ne!(of_other[0].0, of_one[0].0);
    assert_eq!(of_other[0].1.downloaded_blocks, 30);
    assert_eq!(reader.stats().downloaded_blocks, 40);
}
