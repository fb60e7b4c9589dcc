use std::fmt;

use hypercore_protocol::Secrets;

/// Who we are towards every remote: a static key that outlives the connection.
///
/// Without one, each connection has a key of its own, and a remote cannot tell that two of them lead
/// to the same peer.
#[derive(Clone)]
pub struct Identity {
    /// The static key alone; the rest is drawn anew for each connection.
    secrets: Secrets,
}

impl Identity {
    /// The identity that belongs to a secret, the same one that the reference derives from it.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self {
            secrets: Secrets {
                static_key: Secrets::static_key_from_seed(seed),
                ephemeral_key: [0; 32],
                nonce: [0; 24],
            },
        }
    }

    /// What remotes know us by.
    pub fn public_key(&self) -> [u8; 32] {
        self.secrets.public_key()
    }

    pub(crate) fn static_key(&self) -> &[u8; 32] {
        &self.secrets.static_key
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(")?;
        for byte in &self.public_key()[..4] {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("…)")
    }
}
