use std::fmt;
use std::str::FromStr;

use crate::{LinkError, percent};

/// A link to a drive, a version of it, or a path inside.
///
/// Two links are equal when they lead to the same place, however they were written: the scheme and
/// the case of the key's digits are not kept. [`Display`](fmt::Display) writes the canonical form,
/// which parses to an equal link.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Link {
    key: [u8; 32],
    version: Option<u64>,
    path: String,
    query: Option<String>,
    fragment: Option<String>,
}

impl Link {
    /// The link to the root of a drive's newest version.
    pub fn new(key: [u8; 32]) -> Self {
        Self {
            key,
            version: None,
            path: "/".to_owned(),
            query: None,
            fragment: None,
        }
    }

    /// Reads a link as a person gives it.
    ///
    /// White space around it is dropped. `hyper://` may be missing or be `dat://`, in any case.
    /// `+latest` means no version. A `%` in the path that no two hex digits follow stands for
    /// itself.
    pub fn parse(text: &str) -> Result<Self, LinkError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(LinkError::Empty);
        }
        let rest = strip_scheme(text)?;
        let (rest, fragment) = split_off(rest, '#');
        let (rest, query) = split_off(rest, '?');
        let authority_len = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(authority_len);
        // The first plus sign counts: a key contains none.
        let (host, version) = split_off(authority, '+');
        Ok(Self {
            key: parse_key(host)?,
            version: version.map(parse_version).transpose()?.flatten(),
            path: parse_path(path)?,
            query: query.map(str::to_owned),
            fragment: fragment.map(str::to_owned),
        })
    }

    /// The same link at a version, or at the newest one for `None`.
    #[must_use]
    pub fn with_version(self, version: Option<u64>) -> Self {
        Self { version, ..self }
    }

    /// The same link at another path, given as it is (not percent-encoded). A missing leading
    /// slash is added; query and fragment, which belonged to the old path, are dropped.
    ///
    /// A path with a NUL character is refused.
    pub fn with_path(self, path: &str) -> Result<Self, LinkError> {
        let path = check_path(path.to_owned())?;
        Ok(Self {
            path,
            query: None,
            fragment: None,
            ..self
        })
    }

    /// The drive's public key.
    pub fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// The version asked for; `None` is the newest.
    pub fn version(&self) -> Option<u64> {
        self.version
    }

    /// The path, decoded, as written otherwise: it starts with a slash, but `..`, empty components
    /// and a trailing slash are still in it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What stands after `?`, not decoded; `None` when there is no question mark.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// What stands after `#`, not decoded; `None` when there is no hash sign.
    pub fn fragment(&self) -> Option<&str> {
        self.fragment.as_deref()
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hyper://")?;
        for byte in self.key {
            write!(f, "{byte:02x}")?;
        }
        if let Some(version) = self.version {
            write!(f, "+{version}")?;
        }
        percent::encode(&self.path, f)?;
        if let Some(query) = &self.query {
            write!(f, "?{query}")?;
        }
        if let Some(fragment) = &self.fragment {
            write!(f, "#{fragment}")?;
        }
        Ok(())
    }
}

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        Self::parse(text)
    }
}

/// The text after `hyper://` or `dat://`, or all of it when it has no scheme.
fn strip_scheme(text: &str) -> Result<&str, LinkError> {
    // A colon after the first of these belongs to a path or a query.
    let authority = text.find(['/', '?', '#']).unwrap_or(text.len());
    let Some(colon) = text[..authority].find(':') else {
        return Ok(text);
    };
    let scheme = &text[..colon];
    let known = ["hyper", "dat"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    match text[colon + 1..].strip_prefix("//") {
        Some(rest) if known => Ok(rest),
        _ => Err(LinkError::Scheme {
            scheme: shorten(scheme),
        }),
    }
}

/// Splits at the first `mark`; what stands after it is `None` when there is none.
fn split_off(text: &str, mark: char) -> (&str, Option<&str>) {
    match text.split_once(mark) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn parse_key(host: &str) -> Result<[u8; 32], LinkError> {
    let chars = host.chars().count();
    let odd = host.char_indices().find(|(_, c)| !c.is_ascii_hexdigit());
    match odd {
        _ if host.is_empty() => return Err(LinkError::KeyLength { digits: 0 }),
        // The index is that of a character as well: all before it are ASCII.
        Some((index, found)) if chars == KEY_DIGITS => {
            return Err(LinkError::KeyDigit {
                found,
                position: index + 1,
            });
        }
        Some(_) => {
            return Err(LinkError::Name {
                host: shorten(host),
            });
        }
        None if chars != KEY_DIGITS => return Err(LinkError::KeyLength { digits: chars }),
        None => {}
    }
    let mut key = [0; 32];
    for (byte, pair) in key.iter_mut().zip(host.as_bytes().chunks_exact(2)) {
        for &character in pair {
            *byte = *byte << 4 | percent::digit(character).unwrap_or(0);
        }
    }
    Ok(key)
}

fn parse_version(text: &str) -> Result<Option<u64>, LinkError> {
    if text == "latest" {
        return Ok(None);
    }
    // `u64::from_str` takes a plus sign, which is no digit.
    match text.parse() {
        Ok(version) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Some(version)),
        _ => Err(LinkError::Version {
            version: shorten(text),
        }),
    }
}

fn parse_path(text: &str) -> Result<String, LinkError> {
    let decoded = String::from_utf8(percent::decode(text)).map_err(|_| LinkError::PathNotUtf8)?;
    check_path(decoded)
}

fn check_path(mut path: String) -> Result<String, LinkError> {
    if path.contains('\0') {
        return Err(LinkError::PathHasNul);
    }
    if !path.starts_with('/') {
        path.insert(0, '/');
    }
    Ok(path)
}

/// As much of a text as fits in a message.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTED_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Hex digits in a key of 32 bytes.
const KEY_DIGITS: usize = 64;

/// How much of a wrong text an error repeats.
const MAX_QUOTED_CHARS: usize = 40;
