use std::io;
use std::sync::Arc;

use hypercore_crypto::{DiscoveryKey, PublicKey};
use hypercore_storage::StorageDir;

use crate::identity::{self, Name};
use crate::layout::{self, KEY, SECRET_KEY};

/// A core found in a store's directory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stored {
    public_key: PublicKey,
    discovery_key: DiscoveryKey,
    named: bool,
    secret: bool,
}

impl Stored {
    /// Who signs it.
    pub fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// What may be said aloud to find it.
    pub fn discovery_key(&self) -> DiscoveryKey {
        self.discovery_key
    }

    /// Whether its key pair is derived from a name that is stored with it.
    pub fn is_named(&self) -> bool {
        self.named
    }

    /// Whether what is needed to write it is stored: its name, or its secret key.
    pub fn is_writable(&self) -> bool {
        self.named || self.secret
    }
}

/// The cores in a store's directory, in the order of their discovery keys, read as it goes.
///
/// Folders that hold no public key fitting their name are passed over: Node leaves such behind
/// when a peer asks for a core that is not here.
#[derive(Debug)]
pub struct StoredCores {
    dir: Arc<dyn StorageDir>,
    /// Folders still to look into, the next one last.
    ahead: Vec<String>,
}

impl StoredCores {
    pub(crate) fn new(dir: Arc<dyn StorageDir>) -> Self {
        Self {
            dir,
            ahead: vec![String::new()],
        }
    }

    /// Looks into one folder: puts those below it ahead, or reads the core in it.
    fn visit(&mut self, folder: String) -> io::Result<Option<Stored>> {
        let depth = if folder.is_empty() {
            0
        } else {
            folder.split('/').count()
        };
        if depth == 3 {
            return read(&*self.dir, &folder);
        }
        let digits = if depth < 2 { 2 } else { 64 };
        let shard: String = folder.split('/').collect();
        for name in self.dir.list(&folder)?.into_iter().rev() {
            let hex = name
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if hex && name.len() == digits && (depth < 2 || name.starts_with(&shard)) {
                let below = if depth == 0 {
                    name
                } else {
                    format!("{folder}/{name}")
                };
                self.ahead.push(below);
            }
        }
        Ok(None)
    }
}

impl Iterator for StoredCores {
    type Item = io::Result<Stored>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(folder) = self.ahead.pop() {
            if let Some(found) = self.visit(folder).transpose() {
                return Some(found);
            }
        }
        None
    }
}

fn read(dir: &dyn StorageDir, folder: &str) -> io::Result<Option<Stored>> {
    let dir = dir.subdir(folder);
    let Some(key) = identity::read(&*dir, KEY, 32)? else {
        return Ok(None);
    };
    let Ok(key) = <[u8; 32]>::try_from(key.as_slice()) else {
        return Ok(None);
    };
    let public_key = PublicKey::from_bytes(key);
    let discovery_key = public_key.discovery_key();
    if !folder.ends_with(&layout::hex(discovery_key.as_bytes())) {
        return Ok(None);
    }
    let named = matches!(Name::read(&*dir)?, Name::Is(_));
    let secret = dir.exists(SECRET_KEY)?;
    Ok(Some(Stored {
        public_key,
        discovery_key,
        named,
        secret,
    }))
}
