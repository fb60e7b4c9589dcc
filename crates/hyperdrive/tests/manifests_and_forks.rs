//! What drives say of themselves; drives made from others; changes brought from one to another.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use common::{drive_in, listing, put_raw, store, text, write};
use futures_lite::future::block_on;
use hyperdrive::{
    Attributes, Difference, DriveError, FileType, Manifest, ManifestError, MergeOptions, Mount,
    Stat,
};

#[test]
fn known_fields_of_the_wrong_type_count_as_absent_and_others_stay() {
    let text = r#"{"title": "T", "description": 7, "type": ["website", "x"], "mine": [1],
        "author": {"url": "hyper://a"}, "forkOf": null,
        "links": {"licence": "hyper://l", "see": [{"href": "hyper://s", "x": 1}, "hyper://t", 5]}}"#;
    let mut manifest = Manifest::parse(text.as_bytes()).unwrap();
    assert_eq!(manifest.title(), Some("T"));
    assert_eq!((manifest.description(), manifest.fork_of()), (None, None));
    assert_eq!(manifest.text("type"), Some("website"));
    assert_eq!(manifest.text("author"), Some("hyper://a"));
    assert_eq!(manifest.links("licence"), ["hyper://l"]);
    assert_eq!(manifest.links("see"), ["hyper://s", "hyper://t"]);
    assert_eq!(manifest.links("none"), [""; 0]);
    manifest.set("description", Some("D"));
    manifest.set("title", None);
    let again = Manifest::parse(manifest.to_text().as_bytes()).unwrap();
    assert_eq!(again, manifest);
    assert_eq!((again.title(), again.description()), (None, Some("D")));
    assert_eq!(again.fields()["mine"], serde_json::json!([1]));
    assert!(manifest.to_text().contains("\n  \"description\": \"D\""));
}

#[test]
fn what_is_no_manifest_is_an_error_and_read_only_up_to_the_limit() {
    assert!(matches!(Manifest::parse(b"{"), Err(ManifestError::Json(_))));
    assert_eq!(Manifest::parse(b"[1]"), Err(ManifestError::NoObject));
    let nested = "[".repeat(100_000);
    assert!(matches!(
        Manifest::parse(nested.as_bytes()),
        Err(ManifestError::Json(_))
    ));
    let mut text = b"{}".to_vec();
    text.resize(Manifest::MAX_BYTES, b' ');
    Manifest::parse(&text).unwrap();
    text.push(b' ');
    let bytes = text.len();
    assert_eq!(
        Manifest::parse(&text),
        Err(ManifestError::TooLarge { bytes })
    );
    block_on(async {
        let drive = drive_in(&store(), "1").await;
        assert_eq!(drive.manifest().await.unwrap(), None);
        drive
            .write_file("/index.json", text, &Attributes::new())
            .await
            .unwrap();
        let error = drive.manifest().await.unwrap_err();
        assert!(matches!(
            error,
            DriveError::BadManifest(ManifestError::TooLarge { .. })
        ));
    });
}

#[test]
fn a_manifest_is_written_again_with_what_its_file_had() {
    block_on(async {
        let drive = drive_in(&store(), "1").await;
        let attributes = Attributes::new().ctime(5).metadata("k", "v");
        drive
            .write_file("/index.json", r#"{"x": 1}"#, &attributes)
            .await
            .unwrap();
        let mut manifest = drive.manifest().await.unwrap().unwrap();
        manifest.set("title", Some("T"));
        drive.set_manifest(&manifest).await.unwrap();
        assert_eq!(drive.manifest().await.unwrap().unwrap(), manifest);
        let stat = drive.stat("/index.json").await.unwrap();
        assert_eq!((stat.ctime, stat.metadata.len()), (5, 1));
        assert!(stat.mtime > 5);
    });
}

#[test]
fn a_fork_has_the_files_and_says_where_it_comes_from() {
    block_on(async {
        let store = store();
        let [one, other, fork] = ["1", "2", "3"].map(|name| block_on(drive_in(&store, name)));
        let attributes = Attributes::new().mode(0o600).mtime(7).metadata("k", "v");
        one.write_file("/a/b", vec![7; 200_000], &attributes)
            .await
            .unwrap();
        one.mkdir("/empty", &Attributes::new()).await.unwrap();
        one.symlink("a/b", "/link", &Attributes::new())
            .await
            .unwrap();
        one.mount(
            "/m",
            Mount::drive(other.key()).at_version(1),
            &Attributes::new(),
        )
        .await
        .unwrap();
        write(&other, "/x", "in the mount").await;
        write(&one, "/.git/config", "no").await;
        write(&one, "/.dat", "no").await;
        write(
            &one,
            "/index.json",
            r#"{"title": "T", "author": "A", "own": 1}"#,
        )
        .await;
        let mut changes = Manifest::new();
        changes.set("title", Some("Fork"));
        let done = fork.fork_from(&one, &changes, false).await.unwrap();
        assert_eq!(
            (done.added, done.changed, done.removed, done.skipped),
            (4, 0, 0, 0)
        );
        let paths = ["/a/b", "/empty", "/index.json", "/link", "/m"];
        assert_eq!(listing(&fork).await, paths);
        assert_eq!(fork.read_file("/link").await.unwrap(), vec![7; 200_000]);
        let (old, new) = (
            one.stat("/a/b").await.unwrap(),
            fork.stat("/a/b").await.unwrap(),
        );
        assert_eq!(
            (new.mode, new.mtime, &new.metadata),
            (old.mode, 7, &old.metadata)
        );
        assert_eq!(
            fork.stat("/m").await.unwrap().mount,
            one.stat("/m").await.unwrap().mount
        );
        fork.holder("/m").await.unwrap();
        let manifest = fork.manifest().await.unwrap().unwrap();
        assert_eq!(manifest.title(), Some("Fork"));
        assert_eq!(manifest.text("author"), None);
        assert_eq!(
            manifest.fork_of(),
            Some(&*format!("hyper://{}/", one.key()))
        );
        assert_eq!(manifest.fields()["own"], 1);

        let detached = drive_in(&store, "4").await;
        detached
            .fork_from(&one.checkout(2), &Manifest::new(), true)
            .await
            .unwrap();
        assert_eq!(listing(&detached).await, ["/a/b", "/index.json"]);
        assert_eq!(detached.manifest().await.unwrap().unwrap().fork_of(), None);
    });
}

#[test]
fn trees_are_compared_by_content_and_made_alike() {
    block_on(async {
        let store = store();
        let [one, two] = ["1", "2"].map(|name| block_on(drive_in(&store, name)));
        for drive in [&one, &two] {
            write(drive, "/t/same", "same").await;
            write(drive, "/t/kept/x", "x").await;
            drive
                .symlink("same", "/t/link", &Attributes::new())
                .await
                .unwrap();
            drive
                .mount("/t/m", Mount::drive(one.key()), &Attributes::new())
                .await
                .unwrap();
        }
        write(&one, "/t/new/file", "n").await;
        write(&one, "/t/changed", "one").await;
        write(&two, "/t/changed", "two").await;
        write(&one, "/t/was-folder", "file").await;
        write(&two, "/t/was-folder/file", "x").await;
        write(&one, "/t/was-file/file", "x").await;
        write(&two, "/t/was-file", "file").await;
        write(&two, "/t/gone/deep", "x").await;
        write(&two, "/t/ignored/x", "x").await;
        write(&two, "/beside", "x").await;
        let mut bad = Stat::new(FileType::File, 0o644);
        (bad.size, bad.blocks) = (9, 0);
        put_raw(&one, "t/bad", &bad).await;

        let options = MergeOptions::new().ignore("/ignored");
        let compare = async |options: &MergeOptions| {
            let mut found = Vec::new();
            let unread = two
                .compare_trees("/t", (&one, "/t"), options, |name, change| {
                    found.push((name.to_owned(), change));
                })
                .await
                .unwrap();
            found.sort_by(|a, b| a.0.cmp(&b.0));
            (found, unread)
        };
        use Difference::{Added, Changed, Removed};
        let expected = [
            ("bad", Added),
            ("changed", Changed),
            ("gone/deep", Removed),
            ("new/file", Added),
            ("was-file", Removed),
            ("was-file/file", Added),
            ("was-folder", Added),
            ("was-folder/file", Removed),
        ];
        let expected = expected.map(|(name, change)| (name.to_owned(), change));
        assert_eq!(compare(&options).await.0, expected);
        let kept = compare(&options.clone().keep(true)).await.0;
        assert!(kept.iter().all(|(_, change)| *change != Removed));

        let before = two.version();
        let merged = two.merge_tree("/t", (&one, "/t"), &options).await.unwrap();
        assert_eq!((merged.added, merged.changed), (3, 1));
        assert_eq!((merged.removed, merged.skipped), (3, 1));
        assert_eq!(text(&two, "/t/changed").await, "one");
        assert_eq!(text(&two, "/t/was-folder").await, "file");
        assert_eq!(text(&two, "/t/was-file/file").await, "x");
        assert!(two.exists("/t/ignored/x").await.unwrap());
        assert!(two.exists("/beside").await.unwrap());
        assert!(!two.exists("/t/gone").await.unwrap());
        assert_eq!(compare(&options).await.0, [("bad".to_owned(), Added)]);
        assert_eq!(text(&two.checkout(before), "/t/changed").await, "two");

        // A directory that is not there yet, in a mounted drive.
        let all = MergeOptions::new();
        two.merge_tree("/t/m/copy", (&two, "/t/kept"), &all)
            .await
            .unwrap();
        assert_eq!(text(&one, "/copy/x").await, "x");
        let error = two
            .merge_tree("/beside", (&one, "/t"), &all)
            .await
            .unwrap_err();
        assert_eq!(error.errno_name(), Some("ENOTDIR"));
    });
}
