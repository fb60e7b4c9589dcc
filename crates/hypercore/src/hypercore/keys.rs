//! The files `key` and `secret_key`.

use std::io;
use std::sync::Arc;

use hypercore_crypto::{KeyPair, PublicKey, SecretKey};
use hypercore_storage::{Lock, OpenMode, StorageDir};

use crate::{OpenError, Options, Signer};

/// What is known about a log's keys.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) public: PublicKey,
    pub(super) secret: Option<SecretKey>,
    has_key_file: bool,
    has_secret_file: bool,
}

impl Keys {
    /// Those of a log that is named by its content later.
    pub(super) fn unnamed() -> Self {
        Self {
            public: PublicKey::from_bytes([0; 32]),
            secret: None,
            has_key_file: true,
            has_secret_file: true,
        }
    }

    /// Who signs, if the log may be written.
    pub(super) fn signer(&self, options: &Options) -> Option<Arc<dyn Signer>> {
        let given = options.signer.clone().filter(|_| !options.read_only);
        given.or_else(|| {
            let secret = self.secret.clone()?;
            let public = self.public;
            Some(Arc::new(KeyPair { public, secret }))
        })
    }
}

/// Takes the lock, and removes what is there if it is to be written over. The file that is locked
/// stays.
pub(super) fn prepare(dir: &dyn StorageDir, options: &Options) -> Result<Option<Lock>, OpenError> {
    if options.read_only {
        return Ok(None);
    }
    let lock = options.lock.then(|| lock(dir)).transpose()?;
    if options.overwrite {
        remove(dir, FILES)?;
        match dir.open(LOCKED, OpenMode::Existing) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => opened?.truncate(0)?,
        }
    }
    Ok(lock)
}

/// Writes the file `key`.
pub(super) fn store_public(dir: &dyn StorageDir, key: &PublicKey) -> io::Result<()> {
    let file = dir.open("key", OpenMode::Create)?;
    file.write(0, key.as_bytes())?;
    file.sync()
}

/// Removes every file of a log.
pub(super) fn remove_files(dir: &dyn StorageDir) -> io::Result<()> {
    remove(dir, FILES)?;
    remove(dir, &[LOCKED])
}

fn remove(dir: &dyn StorageDir, names: &[&str]) -> io::Result<()> {
    for name in names {
        match dir.remove(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed?,
        }
    }
    dir.sync()
}

/// The reference's files and ours, but for the one that is locked.
const FILES: &[&str] = &[
    "journal",
    "fork",
    "data",
    "signatures",
    "tree",
    "secret_key",
    "key",
];
const LOCKED: &str = "bitfield";

/// Takes the log's own lock.
fn lock(dir: &dyn StorageDir) -> Result<Lock, OpenError> {
    dir.lock(LOCKED).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => OpenError::Locked,
        _ => OpenError::Storage(error),
    })
}

/// Puts together what the files and the caller say. Failing to read a file is not the same as its
/// absence, and nothing is written yet.
pub(super) fn find(dir: &dyn StorageDir, options: &Options) -> Result<Keys, OpenError> {
    let stored = read::<32>(dir, "key")?.map(PublicKey::from_bytes);
    if let (Some(stored), Some(asked)) = (stored, options.key)
        && stored != asked
    {
        return Err(OpenError::OtherLog { stored, asked });
    }
    let stored_secret = read::<64>(dir, "secret_key")?;
    let pair = match (&options.pair, stored_secret) {
        (Some(pair), _) if pair.secret.public_key() != pair.public => {
            return Err(OpenError::SecretMismatch);
        }
        (Some(pair), _) => Some(pair.clone()),
        (None, Some(bytes)) => {
            let expected = stored.or(options.key);
            let pair = KeyPair::from_secret(&bytes, expected.as_ref())
                .map_err(|_| OpenError::SecretMismatch)?;
            Some(pair)
        }
        (None, None) => None,
    };
    let known = stored
        .or(options.key)
        .or(pair.as_ref().map(|pair| pair.public));
    let public = known.ok_or(OpenError::MissingKey)?;
    if stored.is_none() && !options.create && is_empty(dir)? {
        return Err(OpenError::NotFound);
    }
    Ok(Keys {
        public,
        secret: pair.filter(|_| !options.read_only).map(|pair| pair.secret),
        has_key_file: stored.is_some(),
        has_secret_file: stored_secret.is_some(),
    })
}

/// Writes what is not yet on disk.
pub(super) fn store(dir: &dyn StorageDir, options: &Options, keys: &Keys) -> io::Result<()> {
    if options.read_only {
        return Ok(());
    }
    let secret = keys
        .secret
        .as_ref()
        .filter(|_| options.store_secret && !keys.has_secret_file);
    if let Some(secret) = secret {
        let file = dir.open("secret_key", OpenMode::Create)?;
        file.write(0, secret.as_bytes())?;
        file.sync()?;
    }
    if !keys.has_key_file {
        store_public(dir, &keys.public)?;
    }
    Ok(())
}

fn is_empty(dir: &dyn StorageDir) -> io::Result<bool> {
    Ok(!dir.exists("tree")? && !dir.exists("signatures")?)
}

/// Reads a file of exactly `N` bytes. A shorter one, whose write was cut off, counts as absent.
fn read<const N: usize>(dir: &dyn StorageDir, name: &str) -> io::Result<Option<[u8; N]>> {
    let file = match dir.open(name, OpenMode::ReadOnly) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    if file.len()? < N as u64 {
        return Ok(None);
    }
    let mut bytes = [0; N];
    file.read(0, &mut bytes)?;
    // What was never written reads as zero.
    Ok((bytes != [0; N]).then_some(bytes))
}
