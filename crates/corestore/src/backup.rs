//! What must be kept elsewhere to go on writing a store's cores after its disk is gone.

use std::fmt;
use std::io;
use std::sync::Arc;

use hypercore_crypto::{KeyPair, PublicKey, leaf_hash};
use hypercore_storage::{OpenMode, StorageDir};
use zeroize::Zeroizing;

use crate::identity::{self, Identity, MAX_NAME_BYTES, Name, Secret};
use crate::layout::{self, KEY, RESTORED, SECRET_KEY};
use crate::master_key::{self, StoreLock};
use crate::{ConfirmError, Corestore, OpenError};
use hypercore::Feed;

/// The secrets of a store: its master key, and the names and key pairs of its cores. Not what is
/// in the cores, which peers may have.
///
/// Who has it can write in the name of the store's owner. Memory is wiped when it is dropped.
#[derive(Clone)]
pub struct Backup {
    master_key: Zeroizing<[u8; 32]>,
    cores: Vec<Kept>,
}

#[derive(Clone)]
struct Kept {
    public: PublicKey,
    secret: KeptSecret,
}

#[derive(Clone)]
enum KeptSecret {
    Name(Zeroizing<Vec<u8>>),
    Seed(Zeroizing<[u8; 32]>),
}

/// Why bytes are no backup.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// They begin in another way.
    #[error("this is not the backup of a store")]
    NotABackup,
    /// They are cut short or changed.
    #[error("the backup is damaged")]
    Damaged,
}

impl Corestore {
    /// The secrets of the store, to be kept in a safe place. New cores need a new backup, but for
    /// those whose names are remembered.
    pub fn backup(&self) -> io::Result<Backup> {
        let (dir, master_key) = self.secrets();
        let mut cores = Vec::new();
        for core in self.list() {
            let public = core?.public_key();
            let folder = dir.subdir(&layout::folder(&public.discovery_key()));
            let secret = match KeptSecret::held_back(&*folder)? {
                Some(secret) => Some(secret),
                None => KeptSecret::stored(&*folder)?,
            };
            cores.extend(secret.map(|secret| Kept { public, secret }));
        }
        Ok(Backup { master_key, cores })
    }

    /// Writes the secrets of a backup into a directory where no store is open: a new one, or one
    /// that lost some of them. What is there stays. Gives the number of cores that were brought
    /// back.
    ///
    /// A core that comes back without its blocks cannot be written until
    /// [`confirm`](Self::confirm) is told its length: whoever appends to a log from memory of a
    /// shorter one splits it in two, and peers then trust neither.
    pub fn restore(dir: &Arc<dyn StorageDir>, backup: &Backup) -> Result<u64, OpenError> {
        let _lock = StoreLock::take(dir.clone())?;
        master_key::restore(dir, &backup.master_key)?;
        let mut restored = 0;
        for core in &backup.cores {
            restored += u64::from(core.restore(&**dir, &backup.master_key)?);
        }
        dir.sync()?;
        Ok(restored)
    }

    /// Lets a core that was [restored](Self::restore) be written again, now that its length is
    /// known: from the peers that have it, or because there was nothing in it. So many blocks must
    /// be known here, though they need not be stored.
    ///
    /// Handles on the core that were opened before are closed. Of a core that can be written
    /// already nothing is asked.
    pub fn confirm(&self, key: &PublicKey, length: u64) -> Result<Feed, ConfirmError> {
        let feed = self.get(key)?;
        let (dir, master_key) = self.secrets();
        let folder = dir.subdir(&layout::folder(&key.discovery_key()));
        if !folder.exists(RESTORED).map_err(ConfirmError::Storage)? {
            return Ok(feed);
        }
        let known = feed.length();
        if known < length {
            return Err(ConfirmError::Length { known, length });
        }
        feed.close().map_err(ConfirmError::Storage)?;
        let freed = KeptSecret::free(&*folder, key, &master_key);
        if !freed.map_err(ConfirmError::Storage)? {
            return Err(ConfirmError::Damaged);
        }
        Ok(self.get(key)?)
    }
}

impl Kept {
    /// False if the core is there already.
    fn restore(&self, dir: &dyn StorageDir, master_key: &[u8; 32]) -> io::Result<bool> {
        let folder = dir.subdir(&layout::folder(&self.public.discovery_key()));
        let known = [layout::NAME, SECRET_KEY, RESTORED];
        for file in known {
            if folder.exists(file)? && folder.exists(KEY)? {
                return Ok(false);
            }
        }
        let secret = if folder.exists(layout::TREE)? {
            self.secret.clone().into_secret(master_key)
        } else {
            self.secret.hold_back(&*folder)?;
            Secret::Unknown
        };
        let public = self.public;
        identity::store(&*folder, &Identity { public, secret })?;
        folder.sync()?;
        Ok(true)
    }

    fn is_genuine(&self, master_key: &[u8; 32]) -> bool {
        let secret = self.secret.clone().into_secret(master_key);
        secret.pair().is_some_and(|pair| pair.public == self.public)
    }
}

impl KeptSecret {
    /// What is stored beside a core's blocks.
    fn stored(folder: &dyn StorageDir) -> io::Result<Option<Self>> {
        if let Name::Is(name) = Name::read(folder)? {
            return Ok(Some(Self::Name(name)));
        }
        let stored = identity::read(folder, SECRET_KEY, 64)?;
        let seed = stored.and_then(|bytes| bytes.first_chunk::<32>().copied());
        Ok(seed.map(|seed| Self::Seed(Zeroizing::new(seed))))
    }

    /// What is stored of a core that cannot be written yet, in a file that no program takes for a
    /// secret.
    fn held_back(folder: &dyn StorageDir) -> io::Result<Option<Self>> {
        let stored = identity::read(folder, RESTORED, MAX_NAME_BYTES + 2)?;
        Ok(stored.and_then(|stored| Self::decode(*stored.first()?, stored.get(1..)?)))
    }

    fn hold_back(&self, folder: &dyn StorageDir) -> io::Result<()> {
        let (kind, secret) = self.parts();
        let mut bytes = Zeroizing::new(vec![kind]);
        bytes.extend_from_slice(secret);
        let file = folder.open(RESTORED, OpenMode::Create)?;
        file.write(0, &bytes)?;
        file.truncate(bytes.len() as u64)?;
        file.sync()
    }

    /// Puts what was held back where it belongs. False if it is damaged.
    fn free(
        folder: &dyn StorageDir,
        public: &PublicKey,
        master_key: &[u8; 32],
    ) -> io::Result<bool> {
        let secret = Self::held_back(folder)?.map(|secret| secret.into_secret(master_key));
        let pair = secret.as_ref().and_then(Secret::pair);
        let (Some(secret), true) = (&secret, pair.is_some_and(|pair| pair.public == *public))
        else {
            return Ok(false);
        };
        let (public, secret) = (*public, secret.clone());
        identity::store(folder, &Identity { public, secret })?;
        folder.sync()?;
        folder.remove(RESTORED)?;
        folder.sync()?;
        Ok(true)
    }

    fn decode(kind: u8, secret: &[u8]) -> Option<Self> {
        match kind {
            NAMED if (1..=MAX_NAME_BYTES).contains(&secret.len()) => {
                Some(Self::Name(Zeroizing::new(secret.to_vec())))
            }
            GIVEN => Some(Self::Seed(Zeroizing::new(secret.try_into().ok()?))),
            _ => None,
        }
    }

    fn parts(&self) -> (u8, &[u8]) {
        match self {
            Self::Name(name) => (NAMED, name),
            Self::Seed(seed) => (GIVEN, &seed[..]),
        }
    }

    fn into_secret(self, master_key: &[u8; 32]) -> Secret {
        match self {
            Self::Name(name) => {
                let pair = identity::derive(master_key, &name);
                Secret::Named(name, pair)
            }
            Self::Seed(seed) => Secret::Given(KeyPair::from_seed(&seed)),
        }
    }
}

impl Backup {
    /// How many cores it has secrets of.
    pub fn cores(&self) -> usize {
        self.cores.len()
    }

    /// The backup as bytes, described in `docs/formats/store.md`. They are as secret as it is.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(128 + 128 * self.cores.len()));
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&*self.master_key);
        for core in &self.cores {
            bytes.extend_from_slice(core.public.as_bytes());
            let (kind, secret) = core.secret.parts();
            bytes.push(kind);
            let length = u32::try_from(secret.len()).expect("names have a limit");
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(secret);
        }
        let sum = leaf_hash(&bytes);
        bytes.extend_from_slice(sum.as_bytes());
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) made. Every secret is held against its core's key.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BackupError> {
        if !bytes.starts_with(MAGIC) {
            return Err(BackupError::NotABackup);
        }
        let (body, sum) = bytes.split_last_chunk::<32>().ok_or(BackupError::Damaged)?;
        if leaf_hash(body).as_bytes() != sum {
            return Err(BackupError::Damaged);
        }
        let mut rest = body.get(MAGIC.len()..).ok_or(BackupError::Damaged)?;
        let backup = Self::read(&mut rest).ok_or(BackupError::Damaged)?;
        let genuine = |core: &Kept| core.is_genuine(&backup.master_key);
        match rest.is_empty() && backup.cores.iter().all(genuine) {
            true => Ok(backup),
            false => Err(BackupError::Damaged),
        }
    }

    fn read(rest: &mut &[u8]) -> Option<Self> {
        let mut backup = Self {
            master_key: Zeroizing::new(take(rest)?),
            cores: Vec::new(),
        };
        while !rest.is_empty() {
            let public = PublicKey::from_bytes(take(rest)?);
            let [kind] = take(rest)?;
            let length = usize::try_from(u32::from_le_bytes(take(rest)?)).ok()?;
            let secret = KeptSecret::decode(kind, rest.split_off(..length)?)?;
            backup.cores.push(Kept { public, secret });
        }
        Some(backup)
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}

impl fmt::Debug for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backup")
            .field("cores", &self.cores.len())
            .finish_non_exhaustive()
    }
}

const MAGIC: &[u8] = b"corestore backup 1\n";
const NAMED: u8 = 1;
const GIVEN: u8 = 2;
