//! Reading a part fetches a part.

use interop::pattern;
use serde_json::json;

use crate::sample;
use crate::served::Served;
use crate::shared::Shared;

const MIB: usize = 1 << 20;

#[test]
fn node_reads_a_range_of_a_share() {
    let shared = Shared::new(|folder| {
        sample::file(&folder.join("large"), 16 * MIB);
        sample::file(&folder.join("other"), 5 * MIB);
    });
    let mut node = shared.reader();
    let at = 7 * MIB + 12_345;
    let range = json!({ "path": "/large", "start": at, "length": 100_000 });
    let read = node.ask("drive.read", range);
    assert_eq!(
        read["digest"],
        interop::digest(&large(16 * MIB)[at..at + 100_000])
    );

    // Node keeps asking ahead of a read, by at most so many blocks.
    let content = &node.ask("drive.blocks", json!({}))["content"];
    let stored = content["stored"].as_u64().expect("a number of blocks");
    assert!(
        stored < 40,
        "{stored} blocks of {} were fetched",
        content["length"]
    );
}

#[test]
fn cat_reads_a_range_of_node() {
    let (mut served, _) = Served::folder(|folder| {
        sample::file(&folder.join("large"), 16 * MIB);
        sample::file(&folder.join("other"), 5 * MIB);
    });
    let at = 7 * MIB + 12_345;
    let link = format!("hyper://{}/large", served.key);
    let range = format!("{at}-{}", at + 99);
    let read = served
        .command(&["cat", &link, "--range", &range])
        .wait()
        .expect(0);
    assert_eq!(read.stdout, large(16 * MIB)[at..at + 100]);
    let uploads = served.node.ask("drive.uploads", json!({}));
    assert_eq!(
        uploads["content"], 1,
        "100 bytes within one block of 64 KiB"
    );
}

#[test]
fn listing_and_stat_fetch_no_content() {
    let (mut served, _) = Served::folder(|folder| {
        for i in 0..20 {
            sample::file(&folder.join(format!("folder/{i}")), 1000 + i);
        }
    });
    let link = format!("hyper://{}/folder", served.key);
    let listed = served.command(&["ls", &link]).wait().expect(0);
    assert_eq!(listed.text().lines().count(), 20, "{}", listed.text());
    served
        .command(&["stat", &format!("{link}/7"), "--json"])
        .wait()
        .expect(0);
    let uploads = served.node.ask("drive.uploads", json!({}));
    assert_eq!(uploads["content"], 0);
}

/// What `sample::file` writes.
fn large(size: usize) -> Vec<u8> {
    pattern(size, u32::try_from(size).expect("sizes in tests fit"))
}
