use std::fmt;

use siphasher::sip::SipHasher24;

/// The digits that lead to one key: a bit that parts hidden keys from visible ones, 32 base-4
/// digits for each component of the key, and a terminator.
///
/// Digits are numbered from 0, the hidden bit. Component *c* owns digits 32*c* + 1 to 32*c* + 32,
/// so keys in one directory share a prefix of digits.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Path<'a> {
    /// Text, kept as bytes: most of what is done with it is comparing.
    key: &'a [u8],
    hidden: bool,
    hash: &'a [u8],
}

/// A path with its own memory.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct PathBuf {
    key: Box<str>,
    hidden: bool,
    hash: Box<[u8]>,
}

/// Hashes one component of a key. SipHash everywhere but in tests that need many collisions.
pub(crate) type ComponentHash = fn(&[u8]) -> [u8; 8];

impl PathBuf {
    /// The path of a key as readers see it; see [`decoded`].
    pub(crate) fn new(key: &str, hidden: bool, hash: ComponentHash) -> Self {
        let key = decoded(key);
        let mut digits = vec![0; hash_bytes(key)];
        put_hash(key, hash, &mut digits);
        Self {
            key: key.into(),
            hidden,
            hash: digits.into(),
        }
    }

    /// The path itself.
    pub(crate) fn get(&self) -> Path<'_> {
        Path {
            key: self.key.as_bytes(),
            hidden: self.hidden,
            hash: &self.hash,
        }
    }
}

/// Fills in the hash of each component of a key, in so many bytes as [`hash_bytes`] says.
pub(crate) fn put_hash(key: &str, hash: ComponentHash, out: &mut [u8]) {
    let (places, _) = out.as_chunks_mut();
    for (place, component) in places.iter_mut().zip(components(key)) {
        *place = hash(component.as_bytes());
    }
}

/// How many bytes the hashes of a key's components take.
pub(crate) fn hash_bytes(key: &str) -> usize {
    HASH_BYTES * components(key).count()
}

impl<'a> Path<'a> {
    /// A path that was made before. `key` is text.
    pub(crate) fn from_parts(key: &'a [u8], hidden: bool, hash: &'a [u8]) -> Self {
        Self { key, hidden, hash }
    }

    pub(crate) fn key(self) -> &'a str {
        std::str::from_utf8(self.key).expect("keys are made of text, or checked when decoded")
    }

    pub(crate) fn key_bytes(self) -> &'a [u8] {
        self.key
    }

    pub(crate) fn hash(self) -> &'a [u8] {
        self.hash
    }

    pub(crate) fn hidden(self) -> bool {
        self.hidden
    }

    /// How many digits the path has, terminator included.
    pub(crate) fn len(self) -> usize {
        self.hash.len() * 4 + 2
    }

    /// Digit `index`; [`TERMINATOR`] from the end of the path on.
    pub(crate) fn digit(self, index: usize) -> u8 {
        let Some(position) = index.checked_sub(1) else {
            return u8::from(self.hidden);
        };
        match self.hash.get(position / 4) {
            Some(byte) => (byte >> (2 * (position % 4))) & 3,
            None => TERMINATOR,
        }
    }

    /// The first index, not before `from`, at which the two keys part: their digits differ there,
    /// or it is the last digit of a component whose names differ in spite of equal hashes. `None`
    /// if the keys have the same components.
    ///
    /// Nothing before `from` is looked at.
    pub(crate) fn divergence(self, other: Path<'_>, from: usize) -> Option<usize> {
        let digit = self.first_difference(other, from);
        let check = from.max(1).next_multiple_of(COMPONENT_DIGITS);
        if digit.is_some_and(|digit| digit <= check) {
            return digit;
        }
        let known = check / COMPONENT_DIGITS - 1;
        let collision = byte_components(self.key)
            .zip(byte_components(other.key))
            .skip(known)
            .position(|(ours, theirs)| ours != theirs)
            .map(|position| (known + position + 1) * COMPONENT_DIGITS);
        match (digit, collision) {
            (Some(digit), Some(collision)) => Some(digit.min(collision)),
            (digit, collision) => digit.or(collision),
        }
    }

    /// Whether the components that end at digit `index` have different names.
    pub(crate) fn collides(self, other: Path<'_>, index: usize) -> bool {
        let component = (index - 1) / COMPONENT_DIGITS;
        byte_components(self.key).nth(component) != byte_components(other.key).nth(component)
    }

    /// Whether the two paths have the same digits before `index`.
    pub(crate) fn agrees(self, other: Path<'_>, index: usize) -> bool {
        self.first_difference(other, 0)
            .is_none_or(|difference| difference >= index)
    }

    fn first_difference(self, other: Path<'_>, from: usize) -> Option<usize> {
        if from == 0 && self.hidden != other.hidden {
            return Some(0);
        }
        let position = from.saturating_sub(1);
        let shared = self.hash.len().min(other.hash.len());
        let start = position / 4;
        let mut mask = u8::MAX << (2 * (position % 4));
        for byte in start..shared {
            let difference = (self.hash[byte] ^ other.hash[byte]) & mask;
            mask = u8::MAX;
            if difference != 0 {
                return Some(byte * 4 + difference.trailing_zeros() as usize / 2 + 1);
            }
        }
        (self.hash.len() != other.hash.len()).then_some((shared * 4 + 1).max(from))
    }
}

impl fmt::Debug for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Path")
            .field("key", &String::from_utf8_lossy(self.key))
            .field("hidden", &self.hidden)
            .finish()
    }
}

impl fmt::Debug for PathBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// Strips the one leading slash that is stripped when a key is given.
pub(crate) fn normalize(key: &str) -> &str {
    key.strip_prefix('/').unwrap_or(key)
}

/// The key that readers see of one that was stored: the reference strips a leading slash when it
/// decodes a node as well, so a key written as `//a` is stored as `/a` and read as `a`.
pub(crate) fn decoded(key: &str) -> &str {
    normalize(key)
}

/// The components of a normalized key. Inner empty ones count: `a//b` has three.
pub(crate) fn components(key: &str) -> impl Iterator<Item = &str> {
    let rest = key.strip_prefix('/').unwrap_or(key);
    let body = rest
        .strip_suffix('/')
        .or((!rest.is_empty()).then_some(rest));
    body.into_iter().flat_map(|body| body.split('/'))
}

/// As [`components`], of a key that is text for sure.
fn byte_components(key: &[u8]) -> impl Iterator<Item = &[u8]> {
    let rest = key.strip_prefix(b"/").unwrap_or(key);
    let body = rest
        .strip_suffix(b"/")
        .or((!rest.is_empty()).then_some(rest));
    body.into_iter()
        .flat_map(|body| body.split(|byte| *byte == b'/'))
}

/// SipHash-2-4 under an all-zero key, as little-endian bytes.
pub(crate) fn siphash(component: &[u8]) -> [u8; 8] {
    SipHasher24::new().hash(component).to_le_bytes()
}

/// Whether `index` is the last digit of a component, where names are compared as well as digits.
pub(crate) fn is_check(index: usize) -> bool {
    index > 0 && index.is_multiple_of(COMPONENT_DIGITS)
}

/// The digit that says "this key ends here".
pub(crate) const TERMINATOR: u8 = 4;

/// How many values a digit can have.
pub(crate) const DIGITS: u8 = 5;

/// How many digits a component has.
pub(crate) const COMPONENT_DIGITS: usize = 32;

/// How many bytes a component's hash has.
const HASH_BYTES: usize = 8;

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../tests/vectors/hypertrie.json")).unwrap()
    }

    #[test]
    fn paths_are_the_reference_s() {
        for vector in vectors()["paths"].as_array().unwrap() {
            let input = vector["input"].as_str().unwrap();
            let hidden = vector["hidden"].as_bool().unwrap();
            let path = PathBuf::new(normalize(input), hidden, siphash);
            let path = path.get();
            // The vectors show keys as they are before the second slash is stripped.
            assert_eq!(
                path.key(),
                decoded(vector["key"].as_str().unwrap()),
                "{input}"
            );
            let names: Vec<_> = components(path.key()).collect();
            assert_eq!(serde_json::json!(names), vector["components"], "{input}");
            let same: Vec<_> = byte_components(path.key).collect();
            assert_eq!(
                same,
                names.iter().map(|name| name.as_bytes()).collect::<Vec<_>>()
            );
            assert_eq!(hex::encode(path.hash), vector["hash"], "{input}");
            assert_eq!(path.len() as u64, vector["length"], "{input}");
            let digits: String = (0..path.len())
                .map(|index| path.digit(index).to_string())
                .collect();
            assert_eq!(digits, vector["path"], "{input}");
        }
    }

    #[test]
    fn components_keep_inner_empty_names_only() {
        #[track_caller]
        fn check(key: &str, names: &[&str]) {
            assert_eq!(components(key).collect::<Vec<_>>(), names, "{key}");
        }
        check("", &[]);
        check("/", &[]);
        check("//", &[""]);
        check("a", &["a"]);
        check("/a", &["a"]);
        check("a/", &["a"]);
        check("a//", &["a", ""]);
        check("a//b", &["a", "", "b"]);
    }

    #[test]
    fn keys_part_where_digits_or_names_differ() {
        #[track_caller]
        fn check(a: &str, b: &str, from: usize, expected: Option<usize>) {
            let [a, b] = [a, b].map(|key| PathBuf::new(key, false, siphash));
            assert_eq!(a.get().divergence(b.get(), from), expected);
            assert_eq!(b.get().divergence(a.get(), from), expected);
        }
        check("a", "a", 0, None);
        check("a", "a/", 0, None);
        check("a", "a/b", 0, Some(33));
        check("", "a", 0, Some(1));
        // These two have the same hash.
        check("idgcmnmna", "mpomeiehc", 0, Some(32));
        check("idgcmnmna", "mpomeiehc", 32, Some(32));
        check("idgcmnmna/a", "mpomeiehc", 0, Some(32));
        check("x/idgcmnmna/a", "x/mpomeiehc/b", 0, Some(64));
        // What lies before `from` is not looked at.
        check("idgcmnmna/a", "mpomeiehc/a", 33, None);
    }

    #[test]
    fn hidden_keys_part_from_visible_ones_at_once() {
        let visible = PathBuf::new("a", false, siphash);
        let hidden = PathBuf::new("a", true, siphash);
        let (visible, hidden) = (visible.get(), hidden.get());
        assert_eq!(visible.divergence(hidden, 0), Some(0));
        assert!(visible.agrees(hidden, 0) && !visible.agrees(hidden, 1));
    }
}
