use std::io;

use hypercore_crypto::DiscoveryKey;

/// Why a store could not be opened. Nothing in the directory has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another store, of this process or another, has the directory open.
    #[error(
        "the storage directory is in use{}: stop that program, or choose another directory",
        .holder.map(|id| format!(" by process {id}")).unwrap_or_default()
    )]
    Locked {
        /// The id of the process that has it open, where that could be learned.
        holder: Option<u32>,
    },
    /// The master key is cut short or blank, and cores that it wrote are here. Making another
    /// would lose write access to them.
    #[error(
        "the master key is damaged ({size} bytes of 32): restore the file `master_key` from a backup"
    )]
    MasterKey {
        /// The size of the file in bytes.
        size: u64,
    },
    /// The storage, or the system's source of randomness, failed.
    #[error("storage failed")]
    Storage(#[from] io::Error),
}

/// Why a core could not be opened. Nothing that is stored of it was lost.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GetError {
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Somebody else has the core open, a Node program perhaps.
    #[error("core {} is in use by another program: stop it and try again", short(.discovery_key))]
    Locked {
        /// Which core.
        discovery_key: DiscoveryKey,
    },
    /// The core was made under another master key.
    #[error(
        "core {} was made under another master key: restore the file `master_key` that belongs to \
         this directory",
        short(.discovery_key)
    )]
    WrongMasterKey {
        /// Which core.
        discovery_key: DiscoveryKey,
    },
    /// A file that says whose the core is does not fit the core.
    #[error("core {}: the file `{file}` is damaged: restore it from a backup", short(.discovery_key))]
    Damaged {
        /// Which core.
        discovery_key: DiscoveryKey,
        /// Which of its files.
        file: &'static str,
    },
    /// A name must have between 1 and 65,536 bytes.
    #[error(
        "a core's name has 1 to {} bytes, not {size}",
        crate::identity::MAX_NAME_BYTES
    )]
    Name {
        /// The size of the name in bytes.
        size: usize,
    },
    /// The log itself could not be opened.
    #[error("core {} cannot be opened", short(.discovery_key))]
    Log {
        /// Which core.
        discovery_key: DiscoveryKey,
        /// Why not.
        source: hypercore::OpenError,
    },
    /// The storage, or the system's source of randomness, failed.
    #[error("storage failed")]
    Storage(#[from] io::Error),
}

fn short(key: &DiscoveryKey) -> String {
    crate::layout::hex(&key.as_bytes()[..4])
}
