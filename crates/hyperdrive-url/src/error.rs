/// Why a text is no link. Always the fault of whoever typed it; the message says what would do.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// There is nothing in the text.
    #[error("the link is empty: it looks like hyper:// and 64 hex digits")]
    Empty,
    /// The text starts with another scheme than `hyper://` or `dat://`.
    #[error("'{scheme}' is not a scheme of drives: a link starts with hyper://")]
    Scheme {
        /// What stands before `://`, or before the colon.
        scheme: String,
    },
    /// The drive is named by something that is no key.
    #[error("'{host}' is not a drive: links name a drive by its key, 64 hex digits")]
    Name {
        /// What stands where the key belongs.
        host: String,
    },
    /// The key has another number of digits than 64.
    #[error("the key has {digits} hex digits, but a key has 64: part of the link may be missing")]
    KeyLength {
        /// How many digits there are.
        digits: usize,
    },
    /// The key has 64 characters, but one of them is not a hex digit.
    #[error("character {position} of the key is {found:?}, which is not a hex digit")]
    KeyDigit {
        /// The character.
        found: char,
        /// Its place in the key, counted from 1.
        position: usize,
    },
    /// The version is not a decimal number that fits 64 bits.
    #[error("'{version}' is not a version: +VERSION is a decimal number, or 'latest'")]
    Version {
        /// What stands after the `+`.
        version: String,
    },
    /// The path, with its percent escapes decoded, is not UTF-8.
    #[error("the path is not UTF-8 once its %-escapes are decoded")]
    PathNotUtf8,
    /// The path contains a NUL character, which no file system can express.
    #[error("the path contains a NUL character")]
    PathHasNul,
}
