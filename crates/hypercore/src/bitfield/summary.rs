//! The third part of a stored page: a summary of the block bits that lets Node skip full regions.
//!
//! It is a flat tree over groups of four bytes. Two bits stand for each byte of a group (`11` full,
//! `00` empty, `01` neither), and two bits of a parent for each half of a child. The summaries of
//! all pages form one tree, so the last byte of a page belongs to a node above several pages. We
//! never read it: bits that claim too much would hide missing blocks.

use super::page::DATA_BYTES;

/// The summary of one page.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    bytes: [u8; SUMMARY_BYTES],
}

impl Summary {
    pub(crate) fn of(data: &[u8; DATA_BYTES]) -> Self {
        let mut bytes = [0; SUMMARY_BYTES];
        for (group, quad) in data.chunks_exact(4).enumerate() {
            bytes[group * 2] = quad
                .iter()
                .fold(0, |byte, data| byte << 2 | pair(*data, 0xff));
        }
        let mut step = 2;
        while step < SUMMARY_BYTES {
            for at in (step - 1..SUMMARY_BYTES - 1).step_by(2 * step) {
                bytes[at] = join(bytes[at - step / 2], bytes[at + step / 2]);
            }
            step *= 2;
        }
        Self { bytes }
    }

    /// The byte that stands for the whole page.
    pub(crate) fn root(&self) -> u8 {
        self.bytes[SUMMARY_BYTES / 2 - 1]
    }

    /// All bytes that describe this page alone: every one but the last.
    pub(crate) fn own_bytes(&self) -> &[u8] {
        &self.bytes[..SUMMARY_BYTES - 1]
    }
}

/// The last byte of each page, from the bytes that stand for the pages.
pub(crate) fn upper(roots: &[u8]) -> Vec<u8> {
    let mut tree = vec![0; 2 * roots.len()];
    for (page, root) in roots.iter().enumerate() {
        tree[2 * page] = *root;
    }
    let mut step = 2;
    while step <= tree.len() {
        for at in (step - 1..tree.len()).step_by(2 * step) {
            let right = tree.get(at + step / 2).copied().unwrap_or(0);
            tree[at] = join(tree[at - step / 2], right);
        }
        step *= 2;
    }
    tree.into_iter().skip(1).step_by(2).collect()
}

/// The byte of a parent.
fn join(left: u8, right: u8) -> u8 {
    let nibbles = |byte: u8| pair(byte >> 4, 0x0f) << 2 | pair(byte & 0x0f, 0x0f);
    nibbles(left) << 4 | nibbles(right)
}

fn pair(value: u8, full: u8) -> u8 {
    match value {
        0 => 0b00,
        value if value == full => 0b11,
        _ => 0b01,
    }
}

/// Bytes of the summary part.
pub(crate) const SUMMARY_BYTES: usize = 512;
