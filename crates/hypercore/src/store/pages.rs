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
    page_bytes: u16,
    /// For each page the summary byte that stands for all of it.
    summaries: Vec<u8>,
}

impl PageFile {
    pub(crate) fn open(file: Arc<dyn Storage>) -> Result<Self, OpenError> {
        let found = header::BITFIELD.read(&*file)?;
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
            page_bytes,
            summaries: Vec::new(),
        })
    }

    pub(crate) fn write_header(&mut self) -> io::Result<()> {
        if !self.has_header {
            header::BITFIELD.write(&*self.file, self.page_bytes)?;
            self.has_header = true;
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

    /// Writes the block bits of all changed pages.
    pub(crate) fn write_blocks(&self, bits: &Bitfield) -> io::Result<()> {
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
            self.write_upper(&upper, written.iter().map(|(number, ..)| *number))?;
        }
        Ok(())
    }

    /// Writes the bytes above several pages that changed with `written`, in other pages.
    fn write_upper(&self, upper: &[u8], written: impl Iterator<Item = usize>) -> io::Result<()> {
        let mut above = std::collections::BTreeSet::new();
        for number in written {
            let mut node = flat_tree::parent(2 * number as u64);
            while node < 4 * upper.len() as u64 {
                above.insert(node / 2);
                node = flat_tree::parent(node);
            }
        }
        for number in above {
            let number = usize::try_from(number).unwrap_or(usize::MAX);
            if let Some(byte) = upper.get(number) {
                let last = self.place(number) + u64::from(PAGE_BYTES) - 1;
                self.file.write(last, &[*byte])?;
            }
        }
        Ok(())
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync()
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
