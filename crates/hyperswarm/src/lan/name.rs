use super::packet::PacketError;

/// The labels of a name, without the empty one at its end.
pub(super) struct Labels<'a>(Vec<&'a [u8]>);

impl<'a> Labels<'a> {
    pub(super) fn as_slice(&self) -> &[&'a [u8]] {
        &self.0
    }
}

/// Reads a DNS packet from its beginning to its end.
pub(super) struct Cursor<'a> {
    /// The whole packet, which names refer back into.
    packet: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(packet: &'a [u8]) -> Self {
        Self {
            packet,
            at: 0,
            end: packet.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at == self.end
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8], PacketError> {
        if length > self.end - self.at {
            return Err(PacketError::Truncated);
        }
        let bytes = &self.packet[self.at..self.at + length];
        self.at += length;
        Ok(bytes)
    }

    /// What lies in the next `length` bytes, to be read apart.
    pub(super) fn split(&mut self, length: usize) -> Result<Self, PacketError> {
        let at = self.at;
        self.bytes(length)?;
        Ok(Self {
            packet: self.packet,
            at,
            end: self.at,
        })
    }

    pub(super) fn u8(&mut self) -> Result<u8, PacketError> {
        Ok(self.bytes(1)?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, PacketError> {
        Ok(u16::from_be_bytes([self.u8()?, self.u8()?]))
    }

    pub(super) fn u32(&mut self) -> Result<u32, PacketError> {
        Ok(u32::from(self.u16()?) << 16 | u32::from(self.u16()?))
    }

    /// A name, which may continue at an earlier place of the packet (RFC 1035, section 4.1.4).
    ///
    /// Each reference has to point before the one it was reached by, so that there is an end.
    pub(super) fn name(&mut self) -> Result<Labels<'a>, PacketError> {
        let mut labels = Vec::new();
        let mut bytes = 0;
        let mut elsewhere: Option<Self> = None;
        let mut before = self.at;
        loop {
            let cursor = elsewhere.as_mut().unwrap_or(self);
            let length = cursor.u8()?;
            match length >> 6 {
                0 if length == 0 => return Ok(Labels(labels)),
                0 => {
                    bytes += usize::from(length) + 1;
                    if bytes >= MAX_NAME_BYTES {
                        return Err(PacketError::Name);
                    }
                    labels.push(cursor.bytes(usize::from(length))?);
                }
                3 => {
                    let to = usize::from(length & 0x3f) << 8 | usize::from(cursor.u8()?);
                    if to >= before {
                        return Err(PacketError::Name);
                    }
                    before = to;
                    elsewhere = Some(Self {
                        packet: self.packet,
                        at: to,
                        end: self.packet.len(),
                    });
                }
                _ => return Err(PacketError::Name),
            }
        }
    }
}

/// Writes a name. The labels are ours: short, and not empty.
pub(super) fn put(packet: &mut Vec<u8>, labels: &[&[u8]]) {
    for label in labels {
        packet.push(u8::try_from(label.len()).unwrap_or(0));
        packet.extend_from_slice(label);
    }
    packet.push(0);
}

/// A name on the wire, with its lengths (RFC 1035, section 2.3.4).
const MAX_NAME_BYTES: usize = 255;
