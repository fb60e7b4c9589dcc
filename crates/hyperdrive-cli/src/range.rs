use std::ops::Range;
use std::str::FromStr;

/// Bytes asked for on the command line, with the meaning of an HTTP range (RFC 9110, section
/// 14.1.2, "Byte Ranges"): both ends are included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ByteRange {
    /// From the first to the last of these.
    Closed { first: u64, last: u64 },
    /// From this one to the end.
    From(u64),
    /// The last so many; all of them if there are fewer.
    Suffix(u64),
}

impl ByteRange {
    #[allow(dead_code)]
    /// The bytes of a file of `size` bytes, end excluded. `None` if the file has none of them.
    pub(crate) fn within(self, size: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::Closed { first, last } => first..last.saturating_add(1).min(size),
            Self::From(first) => first..size,
            Self::Suffix(length) => size.saturating_sub(length)..size,
        };
        (!range.is_empty()).then_some(range)
    }
}

impl FromStr for ByteRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text
            .split_once('-')
            .ok_or("expected START-END, START- or -N")?;
        match (first, last) {
            ("", "") => Err("expected START-END, START- or -N".into()),
            ("", last) => Ok(Self::Suffix(number(last)?)),
            (first, "") => Ok(Self::From(number(first)?)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                if last < first {
                    return Err(format!(
                        "END is before START; END is included: {first}-{first} is one byte"
                    ));
                }
                Ok(Self::Closed { first, last })
            }
        }
    }
}

/// A number of plain digits: `u64::from_str` alone would take a leading `+`.
fn number(text: &str) -> Result<u64, String> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("`{text}` is not a number of bytes"));
    }
    text.parse().map_err(|_| format!("`{text}` is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, size: u64, expected: Option<Range<u64>>) {
        let range: ByteRange = text.parse().unwrap();
        assert_eq!(range.within(size), expected);
    }

    #[test]
    fn both_ends_are_included() {
        check("0-0", 10, Some(0..1));
        check("2-5", 10, Some(2..6));
        check("5-18446744073709551615", 10, Some(5..10));
    }

    #[test]
    fn open_and_suffix_ranges() {
        check("3-", 10, Some(3..10));
        check("-4", 10, Some(6..10));
        check("-40", 10, Some(0..10));
    }

    #[test]
    fn nothing_to_give_beyond_the_end() {
        check("10-", 10, None);
        check("10-12", 10, None);
        check("-0", 10, None);
        check("0-", 0, None);
        check("-1", 0, None);
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in [
            "",
            "-",
            "5",
            "5-3",
            "a-b",
            "+1-2",
            "1--2",
            "0-99999999999999999999",
            " 1-2",
        ] {
            assert!(bad.parse::<ByteRange>().is_err(), "{bad}");
        }
    }
}
