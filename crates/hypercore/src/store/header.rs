//! The 32 bytes at the start of `bitfield`, `signatures` and `tree`.
//!
//! `05 02 57`, the kind of file, version 0, the entry size as a big-endian `u16`, the length of the
//! algorithm's name and the name, padded with zeros.

use std::io;

use hypercore_storage::Storage;

use crate::OpenError;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// The file's name in the directory.
    pub(crate) file: &'static str,
    number: u8,
    algorithm: &'static str,
}

pub(crate) const BITFIELD: Kind = Kind {
    file: "bitfield",
    number: 0,
    algorithm: "",
};
pub(crate) const SIGNATURES: Kind = Kind {
    file: "signatures",
    number: 1,
    algorithm: "Ed25519",
};
pub(crate) const TREE: Kind = Kind {
    file: "tree",
    number: 2,
    algorithm: "BLAKE2b",
};

impl Kind {
    pub(crate) fn encode(self, entry_bytes: u16) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        header[..3].copy_from_slice(&MAGIC);
        header[3] = self.number;
        header[5..7].copy_from_slice(&entry_bytes.to_be_bytes());
        header[7] = u8::try_from(self.algorithm.len()).expect("algorithm names are short");
        header[8..8 + self.algorithm.len()].copy_from_slice(self.algorithm.as_bytes());
        header
    }

    /// The entry size that the header of a file of `len` bytes states; `None` when the header was never written, or its
    /// write was lost.
    pub(crate) fn read(self, file: &dyn Storage, len: u64) -> Result<Option<u16>, OpenError> {
        let mut header = [0; HEADER_BYTES];
        let present = usize::try_from(len)
            .unwrap_or(HEADER_BYTES)
            .min(HEADER_BYTES);
        file.read(0, &mut header[..present])?;
        if header == [0; HEADER_BYTES] {
            return Ok(None);
        }
        let entry_bytes = u16::from_be_bytes([header[5], header[6]]);
        let torn =
            present < HEADER_BYTES && (entry_bytes == 0 || header != self.encode(entry_bytes));
        if torn && header[..present] == self.encode(entry_bytes)[..present] {
            // The very first write was torn; nothing can follow it.
            Ok(None)
        } else if header == self.encode(entry_bytes) {
            Ok(Some(entry_bytes))
        } else {
            Err(OpenError::Format {
                file: self.file,
                what: "header",
            })
        }
    }

    /// As [`Kind::read`], where only one entry size is possible. Entries may follow a header that was
    /// torn: it is not synced before them.
    pub(crate) fn expect(
        self,
        file: &dyn Storage,
        len: u64,
        bytes: u16,
    ) -> Result<bool, OpenError> {
        let found = match self.read(file, len) {
            Err(OpenError::Format { .. }) if self.is_torn(file, len, bytes)? => None,
            found => found?,
        };
        match found {
            None => Ok(false),
            Some(found) if found == bytes => Ok(true),
            Some(_) => Err(OpenError::Format {
                file: self.file,
                what: "entry size",
            }),
        }
    }

    /// Whether the header is the beginning of the right one, and zeros.
    fn is_torn(self, file: &dyn Storage, len: u64, bytes: u16) -> io::Result<bool> {
        let mut header = [0; HEADER_BYTES];
        if len < HEADER_BYTES as u64 {
            return Ok(false);
        }
        file.read(0, &mut header)?;
        let written = header.iter().rposition(|byte| *byte != 0);
        let written = written.map_or(0, |last| last + 1);
        Ok(header[..written] == self.encode(bytes)[..written])
    }

    pub(crate) fn write(self, file: &dyn Storage, entry_bytes: u16) -> io::Result<()> {
        file.write(0, &self.encode(entry_bytes))
    }
}

/// Where the entries of a file begin.
pub(crate) const HEADER_BYTES: usize = 32;
pub(crate) const ENTRIES: u64 = 32;
const MAGIC: [u8; 3] = [0x05, 0x02, 0x57];

#[cfg(test)]
mod tests {
    use hypercore_storage::{MemoryDir, OpenMode, StorageDir};

    use super::*;

    #[track_caller]
    fn check(kind: Kind, entry_bytes: u16, prefix: &str) {
        let header = hex::encode(kind.encode(entry_bytes));
        assert_eq!(header.trim_end_matches('0'), prefix.trim_end_matches('0'));
        assert_eq!(header.len(), 64);
    }

    #[test]
    fn a_header_whose_write_was_torn_counts_as_never_written() {
        let dir = MemoryDir::new();
        let file = dir.open("tree", OpenMode::Create).unwrap();
        let header = TREE.encode(40);
        for present in 0..HEADER_BYTES {
            file.truncate(0).unwrap();
            file.write(0, &header[..present]).unwrap();
            // Beyond its text the header is zeros, which a short file reads as too.
            let expected = (present >= 15).then_some(40);
            assert_eq!(
                TREE.read(&*file, file.len().unwrap()).unwrap(),
                expected,
                "{present} bytes"
            );
        }
        file.write(0, &header).unwrap();
        assert_eq!(TREE.read(&*file, file.len().unwrap()).unwrap(), Some(40));
        file.truncate(8).unwrap();
        file.write(3, &[9]).unwrap();
        assert!(
            TREE.read(&*file, file.len().unwrap()).is_err(),
            "a short file of another kind"
        );

        file.truncate(0).unwrap();
        file.write(0, &[5, 2, 0x57, 2]).unwrap();
        file.write(72, &[1; 40]).unwrap();
        assert!(
            !TREE.expect(&*file, file.len().unwrap(), 40).unwrap(),
            "a torn one before nodes"
        );

        // Of a bitfield's header, a size of zero looks like one that is not there yet.
        let header = BITFIELD.encode(3584);
        for present in 0..HEADER_BYTES {
            file.truncate(0).unwrap();
            file.write(0, &header[..present]).unwrap();
            let expected = (present >= 6).then_some(3584);
            assert_eq!(
                BITFIELD.read(&*file, file.len().unwrap()).unwrap(),
                expected,
                "{present} bytes"
            );
        }
    }

    #[test]
    fn headers_are_those_of_the_reference() {
        check(BITFIELD, 3584, "05025700000e00");
        check(SIGNATURES, 64, "05025701000040074564323535313900");
        check(TREE, 40, "0502570200002807424c414b45326200");
    }
}
