//! Mounted drives become folders where they are mounted, and nothing leaves the target.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use common::{drive_in, store, tree};
use futures_lite::future::block_on;
use hyperdrive::mirror::{Export, ExportOptions, Exported, Written};
use hyperdrive::{Attributes, Drive, Mount};

async fn export(drive: &Drive, folder: &std::path::Path, before: &Written) -> Exported {
    let options = ExportOptions::new().mounts(true);
    let plan = Export::plan(drive, folder, before.clone(), options).await;
    plan.unwrap().run(|_| {}).await.unwrap()
}

#[test]
fn mounted_drives_are_written_once_each_and_left_out_unless_asked_for() {
    block_on(async {
        let store = store();
        let [one, two, three] = ["1", "2", "3"].map(|name| block_on(drive_in(&store, name)));
        let plain = Attributes::new();
        let mount = async |drive: &Drive, path: &str, mount| {
            drive.mount(path, mount, &plain).await.unwrap();
        };
        let log = store.create().unwrap();
        log.append("a log").unwrap();
        mount(&one, "/in/two", Mount::drive(two.key())).await;
        mount(&two, "/three", Mount::drive(three.key())).await;
        mount(&one, "/zzz", Mount::drive(two.key())).await;
        mount(&two, "/back", Mount::drive(one.key())).await;
        mount(&one, "/log", Mount::log(log.public_key())).await;
        mount(
            &one,
            "/nobody",
            Mount::drive(hypercore_crypto::PublicKey::from_bytes([7; 32])),
        )
        .await;
        for (drive, path) in [(&one, "/a"), (&two, "/b"), (&three, "/sub/c")] {
            drive
                .write_file(path, path.to_owned(), &plain)
                .await
                .unwrap();
        }
        // As the root of the mounted drive has it, which is not that of the folder.
        two.symlink("../../../../outside", "/escape", &plain)
            .await
            .unwrap();

        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("target");
        let exported = export(&one, &folder, &Written::new()).await;
        let expected = ["a", "in/two/b", "in/two/three/sub/c", "log", "nobody/"];
        let found = tree(&folder);
        let places: Vec<_> = found.keys().map(String::as_str).collect();
        let (at, other) = match places.iter().any(|place| place.starts_with("zzz")) {
            true => ("zzz", "in/two"),
            false => ("in/two", "zzz"),
        };
        let mut expected = expected.map(|place| place.replace("in/two", at));
        expected.sort();
        assert_eq!(places, expected);
        assert_eq!(found[&format!("{at}/three/sub/c")], b"/sub/c");
        assert_eq!(found["log"], b"a log");
        let mut warned: Vec<_> = exported.warnings.iter().map(|w| w.path.as_str()).collect();
        warned.sort_unstable();
        let mut left_out = [
            format!("{at}/back"),
            format!("{at}/escape"),
            other.to_owned(),
        ];
        left_out.sort();
        assert_eq!(warned, left_out);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);

        // What changes in a mounted drive is written, what goes is removed.
        two.write_file("/b", "changed", &plain).await.unwrap();
        three.remove_all("/sub").await.unwrap();
        let again = export(&one, &folder, &exported.written).await;
        assert_eq!((again.removed, again.files), (1, 1));
        assert_eq!(tree(&folder)[&format!("{at}/b")], b"changed");

        let plain = dir.path().join("plain");
        let without = common::export(&one, &plain, &Written::new()).await;
        assert_eq!(tree(&plain).len(), 1);
        assert_eq!(without.warnings.len(), 4);
    });
}
