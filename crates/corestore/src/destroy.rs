//! Removing all that is stored of a core.

use std::io;
use std::sync::atomic::Ordering;

use hypercore_crypto::DiscoveryKey;
use hypercore_storage::{OpenMode, StorageDir};

use crate::corestore::{Corestore, Inner};
use crate::identity;
use crate::layout::{BITFIELD, DESTROYED, NAME, SECRET_KEY};
use crate::{GetError, layout};

impl Corestore {
    /// Closes a core, whoever holds it, and removes everything that is stored of it, its secret key
    /// too. A core that is not here stays so.
    ///
    /// What its author signed may live on with others, and a second history under the same key would
    /// be evidence against the author. So of a core that could be written a file `destroyed` stays,
    /// and from then on it is one of somebody else's here: opened again, also by its name or its key
    /// pair, it can be fetched from peers, and not be written.
    ///
    /// Fails with [`GetError::Locked`] if another program has the core open. A power cut leaves the core
    /// as it was or lets the next opening finish the removal.
    pub fn destroy(&self, key: &DiscoveryKey) -> Result<(), GetError> {
        self.inner().destroy(key)
    }
}

impl Inner {
    fn destroy(&self, key: &DiscoveryKey) -> Result<(), GetError> {
        let _open = self.store_lock()?;
        self.registry.closed(key, || {
            let dir = self.folder(key);
            // Looked at first, since locking creates files.
            if dir.list("")?.is_empty() {
                return Ok(());
            }
            let lock = match dir.lock(BITFIELD) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let discovery_key = *key;
                    return Err(GetError::Locked { discovery_key });
                }
                lock => lock?,
            };
            let own = dir.exists(NAME)?
                || dir.exists(SECRET_KEY)?
                || dir.exists(layout::RESTORED)?
                || State::read(&*dir)?.is_some_and(State::is_own);
            State::Removing { own }.write(&*dir)?;
            self.changed.fetch_add(1, Ordering::Relaxed);
            finish(&*dir)?;
            drop(lock);
            dir.remove(BITFIELD)?;
            Ok(dir.sync()?)
        })
    }
}

/// Whether a core was destroyed here that could be written. Ends a removal that was cut short.
pub(crate) fn was_own(dir: &dyn StorageDir) -> io::Result<bool> {
    let state = State::read(dir)?;
    if matches!(state, Some(State::Removing { .. })) {
        finish(dir)?;
    }
    Ok(state.is_some_and(State::is_own))
}

/// Removes what a mark says is to be removed. Only the file that is locked stays, with nothing in it.
fn finish(dir: &dyn StorageDir) -> io::Result<()> {
    let Some(State::Removing { own }) = State::read(dir)? else {
        return Ok(());
    };
    for name in dir.list("")? {
        match name.as_str() {
            DESTROYED => {}
            BITFIELD => dir.open(BITFIELD, OpenMode::Existing)?.truncate(0)?,
            name => dir.remove(name)?,
        }
    }
    dir.sync()?;
    match own {
        true => State::Gone.write(dir),
        false => {
            dir.remove(DESTROYED)?;
            dir.sync()
        }
    }
}

/// What the file `destroyed` says, in one byte.
#[derive(Clone, Copy)]
enum State {
    /// Whatever else is in the folder is to be removed.
    Removing {
        /// Whether the core could be written.
        own: bool,
    },
    /// It is removed, and could be written. What is in the folder came from others since.
    Gone,
}

impl State {
    fn is_own(self) -> bool {
        matches!(self, Self::Removing { own: true } | Self::Gone)
    }

    fn read(dir: &dyn StorageDir) -> io::Result<Option<Self>> {
        let Some(bytes) = identity::read(dir, DESTROYED, 1)? else {
            return Ok(None);
        };
        Ok(Some(match bytes.first() {
            Some(b'o') => Self::Removing { own: true },
            Some(b'r') => Self::Removing { own: false },
            Some(_) => Self::Gone,
            // The byte did not become durable, so nothing was removed yet.
            None => return Ok(None),
        }))
    }

    fn write(self, dir: &dyn StorageDir) -> io::Result<()> {
        let byte = match self {
            Self::Removing { own: true } => b'o',
            Self::Removing { own: false } => b'r',
            Self::Gone => b'g',
        };
        let file = dir.open(DESTROYED, OpenMode::Create)?;
        file.write(0, &[byte])?;
        file.sync()?;
        dir.sync()
    }
}
