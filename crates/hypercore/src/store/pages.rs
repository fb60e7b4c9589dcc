use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use hypercore_storage::Storage;

use crate::OpenError;
use crate::bitfield::{BLOCKS_PER_PAGE, Bitfield, Page, Summary, upper};
use crate::store::header::{self, ENTRIES};

/// The file `bitfield`: page *p* at byte 32 + size x *p*.
///
/// A page is 1024 bytes of block bits, 2048 of node bits and a summary of the block bits, of 512
/// bytes or in an older layout 256.
#[derive(Debug)]
pub(crate) struct PageFile {
    file: Arc<dyn Storage>,
    has_header: bool,
    /// Whether the header was written here and not synced since.
    header_dirty: bool,
    page_bytes: u16,
    /// For each page the summary byte that stands for all of it.
    summaries: Vec<u8>,
}

impl PageFile {
    pub(crate) fn open(file: Arc<dyn Storage>) -> Result<Self, OpenError> {
        let found = header::BITFIELD.read(&*file, file.len()?)?;
        let page_bytes = match found {
            None => PAGE_BYTES,
            Some(size @ (PAGE_BYTES | OLD_PAGE_BYTES)) => size,
            Some(_) => {
                return Err(OpenError::Format {
                    file: "bitfield",
                    what: "page size",
                });
            }
        };
        Ok(Self {
            file,
            has_header: found.is_some(),
            header_dirty: false,
            page_bytes,
            summaries: Vec::new(),
        })
    }

    pub(crate) fn write_header(&mut self) -> io::Result<()> {
        if !self.has_header {
            header::BITFIELD.write(&*self.file, self.page_bytes)?;
            self.has_header = true;
            self.header_dirty = true;
        }
        Ok(())
    }

    /// Reads all pages, the last of which may be short. A file of more than `max_length` blocks is
    /// refused.
    pub(crate) fn load(&mut self, max_length: u64) -> Result<Bitfield, OpenError> {
        let mut bits = Bitfield::new();
        let end = self.file.len()?;
        let step = u64::from(self.page_bytes);
        let count = end.saturating_sub(ENTRIES).div_ceil(step);
        // The nodes of a log of many blocks may need one page more than its blocks.
        if count > max_length.div_ceil(BLOCKS_PER_PAGE) + 1 {
            return Err(OpenError::Format {
                file: "bitfield",
                what: "number of pages",
            });
        }
        let mut buffer = vec![0; usize::from(self.page_bytes)];
        for number in 0..usize::try_from(count).unwrap_or(usize::MAX) {
            let offset = self.place(number);
            let present = usize::try_from((end - offset).min(step)).expect("a page is small");
            self.file.read(offset, &mut buffer[..present])?;
            let page = Page::from_bytes(&buffer[..present.min(PARTS)]);
            let summary = Summary::of(&page.data_bytes());
            self.summaries.push(summary.root());
            if !page.is_blank() {
                bits.insert_page(number, page);
            }
        }
        Ok(bits)
    }

    /// Writes the block bits of all changed pages. A new header is made durable before: torn, it
    /// would look like one that gives the pages no size.
    pub(crate) fn write_blocks(&mut self, bits: &Bitfield, sync: bool) -> io::Result<()> {
        if self.header_dirty && sync {
            self.sync()?;
        }
        for number in bits.dirty() {
            if let Some(page) = bits.page(*number) {
                self.file.write(self.place(*number), &page.data_bytes())?;
            }
        }
        Ok(())
    }

    /// Writes the node bits and summaries of all changed pages, which gives them their full size.
    pub(crate) fn write_nodes(&mut self, bits: &Bitfield) -> io::Result<()> {
        self.summaries
            .resize(bits.page_count().max(self.summaries.len()), 0);
        let mut written = Vec::new();
        for number in bits.dirty() {
            let Some(page) = bits.page(*number) else {
                continue;
            };
            let summary = Summary::of(&page.data_bytes());
            self.summaries[*number] = summary.root();
            written.push((*number, page.tree_bytes(), summary));
        }
        let upper = upper(&self.summaries);
        for (number, tree, summary) in &written {
            let mut rest = tree.to_vec();
            if self.page_bytes == PAGE_BYTES {
                rest.extend(summary.own_bytes());
                rest.push(upper[*number]);
            } else {
                // Where the old layout has the summary of which page, its bytes of zero are right.
                rest.resize(usize::from(OLD_PAGE_BYTES) - BLOCK_PART, 0);
            }
            self.file
                .write(self.place(*number) + BLOCK_PART as u64, &rest)?;
        }
        if self.page_bytes == PAGE_BYTES {
            let written: BTreeSet<usize> = written.iter().map(|(number, ..)| *number).collect();
            self.write_upper(&upper, &written)?;
        }
        Ok(())
    }

    /// Writes the bytes above several pages that changed with `written`, in other pages.
    fn write_upper(&self, upper: &[u8], written: &BTreeSet<usize>) -> io::Result<()> {
        let mut above = BTreeSet::new();
        for number in written {
            let mut node = flat_tree::parent(2 * *number as u64);
            while node < 4 * upper.len() as u64 {
                above.insert(usize::try_from(node / 2).unwrap_or(usize::MAX));
                node = flat_tree::parent(node);
            }
        }
        for number in above.difference(written).copied() {
            if let Some(byte) = upper.get(number) {
                let last = self.place(number) + u64::from(PAGE_BYTES) - 1;
                self.file.write(last, &[*byte])?;
            }
        }
        Ok(())
    }

    /// The file, to be synced by somebody else: see [`header_synced`](Self::header_synced).
    pub(crate) fn file(&self) -> Arc<dyn Storage> {
        self.file.clone()
    }

    /// The file was synced.
    pub(crate) fn header_synced(&mut self) {
        self.header_dirty = false;
    }

    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.file.sync()?;
        self.header_dirty = false;
        Ok(())
    }

    fn place(&self, number: usize) -> u64 {
        ENTRIES + u64::from(self.page_bytes) * number as u64
    }
}

const PAGE_BYTES: u16 = 3584;
/// Hypercore before version 7 had smaller summaries.
const OLD_PAGE_BYTES: u16 = 3328;
const BLOCK_PART: usize = 1024;
const PARTS: usize = 1024 + 2048;

#[cfg(test)]
mod tests {
    use hypercore_storage::{MemoryDir, OpenMode, StorageDir};
    use serde::Deserialize;
    use serde_json::Value;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::{NodeIndex, rle};

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Case {
        block_ranges: Vec<(u64, u64)>,
        pages: Vec<PageVector>,
        have_rle: String,
        have_rle_from8192: Option<String>,
    }

    #[derive(Deserialize)]
    struct PageVector {
        data: Part,
        tree: Part,
        index: Part,
        sha256: String,
    }

    /// A part of a page: its bytes without zeros at the end, or its length and hash.
    #[derive(Deserialize)]
    struct Part {
        prefix: Option<String>,
        sha256: Option<String>,
    }

    impl Part {
        #[track_caller]
        fn check(&self, found: &[u8]) {
            match (&self.prefix, &self.sha256) {
                (Some(prefix), _) => {
                    let end = found.iter().rposition(|byte| *byte != 0);
                    assert_eq!(hex::encode(&found[..end.map_or(0, |at| at + 1)]), *prefix);
                }
                (None, hash) => assert_eq!(Some(sha256(found)), *hash),
            }
        }
    }

    fn sha256(bytes: &[u8]) -> String {
        hex::encode(Sha256::digest(bytes))
    }

    /// Here and not in `tests/`, since no log has blocks at such places without those before them.
    #[test]
    fn pages_are_those_of_the_reference_whatever_is_stored() {
        let all: Value =
            serde_json::from_str(include_str!("../../tests/vectors/hypercore.json")).unwrap();
        let cases: Vec<Case> = serde_json::from_value(all["bitfield"].clone()).unwrap();
        assert_eq!(cases.len(), 9);
        for case in cases {
            let mut bits = Bitfield::new();
            for index in case.block_ranges.iter().flat_map(|range| range.0..range.1) {
                bits.set_block(index);
                bits.set_node(NodeIndex::leaf(index));
            }
            let dir = MemoryDir::new();
            let file = dir.open("bitfield", OpenMode::Create).unwrap();
            let mut pages = PageFile::open(file.clone()).unwrap();
            pages.write_header().unwrap();
            pages.write_blocks(&bits, true).unwrap();
            pages.write_nodes(&bits).unwrap();

            let mut bytes = vec![0; usize::try_from(file.len().unwrap() - ENTRIES).unwrap()];
            file.read(ENTRIES, &mut bytes).unwrap();
            let found: Vec<&[u8]> = bytes.chunks(usize::from(PAGE_BYTES)).collect();
            assert_eq!(found.len(), case.pages.len());
            for (found, expected) in found.into_iter().zip(&case.pages) {
                expected.data.check(&found[..BLOCK_PART]);
                expected.tree.check(&found[BLOCK_PART..PARTS]);
                expected.index.check(&found[PARTS..]);
                assert_eq!(sha256(found), expected.sha256);
            }
            let have = |start| hex::encode(rle::encode(&bits.block_bytes(start, 4 * 1024)));
            assert_eq!(have(0), case.have_rle);
            if let Some(expected) = case.have_rle_from8192 {
                assert_eq!(have(8192), expected);
            }
            // Read back, nothing is lost.
            let read = PageFile::open(file).unwrap().load(1 << 20).unwrap();
            assert_eq!(
                read.count_blocks(0..u64::MAX),
                bits.count_blocks(0..u64::MAX)
            );
        }
    }
}
