//! Whose a core is: the files `key`, `name` and `secret_key` in its folder.

use std::io;
use std::sync::Arc;

use hypercore_crypto::{DiscoveryKey, KeyPair, PublicKey, derive_key_pair};
use hypercore_storage::{OpenMode, Storage, StorageDir};
use zeroize::Zeroizing;

use crate::GetError;
use crate::layout::{KEY, NAME, SECRET_KEY};

/// The longest name that a core may have, in bytes. The reference knows no limit; its own names
/// have at most 72.
pub(crate) const MAX_NAME_BYTES: usize = 65_536;

/// The namespace under which every key pair of a corestore is derived.
const NAMESPACE: &str = "corestore";

/// How a core was asked for.
#[derive(Clone)]
pub(crate) enum Selector {
    /// By a name, which gives the pair.
    Name(Vec<u8>, KeyPair),
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
            name.to_vec(),
            derive_key_pair(master_key, NAMESPACE, name),
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

/// Who signs a core, and with what if that is here.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) public: PublicKey,
    pub(crate) pair: Option<KeyPair>,
}

/// Reads whose the core in `dir` is, completed by what the caller knows. `None` if it is not
/// stored and the selector does not say.
pub(crate) fn load(
    dir: &dyn StorageDir,
    selector: &Selector,
    master_key: &[u8; 32],
) -> Result<Option<Identity>, GetError> {
    let discovery_key = selector.discovery_key();
    let damaged = |file| GetError::Damaged {
        discovery_key,
        file,
    };
    let stored = read(dir, KEY, 32)?;
    if stored.is_none() && matches!(selector, Selector::Discovery(_)) {
        return Ok(None);
    }
    let stored = stored.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
    let stored = stored.map(PublicKey::from_bytes);

    let pair = match read_name(dir)? {
        Name::Is(name) => {
            let pair = derive_key_pair(master_key, NAMESPACE, &name);
            if pair.public.discovery_key() != discovery_key {
                return Err(GetError::WrongMasterKey { discovery_key });
            }
            Some(pair)
        }
        Name::Damaged | Name::Absent => match selector {
            Selector::Name(_, pair) | Selector::Pair(pair) => Some(pair.clone()),
            _ => match read(dir, SECRET_KEY, 64)? {
                Some(bytes) => {
                    Some(secret_pair(&bytes, &discovery_key).ok_or(damaged(SECRET_KEY))?)
                }
                None => None,
            },
        },
    };
    // The folder's name pins the key, so a key known from elsewhere mends a damaged file.
    let known = pair
        .as_ref()
        .map(|pair| pair.public)
        .or(selector.public_key())
        .or(stored);
    match known.filter(|key| key.discovery_key() == discovery_key) {
        Some(public) => Ok(Some(Identity { public, pair })),
        None => Err(damaged(KEY)),
    }
}

/// Writes what is missing of the files that say whose the core is, and returns those written:
/// they are not synced yet.
pub(crate) fn store(
    dir: &dyn StorageDir,
    selector: &Selector,
    identity: &Identity,
) -> io::Result<Vec<Arc<dyn Storage>>> {
    let mut written = Vec::new();
    let mut put = |name: &str, bytes: &[u8]| -> io::Result<()> {
        if read(dir, name, bytes.len() + 1)?.is_none_or(|stored| *stored != bytes) {
            let file = dir.open(name, OpenMode::Create)?;
            file.truncate(0)?;
            file.write(0, bytes)?;
            written.push(file);
        }
        Ok(())
    };
    put(KEY, identity.public.as_bytes())?;
    match selector {
        Selector::Name(name, _) => put(NAME, &encode_name(name))?,
        // A name says as much as the secret key, and a core has one of them.
        Selector::Pair(pair) if !matches!(read_name(dir)?, Name::Is(_)) => {
            put(SECRET_KEY, pair.secret.as_bytes())?;
        }
        _ => {}
    }
    Ok(written)
}

/// Reads up to `limit` bytes from the start of a file, `None` if there is no such file.
fn read(dir: &dyn StorageDir, name: &str, limit: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let file = match dir.open(name, OpenMode::ReadOnly) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let len = usize::try_from(file.len()?).map_or(limit, |len| len.min(limit));
    let mut bytes = Zeroizing::new(vec![0; len]);
    file.read(0, &mut bytes)?;
    Ok(Some(bytes))
}

enum Name {
    Absent,
    Damaged,
    Is(Zeroizing<Vec<u8>>),
}

fn read_name(dir: &dyn StorageDir) -> io::Result<Name> {
    Ok(
        match read(dir, NAME, MAX_NAME_BYTES + MAX_VARINT_BYTES + 1)? {
            None => Name::Absent,
            Some(record) => match decode_name(&record) {
                Some(name) => Name::Is(Zeroizing::new(name.to_vec())),
                None => Name::Damaged,
            },
        },
    )
}

/// A name with its length in front, as a varint.
fn encode_name(name: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(name.len() + MAX_VARINT_BYTES);
    let mut rest = name.len();
    while rest >= 0x80 {
        record.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    record.push(rest.to_le_bytes()[0]);
    record.extend_from_slice(name);
    record
}

/// The name of a record, if its length is exactly what the record says.
fn decode_name(record: &[u8]) -> Option<&[u8]> {
    let mut len = 0;
    for (at, byte) in record.iter().take(MAX_VARINT_BYTES).enumerate() {
        len |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            let name = &record[at + 1..];
            return (name.len() == len && len > 0).then_some(name);
        }
    }
    None
}

/// Three bytes of varint reach 2 MiB, which is beyond [`MAX_NAME_BYTES`].
const MAX_VARINT_BYTES: usize = 3;

/// The pair of a stored secret key, if it is the one of this core. The first half, the seed, is
/// enough: the second is the public key again.
fn secret_pair(bytes: &[u8], discovery_key: &DiscoveryKey) -> Option<KeyPair> {
    let seed: &[u8; 32] = bytes.first_chunk()?;
    Some(KeyPair::from_seed(seed)).filter(|pair| pair.public.discovery_key() == *discovery_key)
}
