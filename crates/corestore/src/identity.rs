//! Whose a core is: the files `key`, `name` and `secret_key` in its folder.

use std::io;

use hypercore_crypto::{DiscoveryKey, KeyPair, PublicKey, derive_key_pair};
use hypercore_storage::{OpenMode, StorageDir};
use zeroize::Zeroizing;

use crate::GetError;
use crate::layout::{self, DEFAULT_NAME, KEY, NAME, SECRET_KEY};
use crate::list::StoredCores;

mod name;

pub(crate) use name::{MAX_NAME_BYTES, Name};

/// How a core was asked for.
#[derive(Clone, Debug)]
pub(crate) enum Selector {
    /// By a name, which gives the pair.
    Name(Zeroizing<Vec<u8>>, KeyPair),
    /// By a pair from elsewhere.
    Pair(KeyPair),
    /// By the public key alone.
    Public(PublicKey),
    /// By the discovery key alone: only what is stored can be opened.
    Discovery(DiscoveryKey),
}

impl Selector {
    pub(crate) fn name(name: &[u8], master_key: &[u8; 32]) -> Result<Self, GetError> {
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            return Err(GetError::Name { size: name.len() });
        }
        Ok(Self::Name(
            Zeroizing::new(name.to_vec()),
            derive(master_key, name),
        ))
    }

    pub(crate) fn discovery_key(&self) -> DiscoveryKey {
        match self {
            Self::Name(_, pair) | Self::Pair(pair) => pair.public.discovery_key(),
            Self::Public(key) => key.discovery_key(),
            Self::Discovery(key) => *key,
        }
    }

    fn public_key(&self) -> Option<PublicKey> {
        match self {
            Self::Name(_, pair) | Self::Pair(pair) => Some(pair.public),
            Self::Public(key) => Some(*key),
            Self::Discovery(_) => None,
        }
    }
}

/// Who signs a core, and with what, if that is known.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) public: PublicKey,
    pub(crate) secret: Secret,
}

/// Where the secret key of a core comes from.
#[derive(Clone, Debug)]
pub(crate) enum Secret {
    /// It is not here.
    Unknown,
    /// From this name.
    Named(Zeroizing<Vec<u8>>, KeyPair),
    /// From elsewhere, stored as it is.
    Given(KeyPair),
}

impl Secret {
    pub(crate) fn pair(&self) -> Option<&KeyPair> {
        match self {
            Self::Unknown => None,
            Self::Named(_, pair) | Self::Given(pair) => Some(pair),
        }
    }
}

/// Reads whose the core in `dir` is, and completes it by what the caller knows.
///
/// The folder is named by a hash of the public key, so whatever claims to be the key, or to lead to
/// it, is checked against that.
pub(crate) fn load(
    dir: &dyn StorageDir,
    selector: &Selector,
    master_key: &[u8; 32],
    stored: impl FnOnce() -> StoredCores,
) -> Result<Identity, GetError> {
    let secret = load_secret(dir, selector, master_key, stored)?;
    let known = secret.pair().map(|pair| pair.public);
    let identity = load_public(dir, selector, known)?;
    Ok(Identity { secret, ..identity })
}

/// As [`load`], without anything secret. `known` is the public key if it is known already.
pub(crate) fn load_public(
    dir: &dyn StorageDir,
    selector: &Selector,
    known: Option<PublicKey>,
) -> Result<Identity, GetError> {
    let discovery_key = selector.discovery_key();
    let public = match known.or(selector.public_key()) {
        // The file is not needed then; a damaged one is mended by `store`.
        Some(public) => public,
        None => read(dir, KEY, 32)?
            .and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok())
            .map(PublicKey::from_bytes)
            .filter(|key| key.discovery_key() == discovery_key)
            .ok_or(GetError::Damaged {
                discovery_key,
                file: KEY,
            })?,
    };
    let secret = Secret::Unknown;
    Ok(Identity { public, secret })
}

fn load_secret(
    dir: &dyn StorageDir,
    selector: &Selector,
    master_key: &[u8; 32],
    cores: impl FnOnce() -> StoredCores,
) -> Result<Secret, GetError> {
    let discovery_key = selector.discovery_key();
    let stored = Name::read(dir)?;
    if let Name::Is(name) = stored {
        let pair = derive(master_key, &name);
        return match pair.public.discovery_key() == discovery_key {
            true => Ok(Secret::Named(name, pair)),
            false => Err(GetError::WrongMasterKey { discovery_key }),
        };
    }
    match selector {
        Selector::Name(name, pair) => return Ok(Secret::Named(name.clone(), pair.clone())),
        Selector::Pair(pair) => return Ok(Secret::Given(pair.clone())),
        Selector::Public(_) | Selector::Discovery(_) => {}
    }
    if let Some(bytes) = read(dir, SECRET_KEY, 64)? {
        let pair = secret_pair(&bytes, &discovery_key);
        return match pair {
            Some(pair) => Ok(Secret::Given(pair)),
            None => Err(GetError::Damaged {
                discovery_key,
                file: SECRET_KEY,
            }),
        };
    }
    match stored {
        // The reference opens such a core for reading only, for good. One that goes by a usual
        // name can be told by its keys.
        Name::Damaged => guess(&discovery_key, master_key, cores()),
        _ => Ok(Secret::Unknown),
    }
}

/// Tries the names that programs use: that of the default core, and those that drives give to the
/// core with their files' content.
fn guess(
    discovery_key: &DiscoveryKey,
    master_key: &[u8; 32],
    cores: StoredCores,
) -> Result<Secret, GetError> {
    let contents = cores.filter_map(Result::ok).map(|core| {
        let name = format!("{}-content", core.public_key());
        name.into_bytes()
    });
    for name in std::iter::once(DEFAULT_NAME.to_vec()).chain(contents) {
        let pair = derive(master_key, &name);
        if pair.public.discovery_key() == *discovery_key {
            return Ok(Secret::Named(Zeroizing::new(name), pair));
        }
    }
    Ok(Secret::Unknown)
}

/// Writes what is missing or damaged of the files that say whose the core is, durably except for
/// the names of new files. True if anything was.
pub(crate) fn store(dir: &dyn StorageDir, identity: &Identity) -> io::Result<bool> {
    let key = put(dir, KEY, identity.public.as_bytes())?;
    let secret = match &identity.secret {
        Secret::Unknown => false,
        Secret::Named(name, _) => put(dir, NAME, &name::encode(name))?,
        Secret::Given(pair) => put(dir, SECRET_KEY, pair.secret.as_bytes())?,
    };
    Ok(key || secret)
}

fn put(dir: &dyn StorageDir, name: &str, bytes: &[u8]) -> io::Result<bool> {
    // One byte more than is wanted, to notice a file that is too long.
    if read(dir, name, bytes.len() + 1)?.is_some_and(|stored| *stored == bytes) {
        return Ok(false);
    }
    let file = dir.open(name, OpenMode::Create)?;
    file.write(0, bytes)?;
    file.truncate(bytes.len() as u64)?;
    file.sync()?;
    Ok(true)
}

/// Reads up to `limit` bytes from the start of a file, `None` if there is no such file.
pub(crate) fn read(
    dir: &dyn StorageDir,
    name: &str,
    limit: usize,
) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let file = match dir.open(name, OpenMode::ReadOnly) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let len = usize::try_from(file.len()?).map_or(limit, |len| len.min(limit));
    let mut bytes = Zeroizing::new(vec![0; len]);
    file.read(0, &mut bytes)?;
    Ok(Some(bytes))
}

/// The pair of a stored secret key, if it is the one of this core. Its first half, the seed, is
/// enough: the second is the public key again.
fn secret_pair(bytes: &[u8], discovery_key: &DiscoveryKey) -> Option<KeyPair> {
    let seed: &[u8; 32] = bytes.first_chunk()?;
    Some(KeyPair::from_seed(seed)).filter(|pair| pair.public.discovery_key() == *discovery_key)
}

pub(crate) fn derive(master_key: &[u8; 32], name: &[u8]) -> KeyPair {
    derive_key_pair(master_key, layout::NAMESPACE, name)
}
