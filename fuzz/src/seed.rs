//! Seeds for the corpora, from the vectors of the crates: answers of the reference, in the shape
//! that each target takes.

use std::path::Path;

use testkit::vectors::{Value, bytes, load, number};

use crate::encode::varint;
use crate::targets;

/// A seed: the target, the file's name, its content.
pub type Seed = (&'static str, String, Vec<u8>);

/// All seeds, the same in every run.
pub fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let protocol = vectors("hypercore-protocol/tests/vectors/protocol.json");
    wire(&protocol, &mut seeds);
    replication(&protocol, &mut seeds);
    let logs = vectors("hypercore/tests/vectors/hypercore.json");
    log(&logs, &mut seeds);
    proofs(&logs, &mut seeds);
    let tries = vectors("hypertrie/tests/vectors/hypertrie.json");
    trie(&tries, &mut seeds);
    trie_lookups(&tries, &mut seeds);
    trie_remote(&mut seeds);
    drive(
        &vectors("hyperdrive/tests/vectors/hyperdrive.json"),
        &mut seeds,
    );
    links(&mut seeds);
    dht(
        &vectors("hyperswarm-dht/tests/vectors/hyperswarm.json"),
        &mut seeds,
    );
    lan(
        &vectors("hyperswarm/tests/vectors/hyperswarm.json"),
        &mut seeds,
    );
    utp(&mut seeds);
    seeds
}

/// The packets of the reference on the local network, alone and among steps of our own.
fn lan(vectors: &Value, seeds: &mut Vec<Seed>) {
    let packets = list(&vectors["mdns"]["packets"]).map(|packet| bytes(&packet["hex"]));
    let foreign = bytes(&vectors["mdns"]["foreign"]);
    let packets: Vec<Vec<u8>> = packets.chain([foreign.clone()]).collect();
    for (i, packet) in packets.iter().enumerate() {
        let input = [vec![0, 5], piece(packet)].concat();
        seeds.push(("lan", format!("packet-{i}"), input));
    }
    for (name, number) in [("own-port", 0x85), ("elsewhere", 0xc5)] {
        let input = [vec![0, number], piece(&foreign)].concat();
        seeds.push(("lan", name.to_owned(), input));
    }
    // Everybody asks at once, some time passes, and a second topic is joined and left.
    let asked: Vec<u8> = (0..8)
        .flat_map(|i| [vec![0, i], piece(&packets[0])].concat())
        .collect();
    let steps = [&asked[..], &[3, 60, 4, 70], &asked].concat();
    seeds.push(("lan", "many-ask".to_owned(), steps));
    // Several peers answer, again and again.
    let answered: Vec<u8> = (1..9)
        .flat_map(|i| [vec![0, i], piece(&packets[1 + usize::from(i) % 3])].concat())
        .collect();
    seeds.push(("lan", "many-answer".to_owned(), answered.clone()));
    let later = [&answered[..], &[4, 60], &answered].concat();
    seeds.push(("lan", "many-answer-twice".to_owned(), later));
    let steps = [&[5, 13, 5, 4, 7][..], &asked, &[4, 90, 6, 0, 5, 8, 7]].concat();
    seeds.push(("lan", "join-and-leave".to_owned(), steps));
}

/// Streams as strangers open and use them, and one that the swarm opens.
fn utp(seeds: &mut Vec<Seed>) {
    // Peer, type, sequence number, number acknowledged, connection id, extension, the rest.
    let packet = |from: u8, kind: u8, [seq, ack, id]: [u8; 3], rest: &[u8]| {
        [vec![1, from, kind, seq, ack, id, 0], piece(rest)].concat()
    };
    let syn = packet(0, 4, [1, 0, 5], b"");
    // The first data: our answer acknowledged the opening, and has the id that theirs is one above.
    // Numbers of ours are acknowledged one by one; the first that we send is still to come.
    let hello = packet(0, 0, [1, 0xff, 1], b"hello");
    let more = packet(0, 0, [2, 0xff, 1], b"out of order");
    let end = packet(0, 1, [1, 0xff, 1], b"");
    let reset = packet(0, 3, [1, 0xff, 1], b"");
    let write = [5, 0, 0, 40];
    let close = [5, 0, 0, 0];
    let time = [3, 50];
    for (name, steps) in [
        ("opened", vec![&syn[..]]),
        ("opened-twice", vec![&syn, &syn]),
        ("data", vec![&syn, &hello]),
        ("echo", vec![&syn, &hello, &write, &time, &hello]),
        ("out-of-order", vec![&syn, &more, &time, &hello]),
        ("ended", vec![&syn, &hello, &time, &end, &[4, 5]]),
        ("reset", vec![&syn, &hello, &time, &reset]),
        ("closed", vec![&syn, &hello, &write, &close, &[4, 20], &end]),
        ("dropped", vec![&syn, &hello, &[6, 0], &[4, 60]]),
        ("silent", vec![&syn, &hello, &write, &[4, 63, 4, 63]]),
        ("unknown", vec![&hello, &end, &reset]),
        // What answers a packet that opens: of the id and with the number that it has.
        (
            "dialled",
            vec![&[7], &packet(0, 2, [9, 0, 0], b""), &write, &time],
        ),
    ] {
        seeds.push(("utp", name.to_owned(), steps.concat()));
    }
    let full: Vec<Vec<u8>> = (0..4).map(|from| packet(from, 4, [1, 0, 5], b"")).collect();
    seeds.push(("utp", "too-many".to_owned(), full.concat()));
    let raw = [
        &[0x41, 0][..],
        &[0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0],
    ]
    .concat();
    let selective = [&[0x21, 1], &raw[2..], &[0, 4, 0xff, 0, 0, 1]].concat();
    let input = [vec![0, 1], piece(&raw), vec![0, 1], piece(&selective)].concat();
    seeds.push(("utp", "raw".to_owned(), input));
}

/// The packets of each scenario as strangers' datagrams, those that end a process of the reference,
/// and operations that are answered.
fn dht(vectors: &Value, seeds: &mut Vec<Seed>) {
    for scenario in list(&vectors["scenarios"]) {
        let packets = list(&scenario["packets"]).map(|packet| {
            let from = &vectors["nodes"][text(&packet["from"])]["port"];
            let number = low_byte(number(from) - 42_001);
            [vec![0, number], piece(&bytes(&packet["hex"]))].concat()
        });
        let steps: Vec<Vec<u8>> = packets.collect();
        seeds.push(("dht", text(&scenario["title"]).to_owned(), steps.concat()));
    }
    let target = [7; 32];
    let order = |choice: u8, target: &[u8], value: &[u8]| {
        [vec![2, 5, choice], piece(target), piece(value)].concat()
    };
    // `peers` and `mutable-store` asked without a value.
    let ask = |command: &str| {
        let command = command.as_bytes();
        let mut query = vec![0x58, 1, 8, 1, 0x10, 1, 0x22, 32];
        query.extend(target);
        query.extend([0x3a, low_byte(command.len() as u64)]);
        query.extend(command);
        [vec![0, 5], piece(&query)].concat()
    };
    let long = [7; 1001];
    let record = |value: &[u8], signature: &[u8], salt: &[u8]| {
        let mut out = Vec::new();
        for (tag, bytes) in [(0x0a, value), (0x12, signature), (0x22, salt)] {
            out.push(tag);
            varint(&mut out, bytes.len() as u64);
            out.extend(bytes);
        }
        out
    };
    let crashes = [
        ask("peers"),
        ask("mutable-store"),
        order(1 | 8, &target, b""),
        order(1, &target, &record(b"v", &[1; 63], b"")),
        order(1, &target[..31], &record(b"v", &[1; 64], b"")),
        order(1, &target, &record(&long, &[1; 64], &long[..65])),
        order(2 | 8, &target, b""),
        // A ping of ours, answered with an address whose port is 0.
        [vec![4, 12, 3, 3, 0, 0x18], piece(&[1, 2, 3, 4, 0, 0])].concat(),
    ];
    for (i, crash) in crashes.into_iter().enumerate() {
        seeds.push(("dht", format!("crash-{i}"), crash));
    }
    seeds.push((
        "dht",
        "announce-with-token".to_owned(),
        order(0, &target, &[8, 0]),
    ));
    seeds.push(("dht", "time".to_owned(), vec![6, 1, 4, 2, 6, 30]));
    let nodes: Vec<u8> = (1..5)
        .flat_map(|i| [vec![i; 32], vec![50, 128 + i, 0, 1, 0xa4, 0x11 + i]].concat())
        .collect();
    for operation in 0..16 {
        let begin = match operation {
            9 | 11 => [vec![4, operation], piece(b"value")].concat(),
            12.. => vec![4, operation, 3, 4],
            _ => vec![4, operation],
        };
        let answers: Vec<u8> = (0..6_u8)
            .flat_map(|i| [vec![3, 0, 16 + (i % 4) * 64], piece(&nodes)].concat())
            .collect();
        let steps = [begin, answers, vec![1, 20, 6, 1]].concat();
        seeds.push(("dht", format!("operation-{operation:02}"), steps));
    }
}

fn wire(vectors: &Value, seeds: &mut Vec<Seed>) {
    for (i, vector) in list(&vectors["messages"]).enumerate() {
        let frame = bytes(&vector["frame"]);
        let name = text(&vector["name"]);
        seeds.push((
            "frames",
            format!("message-{i:02}-{name}"),
            [vec![3], frame].concat(),
        ));
        let Some(body) = vector.get("body").map(bytes) else {
            continue;
        };
        let kind = u8::try_from(number(&vector["type"])).expect("a kind has four bits");
        seeds.push((
            "messages",
            format!("{i:02}-{name}"),
            [vec![kind], body].concat(),
        ));
    }
    seeds.push(("messages", "extension".to_owned(), vec![15, 1, b'y', b'o']));
    for side in ["initiator", "responder"] {
        let plain = bytes(&vectors["replication_live_plain"][format!("wire_{side}")]);
        seeds.push(("frames", format!("live-{side}"), [vec![63], plain].concat()));
        // What one side sent is for the other: the initiator's stream is for a responder.
        let download = bytes(&vectors["replication_download5"][format!("wire_{side}")]);
        let role = u8::from(side == "responder");
        let input = [vec![role, 10], download].concat();
        seeds.push(("handshake", format!("download-{side}"), input.clone()));
        seeds.push((
            "handshake",
            format!("alone-{side}"),
            input[..if role == 0 { 152 } else { 125 }].to_vec(),
        ));
    }
    // Steps of a session: both open two cores, talk, close one, open it again.
    let open = [0, 1, 2, 3];
    let carry = [0x58, 0xff, 0xff, 0x59, 0xff, 0xff];
    let talk = [
        0x20, 0, 9, 0x29, 0, 1, 0, 2, 0x30, 0, 2, 7, 8, 0x38, 0x20, 0, 0x40, 7, 0, 1, 5,
    ];
    let close = [0x10, 0x13, 0x18, 0x00, 0x50, 100];
    for mode in [0, 2, 3] {
        let session = [
            &[mode][..],
            &open,
            &carry,
            &carry,
            &carry,
            &talk,
            &carry,
            &close,
            &open,
            &carry,
        ]
        .concat();
        seeds.push(("session", format!("mode-{mode}"), session));
    }
}

fn log(vectors: &Value, seeds: &mut Vec<Seed>) {
    for log in list(&vectors["logs"]) {
        let files = &log["files"];
        let content = |name: &str| files.get(name).and_then(|file| file.get("hex")).map(bytes);
        // Files whose bytes the vectors do not hold in full are of no use here.
        let Some(data) = content("data") else {
            continue;
        };
        let Some(others) = targets::LOG_FILES
            .iter()
            .map(|name| content(name))
            .collect::<Option<Vec<_>>>()
        else {
            continue;
        };
        let mut input: Vec<u8> = others.iter().flat_map(|file| piece(file)).collect();
        input.extend(data);
        if input.len() < 10_000 {
            seeds.push(("storage", text(&log["name"]).to_owned(), input));
        }
    }
}

/// Rejected and accepted proofs, and whole downloads, as the messages that carry them.
fn proofs(vectors: &Value, seeds: &mut Vec<Seed>) {
    for (i, vector) in list(&vectors["tampered"]).enumerate() {
        let prior = vector["priorPut"]
            .as_u64()
            .map(|index| piece(&[low_byte(index), 0]));
        let input = [prior.unwrap_or_default(), piece(&data(vector))].concat();
        seeds.push(("proof", format!("tampered-{i:02}"), input));
    }
    for run in list(&vectors["readerRuns"]) {
        let steps: Vec<Vec<u8>> = list(&run["steps"]).map(|step| piece(&data(step))).collect();
        seeds.push((
            "proof",
            format!("run-{}", text(&run["name"])),
            steps.concat(),
        ));
        // The same blocks, asked of the writer.
        let asked = list(&run["steps"]).map(|step| {
            piece(&[
                low_byte(number(&step["index"])),
                u8::from(step["hash"] == true),
            ])
        });
        let asked: Vec<Vec<u8>> = asked.collect();
        seeds.push((
            "proof",
            format!("asked-{}", text(&run["name"])),
            asked.concat(),
        ));
    }
    let rle = &vectors["bitfieldRle"];
    for (i, vector) in list(&rle["encode"]).chain(list(&rle["decode"])).enumerate() {
        let input = [vec![1, 0], bytes(&vector["encoded"])].concat();
        if input.len() < 4096 {
            seeds.push(("bitfield", format!("{i:02}"), input));
        }
    }
}

/// The body of the `Data` message that carries a vector's block and proof.
fn data(vector: &Value) -> Vec<u8> {
    let index = number(&vector["index"]);
    let value = match vector.get("value") {
        Some(value) if value.is_null() => None,
        Some(value) => Some(bytes(value)),
        None => (vector["hash"] != true).then(|| targets::log_block(index)),
    };
    let mut body = vec![0x08];
    varint(&mut body, index);
    let mut field = |key: u8, content: &[u8]| {
        body.push(key);
        varint(&mut body, content.len() as u64);
        body.extend_from_slice(content);
    };
    if let Some(value) = value {
        field(0x12, &value);
    }
    for node in list(&vector["nodes"]) {
        let mut inner = vec![0x08];
        varint(&mut inner, number(&node["index"]));
        inner.extend_from_slice(&[0x12, 32]);
        inner.extend_from_slice(&bytes(&node["hash"]));
        inner.push(0x18);
        varint(&mut inner, number(&node["size"]));
        field(0x1a, &inner);
    }
    if !vector["signature"].is_null() {
        field(0x22, &bytes(&vector["signature"]));
    }
    body
}

/// A peer's side of a live session, step by step, to a reader of ours and to a writer of ours.
fn replication(vectors: &Value, seeds: &mut Vec<Seed>) {
    for (side, we_write) in [("initiator", 0), ("responder", 1)] {
        let mut input = vec![we_write | 2, 5, 0, 33];
        for frame in list(&vectors["replication_live_plain"]["frames"]) {
            // Channel 1 has headers of one byte, which stand behind lengths of one or two.
            let plain = frame.get("plain").map(bytes).unwrap_or_default();
            let header = 1 + usize::from(plain.first().is_some_and(|byte| *byte >= 0x80));
            if frame["from"] == side && plain.get(header).is_some_and(|byte| *byte > 0x10) {
                input.extend_from_slice(&[0, plain[header] & 0xf]);
                input.extend(piece(&plain[header + 1..]));
            }
        }
        seeds.push(("replication", format!("live-{side}"), input));
    }
    // A reader that gets honest answers: it wants, hears what there is, is answered, waits.
    let have = [0, 3, 0, 10, 8, 0, 0x10, 0x80, 0x80, 0x40, 0x1a, 2, 2, 0xf8];
    let answers = [3, 7, 3, 7, 4, 15, 3, 7, 7];
    let download = [&[2, 5, 0, 5][..], &have, &answers].concat();
    seeds.push(("replication", "download".to_owned(), download));
    let wishes = [0, 5, 0, 1, 5, 9, 2, 5, 3, 0, 5, 4, 3];
    let update = [&wishes[..], &have, &answers, &answers].concat();
    seeds.push(("replication", "update-and-seek".to_owned(), update));
}

fn trie(vectors: &Value, seeds: &mut Vec<Seed>) {
    for scenario in list(&vectors["scenarios"]) {
        let name = text(&scenario["name"]);
        let blocks: Vec<Vec<u8>> = list(&scenario["blocks"]).map(bytes).collect();
        seeds.push((
            "trie_walk",
            name.to_owned(),
            blocks.iter().flat_map(|it| piece(it)).collect(),
        ));
        for (seq, block) in blocks.into_iter().enumerate() {
            seeds.push(("trie_node", format!("{name}-{seq}"), block));
        }
    }
}

/// Messages of the reference as a peer's, and lookups of ours among them.
fn trie_lookups(vectors: &Value, seeds: &mut Vec<Seed>) {
    for (i, vector) in list(&vectors["extension"]["codec"]).enumerate() {
        let input = [vec![0], piece(&bytes(&vector["hex"]))].concat();
        seeds.push(("trie_lookups", format!("message-{i:02}"), input));
    }
    let get = [1, 0, 9];
    let list = [1, 1, 1, 1];
    let hints = [1, 2, 0, 9, 3, 40, 0, 0, 0xff, 0xff];
    let flood = [1, 2, 0, 1, 1, 255, 0, 0, 0xff, 0xff];
    let (ours, all, rounds) = ([2, 30, 0], [3, 0, 0, 60], [6, 3]);
    for (name, steps) in [
        (
            "asked",
            vec![&get[..], &list, &[1, 1, 2, 5], &[1, 1, 20, 12]],
        ),
        (
            "asked-from-somewhere",
            vec![&[1, 9, 0, 1, 0, 4, 33, 40, 66, 9]],
        ),
        ("answered", vec![&ours, &[5], &rounds, &all, &[5], &rounds]),
        ("hinted", vec![&ours, &hints, &rounds, &[5], &rounds]),
        ("flooded", vec![&all, &flood, &flood, &[6, 1], &flood]),
        ("unasked", vec![&hints, &flood, &rounds]),
        ("hidden", vec![&[2, 30, 1], &[5], &rounds]),
        ("given-up", vec![&all, &[6, 0], &[4], &ours, &rounds]),
        (
            "both",
            vec![&list, &ours, &get, &hints, &[5], &rounds, &list],
        ),
    ] {
        seeds.push(("trie_lookups", name.to_owned(), steps.concat()));
    }
}

/// A small trie, left as it is or bent, and all that readers do.
fn trie_remote(seeds: &mut Vec<Seed>) {
    // Puts, some of them hidden, a mount, a deletion, a renamed prefix.
    let keys = (0..16_u8).flat_map(|key| [if key % 5 == 4 { 12 } else { 4 }, key]);
    let writes: Vec<u8> = [19]
        .into_iter()
        .chain(keys)
        .chain([2, 10, 0, 1, 3, 2])
        .collect();
    let whole = [0];
    let lookups: Vec<u8> = (0..16).flat_map(|key| [0, key % 8, key]).collect();
    let walks = [
        2, 0, 99, 2, 1, 0, 2, 2, 2, 2, 8, 99, 3, 2, 99, 4, 0, 1, 99, 4, 4, 9, 2, 5, 0, 5, 1,
    ];
    let mounts = [9, 0, 0, 9, 0, 10, 10, 0, 10, 16, 10, 32, 11, 7, 2];
    let grows = [7, 0, 99, 8, 3, 5, 2, 0, 99, 8, 0, 1, 4, 0, 7, 99];
    let copied = [1, 66, 3, 0];
    let cut = [2, 3, 9, 200, 3, 4, 20];
    let turned = [3, 0x0c, 5, 9, 0x14, 8, 30, 0x40, 12, 12];
    for (name, steps) in [
        ("lookups", [&writes[..], &whole, &lookups].concat()),
        ("walks", [&writes[..], &whole, &walks].concat()),
        ("mounts", [&writes[..], &whole, &mounts].concat()),
        ("grows", [&writes[..], &whole, &grows].concat()),
        ("copied", [&writes[..], &copied, &walks].concat()),
        ("cut", [&writes[..], &cut, &lookups].concat()),
        ("turned", [&writes[..], &turned, &walks, &mounts].concat()),
        ("empty", [&[0][..], &whole, &walks].concat()),
    ] {
        seeds.push(("trie_remote", name.to_owned(), steps));
    }
}

fn drive(vectors: &Value, seeds: &mut Vec<Seed>) {
    for (i, vector) in list(&vectors["stat"]["encode"]).enumerate() {
        seeds.push(("stat", format!("encode-{i:02}"), bytes(&vector["hex"])));
    }
    for (i, vector) in list(&vectors["stat"]["decodeOnly"]).enumerate() {
        seeds.push(("stat", format!("decode-{i:02}"), bytes(&vector["hex"])));
    }
    let steps = list(&vectors["drive"]["steps"]);
    let blocks: Vec<Vec<u8>> = steps
        .flat_map(|step| list(&step["metadata"]))
        .map(|block| bytes(&block["hex"]))
        .collect();
    seeds.push((
        "trie_walk",
        "drive".to_owned(),
        blocks.iter().flat_map(|it| piece(it)).collect(),
    ));
    for (seq, block) in blocks.into_iter().enumerate() {
        seeds.push(("trie_node", format!("drive-{seq:02}"), block));
    }
}

fn links(seeds: &mut Vec<Seed>) {
    let key = "c6822637c7d310ec57627be00ba259d253749f4aaf644470cffbe53a35f73242";
    let links = [
        key.to_owned(),
        format!("hyper://{key}"),
        format!("hyper://{key}/"),
        format!("hyper://{key}+5/a/b.txt?q=1#top"),
        format!("dat://{}+latest/%20%C3%A9", key.to_uppercase()),
        format!("  hyper://{key}/../x//y  "),
        format!("hyper://{key}+18446744073709551615"),
    ];
    for (i, link) in links.into_iter().enumerate() {
        seeds.push(("link", format!("{i}"), link.into_bytes()));
    }
}

/// Bytes behind their length, as targets take pieces.
fn piece(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("vectors are small");
    [&length.to_be_bytes()[..], bytes].concat()
}

fn low_byte(number: u64) -> u8 {
    number.to_le_bytes()[0]
}

fn vectors(path: &str) -> Value {
    load(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../crates")
            .join(path),
    )
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
