//! However drives are mounted in each other, looking at them ends, within bounds, and harms nobody.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use bytes::Bytes;
use common::{drive_in, store, text};
use futures_lite::future::{block_on, poll_once};
use hypercore_crypto::PublicKey;
use hyperdrive::{Attributes, Drive, DriveError, FileType, KeepOptions, Mount, ReadDir, Stat};
use hypertrie::{GetOptions, PutOptions, Trie};

async fn mount(drive: &Drive, path: &str, key: PublicKey) {
    let plain = Attributes::new();
    drive.mount(path, Mount::drive(key), &plain).await.unwrap();
}

async fn trie(drive: &Drive) -> Trie {
    let options = hypertrie::Options::new();
    Trie::open(drive.metadata().clone(), options).await.unwrap()
}

/// The paths of a listing, and what is wrong with some.
async fn list(drive: &Drive) -> (Vec<String>, Vec<DriveError>) {
    let mut entries = drive.read_dir("/", true).await.unwrap();
    let (mut paths, mut errors) = (Vec::new(), Vec::new());
    while let Some(entry) = entries.next().await {
        match entry {
            Ok(entry) => paths.push(entry.path),
            Err(error) => errors.push(error),
        }
    }
    paths.sort();
    (paths, errors)
}

#[test]
fn an_empty_log_of_ours_that_somebody_mounts_is_not_written() {
    block_on(async {
        let store = store();
        let drive = drive_in(&store, "drive").await;
        let private = store.get_by_name("for something else").unwrap();
        mount(&drive, "/m", private.public_key()).await;
        let error = drive.read_file("/m/x").await.unwrap_err();
        assert!(
            matches!(&error, DriveError::BadMount { path, .. } if path == "/m"),
            "{error:?}"
        );
        let plain = Attributes::new();
        let written = drive.write_file("/m/x", "x", &plain).await;
        assert!(matches!(written, Err(DriveError::BadMount { .. })));
        let (paths, errors) = list(&drive).await;
        assert_eq!((paths, errors.len()), (vec!["/m".to_owned()], 1));
        assert_eq!(private.length(), 0);
    });
}

#[test]
fn what_is_no_drive_is_told_of_and_what_is_beside_it_is_listed() {
    block_on(async {
        let store = store();
        let [drive, good] = ["drive", "good"].map(|name| block_on(drive_in(&store, name)));
        let log = store.create().unwrap();
        log.append_batch(&["no", "trie", "at all"]).unwrap();
        mount(&drive, "/bad", log.public_key()).await;
        mount(&drive, "/good", good.key()).await;
        for name in ["a", "b", "good/c"] {
            drive
                .write_file(name, "x", &Attributes::new())
                .await
                .unwrap();
        }
        let (paths, errors) = list(&drive).await;
        assert_eq!(paths, ["/a", "/b", "/bad", "/good", "/good/c"]);
        assert!(matches!(&errors[..], [DriveError::BadMount { path, .. }] if path == "/bad"));
        assert!(drive.read_file("/bad/x").await.is_err());
        let written = drive.write_file("/bad/x", "x", &Attributes::new()).await;
        assert!(written.is_err());
        assert_eq!(log.length(), 3);
        // A mount of what nobody has is an empty folder, without peers.
        mount(&drive, "/nobody", PublicKey::from_bytes([7; 32])).await;
        let (paths, errors) = list(&drive).await;
        assert_eq!((paths.len(), errors.len()), (6, 1));
        assert_eq!(drive.mounts(true).await.unwrap().len(), 3 + 1);
    });
}

#[test]
fn one_trace_of_a_mount_without_the_other_is_none() {
    block_on(async {
        let store = store();
        let [drive, other] = ["drive", "other"].map(|name| block_on(drive_in(&store, name)));
        other
            .write_file("/x", "x", &Attributes::new())
            .await
            .unwrap();
        let trie = trie(&drive).await;
        let stat = {
            mount(&drive, "/whole", other.key()).await;
            trie.get("whole").await.unwrap().unwrap().value.unwrap()
        };
        let hidden = PutOptions::new().hidden(true);
        let record = trie
            .get_with("mounts/whole", GetOptions::new().hidden(true))
            .await
            .unwrap()
            .unwrap();
        // As the reference's `unlink` leaves it, and as nothing honest does.
        let options = hidden.flags(1);
        trie.put_with("mounts/hidden", record.value.clone(), options)
            .await
            .unwrap();
        trie.put_with("shown", stat, PutOptions::new().flags(1))
            .await
            .unwrap();
        for path in ["/hidden/x", "/shown/x"] {
            let error = drive.read_file(path).await.unwrap_err();
            assert_eq!(error.errno_name(), Some("ENOENT"), "{path}");
        }
        let (paths, errors) = list(&drive).await;
        assert_eq!(
            (paths, errors.len()),
            (vec!["/shown".into(), "/whole".into(), "/whole/x".into()], 0)
        );
        assert_eq!(drive.mounts(true).await.unwrap().len(), 2);

        // A record that says that it is elsewhere, or mounts a part.
        let mut lying = hypertrie::Mount::new("elsewhere", *other.key().as_bytes());
        let value = Bytes::from(lying.encode());
        trie.put_with("mounts/shown", value, options).await.unwrap();
        assert_eq!(text(&drive, "/shown/x").await, "x");
        lying.remote_path = Some("folder".to_owned());
        let value = Bytes::from(lying.encode());
        trie.put_with("mounts/shown", value, options).await.unwrap();
        assert!(matches!(
            drive.read_file("/shown/x").await,
            Err(DriveError::BadEntry { .. })
        ));
        trie.put_with("mounts/shown", Bytes::from_static(b"\xff"), options)
            .await
            .unwrap();
        assert!(drive.read_file("/shown/x").await.is_err());
        let (paths, errors) = list(&drive).await;
        assert_eq!((paths.len(), errors.len()), (2, 1), "{errors:?}");
    });
}

#[test]
fn a_chain_of_mounts_is_followed_to_the_limit_and_no_further() {
    block_on(async {
        let store = store();
        let drives: Vec<_> = (0..hypertrie::MAX_MOUNT_DEPTH + 2)
            .map(|index| block_on(drive_in(&store, index)))
            .collect();
        for pair in drives.windows(2) {
            mount(&pair[0], "/m", pair[1].key()).await;
            pair[0]
                .write_file("/x", "x", &Attributes::new())
                .await
                .unwrap();
        }
        let (paths, errors) = list(&drives[0]).await;
        // Two entries in each of them but in the last one, which is too deep.
        assert_eq!(paths.len(), 2 * (hypertrie::MAX_MOUNT_DEPTH + 1));
        let [DriveError::BadMount { source, .. }] = &errors[..] else {
            panic!("{errors:?}");
        };
        assert!(matches!(**source, DriveError::TooManyMounts { limit: 32 }));
        let (paths, errors) = list(&drives[1]).await;
        assert_eq!(
            (paths.len(), errors.len()),
            (2 * hypertrie::MAX_MOUNT_DEPTH, 0)
        );
    });
}

/// Drives that mount each other a hundred times: every level has a hundred times as many paths.
#[test]
fn fault_d5_mounts_that_multiply_end_a_listing_at_the_limit() {
    block_on(async {
        let store = store();
        let drives = [1, 2, 3, 4].map(|name| block_on(drive_in(&store, name)));
        for (pair, count) in drives.windows(2).zip([100, 100, 99]) {
            let (drive, inner) = (&pair[0], &pair[1]);
            let mut stat = Stat::new(FileType::Directory, 0o755);
            stat.mount = Some(Mount::drive(inner.key()));
            let trie = trie(drive).await;
            let mut batch = trie.begin().await.unwrap();
            for index in 0..count {
                let mount = hypertrie::Mount::new(&format!("m{index}"), *inner.key().as_bytes());
                batch.mount(&mount, stat.encode().into()).await.unwrap();
            }
            batch.commit().unwrap();
        }
        let limit = ReadDir::MAX_MOUNTS;
        assert_eq!(limit, 100 + 100 * 99);
        let (paths, errors) = list(&drives[1]).await;
        assert_eq!((paths.len(), errors.len()), (limit, 0));
        assert_eq!(drives[1].mounts(true).await.unwrap().len(), limit + 1);

        let (paths, errors) = list(&drives[0]).await;
        assert!((limit..2 * limit).contains(&paths.len()), "{}", paths.len());
        assert!(matches!(errors[..], [DriveError::TooManyMounts { limit: l }] if l == limit));
        let error = drives[0].mounts(true).await.unwrap_err();
        assert!(matches!(error, DriveError::TooManyMounts { limit: l } if l == limit));
    });
}

#[test]
fn more_drives_than_are_kept_at_once_are_an_error() {
    block_on(async {
        let store = store();
        let drive = drive_in(&store, "drive").await;
        let trie = trie(&drive).await;
        let mut stat = Stat::new(FileType::Directory, 0o755);
        let mut batch = trie.begin().await.unwrap();
        // The drive itself counts.
        for index in 1..=Drive::MAX_KEPT {
            if index == Drive::MAX_KEPT {
                batch.commit().unwrap();
                let mut keeping = std::pin::pin!(drive.keep(KeepOptions::new().content(false)));
                assert!(poll_once(keeping.as_mut()).await.is_none());
                batch = trie.begin().await.unwrap();
            }
            let mut key = [1; 32];
            key[..8].copy_from_slice(&index.to_be_bytes());
            stat.mount = Some(Mount::drive(PublicKey::from_bytes(key)));
            let mount = hypertrie::Mount::new(&format!("m{index}"), key);
            batch.mount(&mount, stat.encode().into()).await.unwrap();
        }
        batch.commit().unwrap();
        let error = drive.keep(KeepOptions::new()).await.unwrap_err();
        let limit = Drive::MAX_KEPT;
        assert!(matches!(error, DriveError::TooManyMounts { limit: l } if l == limit));
    });
}
