//! Where files are cut into blocks, and that nobody can tell but by counting them.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use corestore::Corestore;
use futures_lite::future::block_on;
use hypercore_storage::MemoryDir;
use hyperdrive::mirror::{Import, ImportOptions, Written};
use hyperdrive::{Attributes, Chunker, ContentDefined, Drive, FixedSize, Options};
use proptest::collection::vec;
use proptest::prelude::*;
use testkit::Rng;

async fn drive(options: Options) -> Drive {
    let store = Corestore::open(Arc::new(MemoryDir::new()), corestore::Options::new()).unwrap();
    Drive::create(&store, options).await.unwrap()
}

/// The blocks of the content log.
fn blocks(drive: &Drive) -> Vec<bytes::Bytes> {
    let content = drive.content_now().unwrap();
    content.get_range_local(0..content.length()).unwrap()
}

#[test]
fn content_decides_where_blocks_end() {
    block_on(async {
        let drive = drive(Options::new().chunker(ContentDefined)).await;
        let mut bytes = Rng::new(1).bytes(4 << 20);
        let plain = Attributes::new();
        drive.write_file("/a", bytes.clone(), &plain).await.unwrap();
        let first = blocks(&drive);
        let sizes = || first.iter().map(bytes::Bytes::len);
        let (last, others) = first.split_last().unwrap();
        assert!(!last.is_empty());
        let limits = ContentDefined::MIN_BYTES..=ContentDefined::MAX_BYTES;
        assert!(others.iter().all(|block| limits.contains(&block.len())));
        let average = sizes().sum::<usize>() / first.len();
        assert!((12 << 10..24 << 10).contains(&average), "{average}");
        assert!(sizes().collect::<BTreeSet<_>>().len() > first.len() / 2);

        // Bytes put in near the start change the blocks around them alone.
        bytes.splice(100_000..100_000, *b"inserted");
        drive.write_file("/b", bytes.clone(), &plain).await.unwrap();
        let known: BTreeSet<_> = first.into_iter().collect();
        let all = blocks(&drive);
        let new = all[known.len()..].iter();
        let changed = new.filter(|block| !known.contains(*block)).count();
        assert!((1..=4).contains(&changed), "{changed}");
        assert_eq!(drive.read_file("/b").await.unwrap(), bytes);
        let part = drive.read("/b", 1_000_000..1_300_000).await.unwrap();
        assert_eq!(part.gather().await.unwrap(), bytes[1_000_000..1_300_000]);
    });
}

#[test]
fn an_import_may_cut_otherwise_than_the_drive() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let bytes = Rng::new(2).bytes(1 << 20);
        std::fs::write(folder.path().join("a"), &bytes).unwrap();
        let drive = drive(Options::new()).await;
        let options = ImportOptions::new().chunker(ContentDefined);
        let import = Import::plan(folder.path(), &drive, Written::new(), &options);
        import.await.unwrap().run(|_| {}).await.unwrap();
        assert!((40..100).contains(&blocks(&drive).len()));
        assert_eq!(drive.read_file("/a").await.unwrap(), bytes);
        let plain = Attributes::new();
        let stat = drive.write_file("/b", bytes, &plain).await.unwrap();
        assert_eq!(stat.blocks, 16);
    });
}

/// Says what it likes.
#[derive(Debug)]
struct Careless(Option<usize>);

impl Chunker for Careless {
    fn cut(&self, _: &[u8], _: bool) -> Option<usize> {
        self.0
    }
}

#[test]
fn a_careless_chunker_makes_possible_blocks() {
    block_on(async {
        let limit = Options::REFERENCE_BLOCK_SIZE;
        for (says, size, expected) in [
            (None, limit - 1, vec![limit - 1]),
            (None, limit + 1, vec![limit, 1]),
            (Some(usize::MAX), limit + 1, vec![limit, 1]),
            (Some(0), 3, vec![1, 1, 1]),
        ] {
            let drive = drive(Options::new().chunker(Careless(says))).await;
            let plain = Attributes::new();
            drive.write_file("/a", vec![1; size], &plain).await.unwrap();
            let sizes: Vec<usize> = blocks(&drive).iter().map(bytes::Bytes::len).collect();
            assert_eq!(sizes, expected);
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn blocks_do_not_depend_on_how_a_file_is_given(
        pieces in vec(0..200_000_usize, 1..8),
        fixed in prop_oneof![Just(None), (1_000..90_000_usize).prop_map(Some)],
    ) {
        block_on(async {
            let options = || match fixed {
                Some(bytes) => Options::new().chunker(FixedSize::new(bytes)),
                None => Options::new().chunker(ContentDefined),
            };
            let bytes = Rng::new(3).bytes(pieces.iter().sum::<usize>().max(1));
            let (whole, in_pieces) = (drive(options()).await, drive(options()).await);
            let plain = Attributes::new();
            whole.write_file("/a", bytes.clone(), &plain).await.unwrap();
            let mut writer = in_pieces.writer("/a", &plain).await.unwrap();
            let mut rest = bytes.as_slice();
            for piece in pieces {
                let (piece, others) = rest.split_at(piece);
                writer.write(piece.to_vec()).await.unwrap();
                rest = others;
            }
            writer.write(rest.to_vec()).await.unwrap();
            writer.finish().await.unwrap();
            let whole = blocks(&whole);
            let in_pieces: Vec<_> = blocks(&in_pieces);
            // A piece of nothing at the start is an empty block, as the reference has it.
            let in_pieces = in_pieces.into_iter().filter(|block| !block.is_empty());
            assert!(whole.into_iter().eq(in_pieces));
        });
    }
}
