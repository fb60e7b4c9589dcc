use std::fmt;

/// Decodes `%XX` escapes. A percent sign without two hex digits after it stands for itself.
pub(crate) fn decode(text: &str) -> Vec<u8> {
    let mut rest = text.as_bytes();
    let mut decoded = Vec::with_capacity(rest.len());
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match tail {
            [high, low, after @ ..] if first == b'%' => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    decoded.push(high << 4 | low);
                    rest = after;
                }
                _ => decoded.push(first),
            },
            _ => decoded.push(first),
        }
    }
    decoded
}

/// Writes a path with everything escaped that has a meaning of its own in a link, or that is not
/// plain ASCII (RFC 3986, "Path").
pub(crate) fn encode(path: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for &byte in path.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte) {
            write!(f, "{}", char::from(byte))?;
        } else {
            write!(f, "%{byte:02X}")?;
        }
    }
    Ok(())
}

/// The value of a hex digit in either case.
pub(crate) fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
