//! Whenever the power is cut, a log opens at a length that was flushed or written later, holds what
//! it claims to, and can be gone on with.

mod common;

use common::crash::{Recording, points};
use testkit::{FaultyDir, Keep, Rng};

const SEED: u64 = 0x5107;

/// An author who appends one by one, flushing now and then.
fn appends() -> Recording {
    let mut recording = Recording::author();
    for index in 0..9 {
        recording.append(1);
        if index % 4 == 3 {
            recording.flush();
        }
    }
    recording
}

/// Batches, some of which cross a power of two.
fn batches() -> Recording {
    let mut recording = Recording::author();
    for count in [3, 6, 1, 8, 40, 2] {
        recording.append(count);
        if count != 6 {
            recording.flush();
        }
    }
    recording
}

/// A copy that takes blocks in no order while the author grows.
fn puts() -> Recording {
    let mut recording = Recording::copy(11);
    for (step, index) in [3, 10, 0, 7, 4].into_iter().enumerate() {
        recording.put(index);
        if step % 2 == 1 {
            recording.flush();
        }
    }
    recording.author_appends(6);
    for index in [16, 5, 11] {
        recording.put(index);
    }
    recording.flush();
    recording.put(1);
    recording
}

/// An author and a copy that clear what they have, and a copy that fetches it again.
fn clears() -> [Recording; 2] {
    let mut author = Recording::author();
    author.append(12);
    author.flush();
    author.clear(2..5);
    author.append(2);
    author.clear(4..14);
    author.append(1);
    let mut copy = Recording::copy(8);
    for index in [0, 1, 2, 3, 6] {
        copy.put(index);
    }
    copy.clear(1..4);
    copy.put(2);
    copy.flush();
    copy.clear(0..8);
    [author, copy]
}

/// A log whose bits fill one page and go on in the next.
fn bitfield_updates() -> Recording {
    let mut recording = Recording::author();
    recording.append(8190);
    recording.flush();
    for _ in 0..4 {
        recording.append(1);
        recording.flush();
    }
    recording.clear(8189..8193);
    recording
}

/// An author who goes on after a cut that took part of the tail: signatures are truncated.
fn truncates() -> Recording {
    let mut before = Recording::author();
    before.append(5);
    before.flush();
    before.append(1);
    before.append(4);
    let dir = before.crash_losing("data");
    let mut recording = Recording::author_in(dir);
    assert_eq!(recording.length(), 5);
    recording.append(1);
    recording.append(3);
    recording.flush();
    recording.append(1);
    recording
}

/// An author and copies whose log is used while it is flushed, in each step of that in another way.
fn flushes_aside() -> [Recording; 3] {
    let mut author = Recording::author();
    author.append(3);
    author.flush_aside(|author, _| author.append(1));
    author.append(1);
    author.flush_aside(|_, _| {});
    for overtaken in 0..4 {
        author.append(2);
        author.flush_aside(|author, step| {
            if step == overtaken {
                author.flush();
            }
        });
    }
    let mut copy = Recording::copy(11);
    copy.put(3);
    copy.flush_aside(|copy, step| copy.put([10, 0, 7, 1, 8, 4][step]));
    copy.author_appends(6);
    copy.put(16);
    copy.flush_aside(|copy, step| copy.put([5, 11, 2, 15, 12, 9][step]));
    copy.put(6);
    let mut cleared = Recording::copy(8);
    for index in [0, 1, 2, 3, 6] {
        cleared.put(index);
    }
    cleared.flush_aside(|cleared, step| match step {
        0 => cleared.clear(1..3),
        _ => cleared.put(2),
    });
    cleared.put(7);
    cleared.flush_aside(|cleared, step| match step {
        2 => cleared.clear(0..8),
        3 => cleared.put(5),
        _ => {}
    });
    [author, copy, cleared]
}

/// Nothing, twice created.
fn creates() -> Recording {
    Recording::author_in(FaultyDir::new())
}

/// Cuts after every call: nothing that was not synced survives, or all of it.
#[track_caller]
fn check_every_call(recording: &Recording) {
    let mut rng = Rng::new(SEED);
    println!("seed {SEED}");
    for (at, _) in recording.places() {
        recording.cut(at, Keep::Nothing, &mut rng);
        recording.cut(at, Keep::All, &mut rng);
    }
}

#[test]
fn fault_s1_power_cut_after_each_call_of_append() {
    check_every_call(&appends());
    check_every_call(&batches());
}

#[test]
fn fault_s1_power_cut_after_each_call_of_put() {
    check_every_call(&puts());
}

#[test]
fn fault_s1_power_cut_after_each_call_of_clear() {
    clears().iter().for_each(check_every_call);
}

#[test]
fn fault_s1_power_cut_after_each_call_of_a_flush_beside_other_uses() {
    flushes_aside().iter().for_each(check_every_call);
}

#[test]
fn fault_s1_power_cut_after_each_call_of_truncate() {
    check_every_call(&truncates());
}

#[test]
fn fault_s1_power_cut_after_each_call_of_create() {
    check_every_call(&creates());
}

#[test]
fn fault_s1_power_cut_after_each_call_of_a_bitfield_update() {
    check_every_call(&bitfield_updates());
}

/// Spreads crash points over all histories, each place in its turn.
fn check_points(count: u64, keep: impl Fn(&mut Rng, usize) -> Keep) {
    println!("seed {SEED}");
    let mut rng = Rng::new(SEED);
    let [author, copy] = clears();
    let [used, fetching, cleared] = flushes_aside();
    let recordings = [
        appends(),
        batches(),
        puts(),
        author,
        copy,
        truncates(),
        creates(),
        used,
        fetching,
        cleared,
    ];
    let places: Vec<(usize, usize, usize)> = (0..)
        .zip(&recordings)
        .flat_map(|(which, recording)| {
            let places = recording.places().into_iter();
            places.map(move |(at, pieces)| (which, at, pieces))
        })
        .filter(|(_, _, pieces)| *pieces > 0)
        .collect();
    let mut tried = 0;
    for (which, at, pieces) in places.iter().copied().cycle() {
        if tried >= count {
            break;
        }
        let keep = keep(&mut rng, pieces);
        recordings[which].cut(at, keep, &mut rng);
        tried += 1;
    }
    println!("{tried} crash points");
}

#[test]
fn fault_s2_torn_writes() {
    // Some bytes of the last write, all of what came before.
    check_points(points(25), |rng, _| {
        let bytes = if rng.one_in(2) { 80 } else { 4096 };
        Keep::Torn(usize::try_from(rng.below(bytes)).unwrap())
    });
}

#[test]
fn fault_s2_any_subset_of_sectors() {
    // All subsets where there are few enough pieces, in turn; some of them elsewhere.
    let turn = std::cell::Cell::new(0_u64);
    check_points(points(25), |rng, pieces| {
        turn.set(turn.get() + 1);
        if pieces <= 10 {
            Keep::Mask(turn.get().wrapping_mul(0x9e37_79b9) & ((1 << pieces) - 1))
        } else {
            Keep::Seed(rng.next_u64())
        }
    });
}

#[test]
fn fault_s3_unsynced_writes_reordered_across_files() {
    check_points(points(50), |rng, _| Keep::Seed(rng.next_u64()));
}
