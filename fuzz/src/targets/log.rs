use std::sync::Arc;

use hypercore::{Hypercore, Options};
use hypercore_storage::{MemoryDir, OpenMode, Storage, StorageDir};

use crate::input::Input;
use crate::plant;

/// A log's directory as some other program, or a bad disk, left it: the files in the order of
/// [`FILES`], each behind its length in two bytes; the rest is `data`.
///
/// It opens or is refused. What it holds is read or is an error. What is appended is there when it
/// is opened again.
pub fn storage(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let dir = Arc::new(MemoryDir::new());
    let mut torn = false;
    for name in FILES {
        let content = input.piece();
        torn |= name == "tree" && content.len() > 32 && !(content.len() - 32).is_multiple_of(40);
        if !content.is_empty() {
            write(&dir, name, content);
        }
    }
    write(&dir, "data", input.rest());

    let Ok(mut log) = Hypercore::open(dir.clone(), Options::new()) else {
        return;
    };
    let length = log.length();
    for index in (0..length.min(64)).chain([length.saturating_sub(1), length, u64::MAX]) {
        let _ = log.get(index);
        log.has(index);
    }
    log.has_range(0..length);
    log.downloaded(0..length);
    log.next_missing(0, length);
    if !log.is_writable() {
        return;
    }
    let Ok(index) = log.append_batch(&[b"appended"]) else {
        return;
    };
    assert_eq!(index, length);
    assert_eq!(
        log.get(index).ok().flatten().as_deref(),
        Some(&b"appended"[..])
    );
    if log.close().is_err() {
        return;
    }
    let log = Hypercore::open(dir, Options::new()).expect("what was closed opens again");
    // Planted: an append to a log that lost the end of its tree is lost.
    assert!(!plant::strikes(torn));
    assert_eq!(log.length(), length + 1);
    assert_eq!(
        log.get(index).ok().flatten().as_deref(),
        Some(&b"appended"[..])
    );
}

/// The files of a log's directory, but the blocks.
pub(crate) const FILES: [&str; 5] = ["key", "secret_key", "tree", "signatures", "bitfield"];

fn write(dir: &MemoryDir, name: &str, content: &[u8]) {
    let file = dir.open(name, OpenMode::Create).expect("memory has room");
    Storage::write(&*file, 0, content).expect("memory has room");
}
