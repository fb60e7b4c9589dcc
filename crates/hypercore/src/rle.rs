//! Run-length coding of bitfields, as in `Have` messages.
//!
//! A sequence of items, each begun by a varint: an odd one is a run of `n >> 2` bytes, all `ff` if
//! bit 1 is set and else `00`; an even one is followed by `n >> 1` bytes as they are.

/// Why bytes are not a run-length coded bitfield. The sender's fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RleError {
    /// The input ends inside an item.
    #[error("the bitfield is cut off")]
    Truncated,
    /// A varint of more than nine bytes.
    #[error("the bitfield has an overlong number")]
    Varint,
    /// The bitfield would be larger than was asked for.
    #[error("the bitfield exceeds {limit} bytes")]
    TooLarge {
        /// The greatest size allowed, in bytes.
        limit: usize,
    },
}

/// Encodes a bitfield. Zero bytes at the end are dropped; nothing but zeros encodes to nothing.
///
/// Peers compare what they decode only, but the bytes are those of the reference to the last: it
/// weighs for each run whether a literal would be shorter, which the `bitfield-rle` package does
/// not (nor does that drop the zeros, and it encodes an empty bitfield to a byte).
pub fn encode(bits: &[u8]) -> Vec<u8> {
    let end = bits
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    let bits = &bits[..end];
    let mut out = Vec::new();
    // Everything before `start` has been emitted.
    let mut start = 0;
    let mut at = 0;
    while at < bits.len() {
        let value = bits[at];
        if value != 0 && value != 0xff {
            at += 1;
            continue;
        }
        let run = bits[at..].iter().take_while(|byte| **byte == value).count();
        let item = 4 * run as u64 + if value == 0 { 1 } else { 3 };
        let literal = literal_len(at - start);
        if literal + varint_len(item) < literal_len(at + run - start) {
            push_literal(&mut out, &bits[start..at]);
            push_varint(&mut out, item);
            start = at + run;
        }
        at += run;
    }
    push_literal(&mut out, &bits[start..]);
    out
}

/// Decodes a bitfield of at most `max_len` bytes. The size is known before anything is expanded.
pub fn decode(input: &[u8], max_len: usize) -> Result<Vec<u8>, RleError> {
    check(input, max_len)?;
    // What the package reports as errors, and where it would panic, was ruled out.
    bitfield_rle::decode(input).map_err(|_| RleError::Truncated)
}

/// Walks over the items and adds up their sizes.
fn check(input: &[u8], max_len: usize) -> Result<(), RleError> {
    let limit = max_len as u64;
    let mut rest = input;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (item, after) = split_varint(rest)?;
        rest = after;
        let bytes = if item & 1 == 1 { item >> 2 } else { item >> 1 };
        total = total.saturating_add(bytes);
        if total > limit {
            return Err(RleError::TooLarge { limit: max_len });
        }
        if item & 1 == 0 {
            let bytes = usize::try_from(bytes).map_err(|_| RleError::Truncated)?;
            rest = rest.get(bytes..).ok_or(RleError::Truncated)?;
        }
    }
    Ok(())
}

fn split_varint(input: &[u8]) -> Result<(u64, &[u8]), RleError> {
    let mut value = 0;
    for (at, byte) in input.iter().enumerate() {
        if at == MAX_VARINT_BYTES {
            return Err(RleError::Varint);
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok((value, &input[at + 1..]));
        }
    }
    Err(RleError::Truncated)
}

/// The bytes that a literal takes, its head included.
fn literal_len(bytes: usize) -> usize {
    if bytes == 0 {
        0
    } else {
        varint_len(2 * bytes as u64) + bytes
    }
}

fn push_literal(out: &mut Vec<u8>, bytes: &[u8]) {
    if !bytes.is_empty() {
        push_varint(out, 2 * bytes.len() as u64);
        out.extend_from_slice(bytes);
    }
}

fn varint_len(value: u64) -> usize {
    value.checked_ilog2().unwrap_or(0) as usize / 7 + 1
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

/// Nine bytes carry 63 bits, more than any size.
const MAX_VARINT_BYTES: usize = 9;
