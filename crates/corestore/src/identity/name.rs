//! The record in the file `name`: the name's length as a varint, then its bytes.

use std::io;

use hypercore_storage::StorageDir;
use zeroize::Zeroizing;

use crate::layout::NAME;

/// The longest name that a core may have, in bytes. The reference knows no limit; its own names
/// have at most 72.
pub(crate) const MAX_NAME_BYTES: usize = 65_536;

/// What is stored of a core's name.
#[derive(Debug)]
pub(crate) enum Name {
    /// Nothing.
    Absent,
    /// Something that no name was written as.
    Damaged,
    /// The name.
    Is(Zeroizing<Vec<u8>>),
}

impl Name {
    pub(crate) fn read(dir: &dyn StorageDir) -> io::Result<Self> {
        // One byte more than the longest record, to notice one that is longer.
        let Some(record) = super::read(dir, NAME, MAX_NAME_BYTES + MAX_VARINT_BYTES + 1)? else {
            return Ok(Self::Absent);
        };
        Ok(match decode(&record) {
            Some(name) => Self::Is(Zeroizing::new(name.to_vec())),
            None => Self::Damaged,
        })
    }
}

pub(super) fn encode(name: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut record = Zeroizing::new(Vec::with_capacity(name.len() + MAX_VARINT_BYTES));
    let mut rest = name.len();
    while rest >= 0x80 {
        record.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    record.push(rest.to_le_bytes()[0]);
    record.extend_from_slice(name);
    record
}

/// The name in a record, if it is there to the last byte and not a byte more.
fn decode(record: &[u8]) -> Option<&[u8]> {
    let mut len = 0;
    for (at, byte) in record.iter().take(MAX_VARINT_BYTES).enumerate() {
        len |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            let name = &record[at + 1..];
            return (name.len() == len && (1..=MAX_NAME_BYTES).contains(&len)).then_some(name);
        }
    }
    None
}

/// Three bytes of varint reach beyond [`MAX_NAME_BYTES`].
const MAX_VARINT_BYTES: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back() {
        for len in [1, 2, 72, 127, 128, 129, 16_383, 16_384, MAX_NAME_BYTES] {
            let name = vec![0xa5; len];
            assert_eq!(decode(&encode(&name)), Some(&name[..]), "{len}");
        }
        assert_eq!(*encode(b"default"), *b"\x07default");
    }

    #[test]
    fn records_that_are_cut_or_too_long_are_no_names() {
        let record = encode(&[7; 300]);
        for cut in 0..record.len() {
            assert_eq!(decode(&record[..cut]), None, "{cut}");
        }
        let mut longer = record.to_vec();
        longer.push(7);
        assert_eq!(decode(&longer), None);
        assert_eq!(decode(&[0]), None, "an empty name");
        assert_eq!(
            decode(&[0x80, 0x80, 0x80, 0x01, 0]),
            None,
            "a length of four bytes"
        );
        assert_eq!(
            decode(&encode(&vec![0; MAX_NAME_BYTES + 1])),
            None,
            "beyond the limit"
        );
    }
}
