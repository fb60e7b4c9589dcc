//! Damaged storage ends in status 7, and never in wrong bytes.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Place, noise, sample, write};

/// The files of that name in a store, with the size that they have.
fn stored(storage: &Path, name: &str) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    let mut folders = vec![storage.join("storage/cores")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if entry.file_name() == name {
                found.push((entry.path(), entry.metadata().unwrap().len()));
            }
        }
    }
    found
}

/// A drive with one large file, shared once.
fn shared(place: &Place) -> String {
    sample(&place.folder("source"));
    write(&place.path("source"), "large", noise(4, 2_000_000));
    let sharing = place.share("author", "source");
    sharing.process.interrupt();
    sharing.process.end();
    sharing.link
}

#[test]
fn a_flipped_bit_is_not_handed_out() {
    let place = Place::new();
    let link = shared(&place);
    let (data, size) = stored(&place.path("author"), "data")
        .into_iter()
        .max_by_key(|file| file.1)
        .unwrap();
    let mut bytes = fs::read(&data).unwrap();
    bytes[usize::try_from(size).unwrap() / 2] ^= 1;
    fs::write(&data, bytes).unwrap();
    let read = place
        .run("author", &["cat", &format!("{link}large")])
        .expect(7)
        .tells("damaged");
    assert!(noise(4, 2_000_000).starts_with(&read.stdout));
    // Everything else is still there.
    place
        .run("author", &["cat", &format!("{link}hello.txt")])
        .expect(0);
}

#[test]
fn a_truncated_file_is_told() {
    for name in ["data", "tree", "signatures"] {
        let place = Place::new();
        let link = shared(&place);
        let (path, size) = stored(&place.path("author"), name)
            .into_iter()
            .max_by_key(|file| file.1)
            .unwrap();
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(size / 2)
            .unwrap();
        let read = place.run("author", &["cat", &format!("{link}large")]);
        // What is gone is not to be had: damaged, or missing with nobody to ask. Signatures alone
        // are needed by others only.
        match read.code {
            Some(0) => assert!(read.stdout == noise(4, 2_000_000), "{name}"),
            Some(5 | 7) => assert_eq!(read.stderr.lines().count(), 1, "{name}: {}", read.stderr),
            code => panic!("{name}: {code:?} {}", read.stderr),
        }
        assert!(noise(4, 2_000_000).starts_with(&read.stdout), "{name}");
    }
}

/// A share compared names, sizes and times only, and served entries whose content was gone.
#[test]
fn a_share_from_truncated_storage_serves_everything_or_ends_in_an_error() {
    for (name, can_be_mended) in [("bitfield", true), ("data", false), ("tree", false)] {
        let place = Place::new();
        let link = shared(&place);
        let (path, _) = stored(&place.path("author"), name)
            .into_iter()
            .max_by_key(|file| file.1)
            .unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_len(5).unwrap();
        let read = place.run("author", &["cat", &format!("{link}large")]);
        if read.code == Some(0) {
            assert!(can_be_mended, "{name}");
            assert_eq!(read.stdout, noise(4, 2_000_000), "{name}");
            let sharing = place.share("author", "source");
            assert_eq!(sharing.link, link);
            let large = format!("{link}large");
            let args = ["cat", &*large, "--peer", &*sharing.address];
            assert_eq!(place.run("reader", &args).expect(0).stdout, read.stdout);
            continue;
        }
        place
            .run("author", &["share", "source", "--listen", "127.0.0.1:0"])
            .expect(7)
            .tells("restore the storage");
        // Nor does it forget: whoever signs other blocks in place of the lost ones splits the log.
        place
            .run("author", &["share", "source", "--listen", "127.0.0.1:0"])
            .expect(7);
    }
}

#[test]
fn a_truncated_master_key_is_not_replaced() {
    let place = Place::new();
    let link = shared(&place);
    let key = place.path("author/storage/cores/master_key");
    fs::write(&key, [1; 16]).unwrap();
    place
        .run("author", &["ls", &link])
        .expect(7)
        .tells("master key");
    place
        .run("author", &["share", "source"])
        .expect(7)
        .tells("master key");
    assert_eq!(fs::read(&key).unwrap(), [1; 16]);
}

#[test]
fn settings_that_cannot_be_read_are_told() {
    let place = Place::new();
    shared(&place);
    for entry in fs::read_dir(place.path("author/storage/db/shares")).unwrap() {
        fs::write(entry.unwrap().path(), "{").unwrap();
    }
    // A new drive under a new link would be worse than an error.
    place
        .run("author", &["share", "source"])
        .expect(7)
        .tells("shares");
}
