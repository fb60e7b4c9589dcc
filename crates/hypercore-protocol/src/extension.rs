use std::cmp::Ordering;
use std::sync::Arc;

use crate::SendError;
use crate::config::{MAX_EXTENSION_NAME_BYTES, MAX_EXTENSIONS};

/// The two name lists of one scope, a channel or the connection as a whole.
///
/// An extension's id is its place in the *sender's* sorted list, so ours and the remote's differ.
/// Unlike the reference we renumber when a name is removed.
#[derive(Debug, Default)]
pub(crate) struct Extensions {
    local: Vec<Arc<str>>,
    remote: Vec<Arc<str>>,
}

impl Extensions {
    /// Replaces our names. On an error the old ones stay.
    pub(crate) fn set_local<S: AsRef<str>>(&mut self, names: &[S]) -> Result<(), SendError> {
        let too_long = |name: &S| name.as_ref().len() > MAX_EXTENSION_NAME_BYTES;
        if names.len() > MAX_EXTENSIONS || names.iter().any(too_long) {
            return Err(SendError::ExtensionNames);
        }
        let mut sorted: Vec<Arc<str>> = names.iter().map(|name| name.as_ref().into()).collect();
        sorted.sort_unstable_by(|a, b| order(a, b));
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(SendError::ExtensionNames);
        }
        self.local = sorted;
        Ok(())
    }

    /// Replaces the remote's names, in the order in which it numbers them.
    pub(crate) fn set_remote(&mut self, names: Vec<Arc<str>>) {
        self.remote = names;
    }

    /// Our names, as they are announced.
    pub(crate) fn local(&self) -> Vec<String> {
        self.local.iter().map(|name| name.to_string()).collect()
    }

    /// The id under which we send messages of an extension; `None` unless we have announced it.
    pub(crate) fn local_id(&self, name: &str) -> Option<u64> {
        let position = self
            .local
            .binary_search_by(|local| order(local, name))
            .ok()?;
        Some(position as u64)
    }

    /// The name behind an id of the remote; `None` unless both sides announced it.
    pub(crate) fn by_remote_id(&self, id: u64) -> Option<Arc<str>> {
        let name = self.remote.get(usize::try_from(id).ok()?)?;
        let position = self
            .local
            .binary_search_by(|local| order(local, name))
            .ok()?;
        Some(Arc::clone(&self.local[position]))
    }
}

/// The reference compares names by UTF-16 code units, which differs from byte order for characters
/// outside the basic plane.
fn order(a: &str, b: &str) -> Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_by_utf16_units() {
        let mut extensions = Extensions::default();
        // U+1F600 starts with the unit D83D, before U+FF5E; as bytes it would come after it.
        extensions.set_local(&["～", "😀", "a"]).unwrap();
        assert_eq!(extensions.local(), ["a", "😀", "～"]);
        assert_eq!(extensions.local_id("😀"), Some(1));
    }

    #[test]
    fn ids_are_the_senders() {
        let mut extensions = Extensions::default();
        extensions.set_local(&["b", "d"]).unwrap();
        extensions.set_remote(["a", "b", "c"].map(Arc::from).to_vec());
        assert_eq!(extensions.by_remote_id(1).as_deref(), Some("b"));
        assert_eq!(extensions.by_remote_id(0), None);
        assert_eq!(extensions.by_remote_id(3), None);
        assert_eq!(extensions.local_id("b"), Some(0));
        assert_eq!(extensions.local_id("c"), None);
    }

    #[test]
    fn limits_are_exact() {
        let mut extensions = Extensions::default();
        let names: Vec<String> = (0..=MAX_EXTENSIONS).map(|i| i.to_string()).collect();
        assert_eq!(extensions.set_local(&names), Err(SendError::ExtensionNames));
        extensions.set_local(&names[1..]).unwrap();
        extensions
            .set_local(&["x".repeat(MAX_EXTENSION_NAME_BYTES)])
            .unwrap();
        let long = "x".repeat(MAX_EXTENSION_NAME_BYTES + 1);
        assert_eq!(
            extensions.set_local(&[long]),
            Err(SendError::ExtensionNames)
        );
        assert_eq!(
            extensions.set_local(&["a", "a"]),
            Err(SendError::ExtensionNames)
        );
    }
}
