/// Appends a number in the form of protobuf and of frames.
pub(crate) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

/// A frame on channel 1. Of the kind, four bits count.
pub(crate) fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    varint(&mut frame, 1 + body.len() as u64);
    frame.push(1 << 4 | kind & 0xf);
    frame.extend_from_slice(body);
    frame
}
