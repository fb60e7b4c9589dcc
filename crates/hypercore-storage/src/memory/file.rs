use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use crate::Storage;

/// One file in memory.
#[derive(Debug, Default)]
pub(super) struct MemoryFile(RwLock<Pages>);

/// The pages that were written, by number. A page is as long as what was written of it; what is
/// not there reads as zeros up to `len`.
#[derive(Debug, Default)]
struct Pages {
    len: u64,
    of: BTreeMap<u64, Vec<u8>>,
}

impl Storage for MemoryFile {
    fn read(&self, offset: u64, mut buf: &mut [u8]) -> io::Result<()> {
        let pages = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if end(offset, buf.len()).is_none_or(|end| end > pages.len) && !buf.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (page, range) in split(offset, buf.len()) {
            let (part, rest) = buf.split_at_mut(range.len());
            let stored = pages.of.get(&page).map_or(&[][..], |page| page);
            let stored = stored.get(range.start..).unwrap_or_default();
            let held = stored.len().min(part.len());
            part[..held].copy_from_slice(&stored[..held]);
            part[held..].fill(0);
            buf = rest;
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        end(offset, data.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        let mut pages = self.0.write().unwrap_or_else(PoisonError::into_inner);
        pages.write(offset, data);
        Ok(())
    }

    fn write_vectored(&self, mut offset: u64, parts: &[&[u8]]) -> io::Result<()> {
        let bytes = parts.iter().map(|part| part.len()).sum();
        end(offset, bytes).ok_or(io::ErrorKind::FileTooLarge)?;
        let mut pages = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for part in parts {
            pages.write(offset, part);
            offset += part.len() as u64;
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.read().unwrap_or_else(PoisonError::into_inner).len)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        end(len, 0).ok_or(io::ErrorKind::FileTooLarge)?;
        let mut pages = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let old = pages.len;
        if len < old {
            pages.clear(len..old);
        }
        pages.len = len;
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn discard(&self, offset: u64, len: u64) -> io::Result<()> {
        let mut pages = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let end = offset.saturating_add(len).min(pages.len);
        if offset < end {
            pages.clear(offset..end);
        }
        Ok(())
    }
}

impl Pages {
    /// Writes what does not reach beyond the largest file.
    fn write(&mut self, offset: u64, mut data: &[u8]) {
        if data.is_empty() {
            return;
        }
        self.len = self.len.max(offset + data.len() as u64);
        for (page, range) in split(offset, data.len()) {
            let (part, rest) = data.split_at(range.len());
            let page = self.of.entry(page).or_default();
            if page.len() < range.start {
                page.resize(range.start, 0);
            }
            // What is there is written over, what is not is put behind it.
            let held = page.len().min(range.end) - range.start;
            page[range.start..range.start + held].copy_from_slice(&part[..held]);
            page.extend_from_slice(&part[held..]);
            data = rest;
        }
    }

    /// Makes a range that is not empty read as zeros, and frees the pages that lie in it.
    fn clear(&mut self, range: Range<u64>) {
        let (first, last) = (range.start / PAGE_BYTES, (range.end - 1) / PAGE_BYTES);
        let touched: Vec<u64> = self
            .of
            .range(first..=last)
            .map(|(number, _)| *number)
            .collect();
        for number in touched {
            let start = number * PAGE_BYTES;
            let Some(page) = self.of.get_mut(&number) else {
                continue;
            };
            let within = |at: u64| to_usize(at.saturating_sub(start)).min(page.len());
            let (from, to) = (within(range.start), within(range.end));
            if to == page.len() {
                page.truncate(from);
            } else {
                page[from..to].fill(0);
            }
            if page.is_empty() {
                self.of.remove(&number);
            }
        }
    }
}

/// A file that may only be read.
#[derive(Debug)]
pub(super) struct ReadOnly(pub(super) Arc<MemoryFile>);

impl Storage for ReadOnly {
    fn read(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, buf)
    }

    fn write(&self, _offset: u64, _data: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn truncate(&self, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn discard(&self, _offset: u64, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

/// Cuts `len` bytes at `offset` into pages: the number of each and the part of it.
fn split(offset: u64, len: usize) -> impl Iterator<Item = (u64, Range<usize>)> {
    let (mut at, mut left) = (offset, len);
    std::iter::from_fn(move || {
        if left == 0 {
            return None;
        }
        let start = to_usize(at % PAGE_BYTES);
        let part = left.min(to_usize(PAGE_BYTES) - start);
        let page = at / PAGE_BYTES;
        at += part as u64;
        left -= part;
        Some((page, start..start + part))
    })
}

/// Where a range ends, unless that is further than files on disk reach.
fn end(offset: u64, len: usize) -> Option<u64> {
    offset
        .checked_add(len as u64)
        .filter(|end| *end <= MAX_FILE_BYTES)
}

/// A number that is no larger than a page, or will be cut to what is in memory.
fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

const PAGE_BYTES: u64 = 16_384;

/// As on disk, so that what works here works there.
const MAX_FILE_BYTES: u64 = i64::MAX as u64;
