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
    /// The directory belongs to another master key than the backup.
    #[error("the directory has another master key: restore into an empty one")]
    OtherMasterKey,
    /// The storage, or the system's source of randomness, failed.
    #[error("storage failed")]
    Storage(#[from] io::Error),
}

/// Why a restored core could not be made writable. It is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfirmError {
    /// Less of the core is known here than there is.
    #[error("{known} of the core's {length} blocks are known here: fetch it from a peer first")]
    Length {
        /// The length known here, in blocks.
        known: u64,
        /// The length that there is, in blocks.
        length: u64,
    },
    /// What the backup brought is damaged: restore again, into an empty directory.
    #[error("the core's file `restored` is damaged: restore the backup into an empty directory")]
    Damaged,
    /// The core could not be opened.
    #[error("the core could not be opened")]
    Get(#[from] GetError),
    /// The storage failed.
    #[error("storage failed")]
    Storage(#[source] io::Error),
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
