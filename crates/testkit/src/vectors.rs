//! Answers of other implementations, kept as JSON in the crates' `tests/vectors/`.

use std::path::Path;

pub use serde_json::Value;

/// Reads a file of vectors. A relative path starts at the crate under test.
///
/// # Panics
/// If the file cannot be read or is no JSON; the message names it.
#[track_caller]
pub fn load(path: impl AsRef<Path>) -> Value {
    let path = match std::env::var_os("CARGO_MANIFEST_DIR") {
        Some(crate_dir) => Path::new(&crate_dir).join(path),
        None => path.as_ref().to_owned(),
    };
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The bytes that a vector writes as hex digits.
///
/// # Panics
/// If the value is no string of hex digits.
#[track_caller]
pub fn bytes(value: &Value) -> Vec<u8> {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("not a string: {value}"));
    hex::decode(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// The `N` bytes that a vector writes as hex digits.
///
/// # Panics
/// If the value is not exactly that many bytes in hex digits.
#[track_caller]
pub fn array<const N: usize>(value: &Value) -> [u8; N] {
    let bytes = bytes(value);
    bytes
        .try_into()
        .unwrap_or_else(|bytes: Vec<u8>| panic!("{} bytes, not {N}", bytes.len()))
}

/// The number in a vector.
///
/// # Panics
/// If the value is no whole number from 0 up.
#[track_caller]
pub fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("not a number: {value}"))
}
