//! What was written to an open file and is not in the drive yet.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;

/// Changes to a file: bytes written anywhere, over those that the file had.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Overlay {
    /// How many of the file's old bytes are still part of it.
    base: u64,
    /// The file's size now.
    size: u64,
    /// Bytes written, by where they begin. No two overlap.
    written: BTreeMap<u64, Vec<u8>>,
    bytes: usize,
}

/// A part of a file as it is now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Piece {
    /// Written since.
    Written(Bytes),
    /// These bytes of the old content.
    Base(Range<u64>),
    /// So many zeros, where nobody has written.
    Zeros(u64),
}

impl Overlay {
    /// No changes to a file of so many bytes.
    pub(crate) fn new(size: u64) -> Self {
        Self {
            base: size,
            size,
            written: BTreeMap::new(),
            bytes: 0,
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Whether nothing was changed in a file that had so many bytes.
    pub(crate) fn is_clean(&self, size: u64) -> bool {
        self.written.is_empty() && (self.base, self.size) == (size, size)
    }

    /// Whether the first `size` bytes are those of the old content.
    pub(crate) fn keeps(&self, size: u64) -> bool {
        self.base >= size && self.written.range(..size).next().is_none()
    }

    /// Whether it holds so much that it has to be flushed.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes >= MAX_BYTES || self.written.len() >= MAX_EXTENTS
    }

    pub(crate) fn write(&mut self, at: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let end = at + bytes.len() as u64;
        self.cut(at..end);
        self.size = self.size.max(end);
        self.bytes += bytes.len();
        if let Some((&start, before)) = self.written.range_mut(..at).next_back()
            && start + before.len() as u64 == at
            && before.len() + bytes.len() <= MAX_EXTENT_BYTES
        {
            before.extend_from_slice(bytes);
        } else {
            self.written.insert(at, bytes.to_vec());
        }
    }

    /// Gives the file another size; what it grows by is zeros.
    pub(crate) fn set_size(&mut self, size: u64) {
        self.cut(size..u64::MAX);
        self.base = self.base.min(size);
        self.size = size;
    }

    /// What is in a part of the file, in order.
    pub(crate) fn pieces(&self, range: Range<u64>) -> Vec<Piece> {
        let end = range.end.min(self.size);
        let mut at = range.start;
        let mut pieces = Vec::new();
        let before = self.written.range(..=at).next_back();
        let first = before.map_or(at, |(&start, _)| start);
        for (&start, bytes) in self.written.range(first..end.max(first)) {
            let until = start + bytes.len() as u64;
            if until <= at {
                continue;
            }
            self.old(at..start, &mut pieces);
            at = at.max(start);
            let stop = until.min(end);
            let part = &bytes[place(at - start)..place(stop - start)];
            pieces.push(Piece::Written(Bytes::copy_from_slice(part)));
            at = stop;
        }
        self.old(at..end, &mut pieces);
        pieces
    }

    /// What is in a part to which nobody has written.
    fn old(&self, range: Range<u64>, pieces: &mut Vec<Piece>) {
        if range.start >= range.end {
            return;
        }
        let old = range.end.min(self.base).max(range.start);
        if range.start < old {
            pieces.push(Piece::Base(range.start..old));
        }
        if old < range.end {
            pieces.push(Piece::Zeros(range.end - old));
        }
    }

    /// Takes out what was written to a range.
    fn cut(&mut self, range: Range<u64>) {
        while let Some((&start, bytes)) = self.written.range(..range.end).next_back()
            && start + bytes.len() as u64 > range.start
        {
            let Some(mut bytes) = self.written.remove(&start) else {
                break;
            };
            self.bytes -= bytes.len();
            let end = start + bytes.len() as u64;
            if end > range.end {
                let rest = bytes.split_off(place(range.end - start));
                self.bytes += rest.len();
                self.written.insert(range.end, rest);
            }
            if start < range.start {
                bytes.truncate(place(range.start - start));
                self.bytes += bytes.len();
                self.written.insert(start, bytes);
            }
        }
    }
}

/// A place in bytes that are in memory.
fn place(at: u64) -> usize {
    usize::try_from(at).expect("it is inside of bytes in memory")
}

/// How many written bytes an open file holds before it is flushed.
pub(crate) const MAX_BYTES: usize = 32 << 20;

/// In how many places an open file may be written to before it is flushed.
pub(crate) const MAX_EXTENTS: usize = 1 << 16;

/// Up to which size bytes that follow on one another are kept in one piece.
const MAX_EXTENT_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of the pieces, old ones being 7.
    fn bytes(overlay: &Overlay, range: Range<u64>) -> Vec<u8> {
        let pieces = overlay.pieces(range).into_iter();
        let bytes = pieces.flat_map(|piece| match piece {
            Piece::Written(bytes) => bytes.to_vec(),
            Piece::Base(range) => vec![7; place(range.end - range.start)],
            Piece::Zeros(count) => vec![0; place(count)],
        });
        bytes.collect()
    }

    #[test]
    fn an_overlay_is_a_file() {
        let mut state = 5_u64;
        let mut draw = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        let mut overlay = Overlay::new(40);
        let mut model = vec![7_u8; 40];
        for _ in 0..5000 {
            let at = draw(100);
            if draw(8) == 0 {
                overlay.set_size(at);
                model.resize(place(at), 0);
            } else {
                let count = place(draw(12));
                let byte = u8::try_from(draw(200)).expect("it is small") + 10;
                overlay.write(at, &vec![byte; count]);
                if count > 0 {
                    let end = place(at) + count;
                    model.resize(model.len().max(end), 0);
                    model[place(at)..end].fill(byte);
                }
            }
            assert_eq!(overlay.size(), model.len() as u64);
            assert_eq!(bytes(&overlay, 0..u64::MAX), model);
            let (start, len) = (draw(110), draw(30));
            let end = place(start + len).min(model.len());
            let part = model.get(place(start)..end).unwrap_or_default();
            assert_eq!(bytes(&overlay, start..start + len), part);
            let held: usize = overlay.written.values().map(Vec::len).sum();
            assert_eq!(overlay.bytes, held);
            let size = draw(60);
            let kept = model.len() as u64 >= size && model[..place(size)].iter().all(|b| *b == 7);
            assert!(!overlay.keeps(size) || kept);
        }
    }

    #[test]
    fn it_is_full_at_its_limits() {
        let mut overlay = Overlay::new(0);
        let mib = vec![1; 1 << 20];
        for part in 0..31 {
            overlay.write(part << 20, &mib);
        }
        overlay.write(31 << 20, &mib[1..]);
        assert!(!overlay.is_full());
        overlay.write((32 << 20) - 1, &[1]);
        assert!(overlay.is_full());

        let mut overlay = Overlay::new(0);
        for part in 1..MAX_EXTENTS as u64 {
            overlay.write(part * 2, &[1]);
        }
        assert!(!overlay.is_full());
        overlay.write(0, &[1]);
        assert!(overlay.is_full());
    }
}
