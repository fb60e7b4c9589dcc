//! The fault matrix: what must be survived, one row a fault.

/// One row.
#[derive(Debug)]
pub(super) struct Row {
    /// What a person calls it: a letter for the layer, a number.
    pub(super) id: &'static str,
    /// The fault or bad input, and what is to come of it.
    pub(super) what: &'static str,
    /// Whether a test with the Node packages belongs to it as well.
    pub(super) both: bool,
}

/// The row of an ID, in capitals or not.
pub(super) fn find(id: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.id.eq_ignore_ascii_case(id))
}

/// All rows. S: storage. W: wire. T: trie. D: drive. N: network. G: RPC. F: FUSE. H: gateway.
/// R: resources. C: clocks, cancellation and the end of the process.
pub(super) const ROWS: &[Row] = &[
    both(
        "S1",
        "power cut after each storage call: opens at a length that was synced or later, and goes on",
    ),
    both("S2", "torn write, any prefix or set of sectors: as S1"),
    both(
        "S3",
        "unsynced writes reordered across files: no bit is trusted without its node and hash",
    ),
    ours(
        "S4",
        "an I/O error at every call: told to the caller, state unchanged; poisoned after a failed sync",
    ),
    ours(
        "S5",
        "a flipped bit in any file of a log: found before use, other blocks still read, repaired from peers",
    ),
    ours(
        "S6",
        "bitfield pages of odd sizes, bad magic: 3328 and 3584 are read, others refused and left alone",
    ),
    ours(
        "S7",
        "an oversized block or a failed write, then an append: refused before any state, the next one good",
    ),
    ours(
        "S8",
        "a stored secret key of another public key: not opened for writing",
    ),
    both(
        "S9",
        "an old copy of the storage restored, then an append: no fork without being asked for",
    ),
    ours(
        "S10",
        "index bytes of the bitfield all ones: computed again",
    ),
    ours(
        "W1",
        "a Have that claims 2^40 bits in few bytes: refused within 1 MiB",
    ),
    ours(
        "W2",
        "a Have at an odd start, invalid RLE, empty extension, hash without nodes: the channel closes",
    ),
    ours(
        "W3",
        "Have and Unhave of 2^53 blocks, again and again: each costs next to nothing",
    ),
    ours(
        "W4",
        "100,000 Opens, id 0, ids used again, Close with a foreign key: bounded and refused",
    ),
    ours(
        "W5",
        "100,000 requests and a reader who stops reading: 1 MiB and one block queued at most",
    ),
    ours(
        "W6",
        "frame lengths of 2^23 and 2^32, endless varints, single bytes: refused from the prefix",
    ),
    ours(
        "W7",
        "handshakes too long, low-order points, two initiators, a bad MAC: closed, nothing allocated by length",
    ),
    both(
        "W8",
        "a bad proof, a missing leaf, a late answer on one of ten cores: that core only",
    ),
    ours(
        "W9",
        "a phantom length of 2^50, requests never answered: update ends, other peers are used",
    ),
    ours(
        "W10",
        "replayed, reordered, doubled, unasked Data: dropped before it is hashed",
    ),
    ours(
        "W11",
        "a million extension names, names of 1 MiB: 256 of 1 KiB",
    ),
    ours(
        "T1",
        "trie nodes with buckets of 2^31, bad slots, cut varints, seq beyond the log: an error that names the block",
    ),
    ours(
        "T2",
        "a million keys with one hash prefix, 10,000 path components: a named limit, a clear error",
    ),
    ours(
        "T3",
        "a reset node in a batch, an empty key: not written, skipped by readers",
    ),
    ours("T4", "a flood of hints, indexes beyond the log: clamped"),
    both(
        "D1",
        "names and links that leave the target, or loop: everything stays below it, what was skipped is named",
    ),
    ours(
        "D2",
        "a stat whose size, offset or time is no truth: bounded reads, no byte of another file",
    ),
    ours(
        "D3",
        "a write through a checkout or a pinned mount: refused",
    ),
    ours(
        "D4",
        "a crash between content and metadata: the old file or the new one",
    ),
    ours(
        "D5",
        "a million files in a folder, 10,000 versions: listing streams within 64 MiB",
    ),
    ours(
        "N1",
        "floods of lookups from one and from 10,000 addresses: never more than three times what came",
    ),
    ours(
        "N2",
        "hole punching asked for with a victim's address: five a second, to live entries alone",
    ),
    ours(
        "N3",
        "closer nodes with port 0, our own or private addresses, 1000 of them: each dropped by itself",
    ),
    ours(
        "N4",
        "a flood of records: quotas by source and topic keep the honest ones",
    ),
    both(
        "N5",
        "older seq, wrong signature, two answers to one request: the highest that is valid counts",
    ),
    ours(
        "N6",
        "1 to 40 % hostile nodes, ids in a ring round one key: lookups still find",
    ),
    ours(
        "N7",
        "a victim's address under a popular topic: dialled once a minute at most",
    ),
    ours(
        "N8",
        "multicast answers from elsewhere, 10,000 a second: dropped",
    ),
    ours(
        "G1",
        "missing or wrong token on each method: refused, in constant time",
    ),
    ours(
        "G2",
        "10,000 streams, rapid resets, a message of 1 GiB, a stream nobody reads: within 64 MiB",
    ),
    ours(
        "G3",
        "unknown sessions, ids after their close: refused, never used again in a run",
    ),
    ours(
        "F1",
        "killed while mounted with a dirty file: mounts again, old content or new",
    ),
    ours(
        "F2",
        "a read that waits for the network: can be interrupted, others go on",
    ),
    ours(
        "F3",
        "mmap, random writes, renames over, truncation, appends: POSIX, or an errno that is documented",
    ),
    ours("H1", "range bombs: 16 ranges, then 416"),
    ours(
        "H2",
        "a page of one drive reads another: an origin for each key",
    ),
    ours("R1", "256 MiB, 128 peers, 100,000 cores: steady"),
    ours(
        "R2",
        "200 ms a disk call, full send buffers: the wire stays alive, no core starves",
    ),
    ours(
        "C1",
        "the clock an hour back, ten years on, eight hours asleep: timers do not mind",
    ),
    ours(
        "C2",
        "two opens in a process, a future dropped anywhere, a panic in a callback: no lock stays taken",
    ),
    ours(
        "C3",
        "SIGTERM at any time and twice, discovery that does not answer: ended in ten seconds, storage clean",
    ),
];

const fn ours(id: &'static str, what: &'static str) -> Row {
    Row {
        id,
        what,
        both: false,
    }
}

const fn both(id: &'static str, what: &'static str) -> Row {
    Row {
        id,
        what,
        both: true,
    }
}
