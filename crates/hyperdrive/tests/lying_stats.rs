//! Entries whose numbers are no truth: reads end, and give no byte of another file.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use bytes::Bytes;
use common::{drive, export, put_raw};
use futures_lite::future::{block_on, poll_once};
use hyperdrive::mirror::Written;
use hyperdrive::{Attributes, ClearOptions, Drive, DriveError, OpenOptions, Stat};
use proptest::prelude::*;

/// The sizes of the blocks of the content log, each of which is filled with a byte of its own.
const BLOCKS: [usize; 6] = [5, 1, 0, 300, 12, 40];

/// What an entry says.
#[derive(Clone, Debug)]
struct Lie {
    offset: u64,
    blocks: u64,
    byte_offset: u64,
    size: u64,
    mtime: u64,
    ctime: u64,
}

fn number(small: u64) -> impl Strategy<Value = u64> {
    let edges = [
        0,
        1,
        1 << 31,
        1 << 32,
        (1 << 52) - 1,
        1 << 52,
        1 << 53,
        1 << 63,
        u64::MAX,
    ];
    prop_oneof![6 => 0..small, 1 => prop::sample::select(edges.to_vec()), 1 => any::<u64>()]
}

fn any_lie() -> impl Strategy<Value = Lie> {
    let numbers = (
        number(8),
        number(8),
        number(400),
        number(400),
        number(9),
        number(9),
    );
    numbers.prop_map(|(offset, blocks, byte_offset, size, mtime, ctime)| Lie {
        offset,
        blocks,
        byte_offset,
        size,
        mtime,
        ctime,
    })
}

fn block(index: usize) -> Vec<u8> {
    vec![b'a' + u8::try_from(index).unwrap(); BLOCKS[index]]
}

/// The bytes in the blocks that the entry claims.
fn claimed(lie: &Lie) -> Vec<u8> {
    let end = lie.offset.saturating_add(lie.blocks);
    let blocks = (0..BLOCKS.len()).filter(|index| (lie.offset..end).contains(&(*index as u64)));
    blocks.flat_map(block).collect()
}

async fn with(lie: &Lie) -> (Drive, Stat) {
    let drive = drive().await;
    let plain = Attributes::new();
    let mut batch = drive.batch().await.unwrap();
    for index in 0..BLOCKS.len() {
        let path = format!("/good/{index}");
        batch.write_file(&path, block(index), &plain).await.unwrap();
    }
    batch.commit().await.unwrap();
    drop(batch);
    let mut stat = drive.stat("/good/0").await.unwrap();
    (stat.offset, stat.blocks) = (lie.offset, lie.blocks);
    (stat.byte_offset, stat.size) = (lie.byte_offset, lie.size);
    (stat.mtime, stat.ctime) = (lie.mtime, lie.ctime);
    put_raw(&drive, "bad", &stat).await;
    (drive, stat)
}

/// Every piece that a read gives before it ends.
async fn pieces(drive: &Drive, range: std::ops::Range<u64>) -> (Vec<u8>, Result<(), DriveError>) {
    let mut read = Vec::new();
    let mut stream = match drive.read("/bad", range).await {
        Ok(stream) => stream,
        Err(error) => return (read, Err(error)),
    };
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(piece) => read.extend_from_slice(&piece),
            Err(error) => return (read, Err(error)),
        }
    }
    (read, Ok(()))
}

fn is_part(part: &[u8], whole: &[u8]) -> bool {
    part.is_empty() || whole.windows(part.len()).any(|window| window == part)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        std::env::var("SEQUENCES").map_or(300, |text| text.parse().expect("SEQUENCES is a number"))
    ))]
    #[test]
    fn fault_d2_no_read_gives_bytes_of_others_or_waits(
        lie in any_lie(),
        start in number(400),
        len in number(400),
    ) {
        let done = block_on(poll_once(async {
            let (drive, stat) = with(&lie).await;
            let own = claimed(&lie);

            let (read, ended) = pieces(&drive, 0..u64::MAX).await;
            assert!(own.starts_with(&read));
            assert!(read.len() as u64 <= lie.size);
            match ended {
                Ok(()) => assert_eq!(read.len() as u64, lie.size),
                Err(error) => assert!(matches!(error, DriveError::BadEntry { .. }), "{error}"),
            }
            if let Ok(whole) = drive.read_file("/bad").await {
                assert_eq!(whole, read);
            }

            let (part, ended) = pieces(&drive, start..start.saturating_add(len)).await;
            assert!(is_part(&part, &own), "{part:?} of {own:?}");
            assert!(part.len() as u64 <= len);
            if let Err(error) = ended {
                assert!(matches!(error, DriveError::BadEntry { .. }), "{error}");
            }

            let mut file = drive.open_file("/bad", OpenOptions::new().read(true)).await.unwrap();
            if let Ok(part) = file.read_at(start, usize::try_from(len).unwrap_or(usize::MAX)).await {
                assert!(is_part(&part, &own));
            }

            let stats = drive.file_stats("/bad").await.unwrap();
            assert!(stats.downloaded_blocks <= BLOCKS.len() as u64);
            assert_eq!((stats.size, stats.blocks), (stat.size, stat.blocks));
            drive.orphans().await.unwrap();
            for _ in 0..2 {
                assert_eq!(drive.read_file("/good/3").await.unwrap(), Bytes::from(block(3)));
            }
            let freed = drive.clear("/bad", ClearOptions::new().own(true)).await.unwrap();
            assert_eq!(freed.blocks, 0, "they belong to others");
            let good = drive.read_file("/good/5").await.unwrap();
            assert_eq!(good, Bytes::from(block(5)));
        }));
        prop_assert!(done.is_some(), "it waits for nobody");
    }

    #[test]
    fn fault_d2_an_export_of_lies_ends_and_writes_the_truth(lie in any_lie()) {
        block_on(async {
            let (drive, _) = with(&lie).await;
            let own = claimed(&lie);
            let dir = tempfile::tempdir().unwrap();
            let done = export(&drive, dir.path(), &Written::new()).await;
            match std::fs::read(dir.path().join("bad")) {
                Ok(written) => {
                    assert_eq!(written.len() as u64, lie.size);
                    assert!(own.starts_with(&written));
                }
                Err(_) => assert_eq!(done.warnings.len(), 1, "{:?}", done.warnings),
            }
            assert_eq!(std::fs::read(dir.path().join("good/3")).unwrap(), block(3));
        });
    }
}
