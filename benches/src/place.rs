//! Where a bench keeps what it makes.

use std::sync::Arc;

use hypercore_storage::{DiskDir, MemoryDir, StorageDir};
use tempfile::TempDir;

/// The storages that a layer is measured on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// What the layer itself computes.
    Memory,
    /// The same with files below the system's temporary directory.
    Disk,
}

impl Place {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Memory, Self::Disk];

    /// As it stands in a bench's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "disk",
        }
    }

    /// An empty directory.
    ///
    /// # Panics
    ///
    /// If the system gives no temporary directory.
    pub fn fresh(self) -> Fresh {
        let (dir, guard): (Arc<dyn StorageDir>, _) = match self {
            Self::Memory => (Arc::new(MemoryDir::new()), None),
            Self::Disk => {
                let guard = tempfile::tempdir().expect("a temporary directory can be made");
                (Arc::new(DiskDir::new(guard.path())), Some(guard))
            }
        };
        Fresh { dir, _guard: guard }
    }
}

/// A directory that is removed when this is dropped.
#[derive(Debug)]
pub struct Fresh {
    dir: Arc<dyn StorageDir>,
    _guard: Option<TempDir>,
}

impl Fresh {
    /// The directory; the same one each time.
    pub fn dir(&self) -> Arc<dyn StorageDir> {
        Arc::clone(&self.dir)
    }
}
