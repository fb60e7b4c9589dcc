use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::ConnectionError;
use crate::config::MAX_BODY_BYTES;

/// What a frame carries; the low four bits of its header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Open = 0,
    Options = 1,
    Status = 2,
    Have = 3,
    Unhave = 4,
    Want = 5,
    Unwant = 6,
    Request = 7,
    Cancel = 8,
    Data = 9,
    Close = 10,
    Extension = 15,
}

impl Kind {
    /// `None` for the kinds 11 to 14, which are unassigned and to be ignored.
    fn from_header(header: u64) -> Option<Self> {
        Some(match header & 0xf {
            0 => Self::Open,
            1 => Self::Options,
            2 => Self::Status,
            3 => Self::Have,
            4 => Self::Unhave,
            5 => Self::Want,
            6 => Self::Unwant,
            7 => Self::Request,
            8 => Self::Cancel,
            9 => Self::Data,
            10 => Self::Close,
            15 => Self::Extension,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::Options => "Options",
            Self::Status => "Status",
            Self::Have => "Have",
            Self::Unhave => "Unhave",
            Self::Want => "Want",
            Self::Unwant => "Unwant",
            Self::Request => "Request",
            Self::Cancel => "Cancel",
            Self::Data => "Data",
            Self::Close => "Close",
            Self::Extension => "Extension",
        }
    }
}

/// One frame, as received.
pub(crate) struct Frame {
    /// The sender's channel id, of up to 52 bits.
    pub(crate) channel: u64,
    /// `None` if the kind is unassigned.
    pub(crate) kind: Option<Kind>,
    pub(crate) body: Bytes,
}

/// Cuts a stream of plain bytes into frames, however it arrives.
///
/// Memory follows the bytes that came, never the length that a frame announces.
#[derive(Default)]
pub(crate) struct FrameReader {
    buffer: BytesMut,
}

impl FrameReader {
    /// Appends bytes and lends them, for decryption in place.
    pub(crate) fn extend(&mut self, bytes: &[u8]) -> &mut [u8] {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(bytes);
        &mut self.buffer[start..]
    }

    /// The next complete frame. Keep-alives are skipped.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Frame>, ConnectionError> {
        let (length, prefix) = loop {
            match read_varint(&self.buffer)? {
                Some((0, prefix)) => self.buffer.advance(prefix),
                Some(found) => break found,
                None => return Ok(None),
            }
        };
        let out_of_bounds = ConnectionError::FrameLength { length };
        let length = match usize::try_from(length) {
            Ok(length) if length <= MAX_BODY_BYTES + MAX_VARINT_BYTES => length,
            _ => return Err(out_of_bounds),
        };
        let arrived = &self.buffer[prefix..];
        let Some((header, header_bytes)) = read_varint(&arrived[..length.min(arrived.len())])?
        else {
            // A header that has not ended where the frame does never will.
            return if arrived.len() < length {
                Ok(None)
            } else {
                Err(out_of_bounds)
            };
        };
        let body = length - header_bytes;
        if body > MAX_BODY_BYTES {
            return Err(out_of_bounds);
        }
        let start = prefix + header_bytes;
        if self.buffer.len() < start + body {
            return Ok(None);
        }
        self.buffer.advance(start);
        Ok(Some(Frame {
            channel: header >> 4,
            kind: Kind::from_header(header),
            body: self.take(body),
        }))
    }

    /// The next `length` bytes. Long ones stay where they are; a short one gets memory of its own,
    /// so that keeping it does not keep the whole buffer.
    fn take(&mut self, length: usize) -> Bytes {
        if length >= SHARE_BYTES {
            return self.buffer.split_to(length).freeze();
        }
        let body = Bytes::copy_from_slice(&self.buffer[..length]);
        self.buffer.advance(length);
        body
    }

    /// Gives memory back that a burst has left, when nothing waits in it.
    pub(crate) fn trim(&mut self) {
        if self.buffer.is_empty() && self.buffer.capacity() > IDLE_CAPACITY_BYTES {
            self.buffer = BytesMut::new();
        }
    }
}

/// The memory that a frame takes beside its body: two varints.
pub(crate) const MAX_OVERHEAD_BYTES: usize = 2 * MAX_VARINT_BYTES;

/// Appends a frame's prefix and header. The body, of the given length, comes next.
pub(crate) fn write_header(out: &mut BytesMut, channel: u32, kind: Kind, body_bytes: usize) {
    let header = u64::from(channel) << 4 | kind as u64;
    write_varint(out, (varint_bytes(header) + body_bytes) as u64);
    write_varint(out, header);
}

/// A varint at the start of `bytes` and its length; `None` if it has not arrived completely.
pub(crate) fn read_varint(bytes: &[u8]) -> Result<Option<(u64, usize)>, ConnectionError> {
    let mut value = 0;
    for (i, byte) in bytes.iter().take(MAX_VARINT_BYTES).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Ok(Some((value, i + 1)));
        }
    }
    if bytes.len() >= MAX_VARINT_BYTES {
        Err(ConnectionError::Varint)
    } else {
        Ok(None)
    }
}

pub(crate) fn write_varint(out: &mut impl BufMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8((value & 0x7f) as u8);
}

pub(crate) fn varint_bytes(value: u64) -> usize {
    let bits = (64 - (value | 1).leading_zeros()) as usize;
    bits.div_ceil(7)
}

/// As many bytes as the reference reads before it gives up on a number: 56 bits.
const MAX_VARINT_BYTES: usize = 8;

/// Bodies of at least this size share the receive buffer's memory.
const SHARE_BYTES: usize = 4096;

/// An idle connection keeps no more memory for what it receives.
const IDLE_CAPACITY_BYTES: usize = 64 << 10;
