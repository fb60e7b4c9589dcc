use std::fmt;

/// Names the default core of a [`Corestore`](crate::Corestore) handle.
///
/// A namespace is nothing but this name: cores opened by a name of their own are the same from
/// every handle.
#[derive(Clone, Eq, PartialEq)]
pub struct Namespace(String);

impl Namespace {
    /// The namespace below `parent`, `None` being the store itself.
    pub(crate) fn below(self, parent: Option<&Self>) -> Self {
        match parent {
            Some(parent) => Self(format!("{}:{}", parent.0, self.0)),
            None => self,
        }
    }

    /// The name that the default core's key pair is derived from.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Namespace {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl From<String> for Namespace {
    fn from(name: String) -> Self {
        Self(name)
    }
}

/// Bytes name the namespace of their lower-case hex digits.
impl From<&[u8]> for Namespace {
    fn from(bytes: &[u8]) -> Self {
        Self(crate::layout::hex(bytes))
    }
}

/// Bytes name the namespace of their lower-case hex digits.
impl<const N: usize> From<&[u8; N]> for Namespace {
    fn from(bytes: &[u8; N]) -> Self {
        Self::from(&bytes[..])
    }
}

/// Whoever knows a random namespace still cannot derive its keys, but it need not be in logs.
impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start: String = self.0.chars().take(8).collect();
        write!(
            f,
            "Namespace({start}{})",
            if start.len() < self.0.len() {
                "…"
            } else {
                ""
            }
        )
    }
}
