//! Seeds for the corpora, from the vectors of the crates: answers of the reference, in the shape
//! that each target takes.

use std::path::Path;

use testkit::vectors::{Value, bytes, load, number};

use crate::targets;

/// A seed: the target, the file's name, its content.
pub type Seed = (&'static str, String, Vec<u8>);

/// All seeds, the same in every run.
pub fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    wire(
        &vectors("hypercore-protocol/tests/vectors/protocol.json"),
        &mut seeds,
    );
    log(
        &vectors("hypercore/tests/vectors/hypercore.json"),
        &mut seeds,
    );
    trie(
        &vectors("hypertrie/tests/vectors/hypertrie.json"),
        &mut seeds,
    );
    drive(
        &vectors("hyperdrive/tests/vectors/hyperdrive.json"),
        &mut seeds,
    );
    links(&mut seeds);
    seeds
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
