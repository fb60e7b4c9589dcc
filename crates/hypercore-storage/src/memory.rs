use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::file::MemoryFile;
use crate::{Lock, OpenMode, Storage, StorageDir, name};

mod file;

/// Files in memory. Clones share them.
///
/// Holes cost nothing: only pages that were written take memory. Syncing does nothing, since there
/// is nothing that would survive a crash.
#[derive(Clone, Debug, Default)]
pub struct MemoryDir {
    prefix: String,
    world: Arc<Mutex<World>>,
}

#[derive(Debug, Default)]
struct World {
    files: BTreeMap<String, Arc<MemoryFile>>,
    locked: BTreeSet<String>,
}

impl MemoryDir {
    /// An empty directory.
    pub fn new() -> Self {
        Self::default()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn resolve(&self, name: &str) -> io::Result<String> {
        name::check(name)?;
        let name = name::join(&self.prefix, name);
        name::check(&name)?;
        Ok(name)
    }
}

impl World {
    fn open(&mut self, name: &str, create: bool) -> io::Result<Arc<MemoryFile>> {
        if let Some(file) = self.files.get(name) {
            return Ok(file.clone());
        }
        if self.is_folder(name) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let above = name.match_indices('/').map(|(end, _)| &name[..end]);
        if above
            .into_iter()
            .any(|folder| self.files.contains_key(folder))
        {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        if !create {
            return Err(io::ErrorKind::NotFound.into());
        }
        let file = Arc::new(MemoryFile::default());
        self.files.insert(name.to_owned(), file.clone());
        Ok(file)
    }

    /// A folder is there as long as a file is below it.
    fn is_folder(&self, name: &str) -> bool {
        let below = format!("{name}/");
        self.files
            .range(below.clone()..)
            .next()
            .is_some_and(|(path, _)| path.starts_with(&below))
    }
}

impl StorageDir for MemoryDir {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn Storage>> {
        let name = self.resolve(name)?;
        let file = self.world().open(&name, mode == OpenMode::Create)?;
        Ok(match mode {
            OpenMode::ReadOnly => Arc::new(file::ReadOnly(file)),
            OpenMode::Create | OpenMode::Existing => file,
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let name = self.resolve(name)?;
        match self.world().files.remove(&name) {
            Some(_) => Ok(()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        let name = self.resolve(name)?;
        Ok(self.world().files.contains_key(&name))
    }

    fn list(&self, name: &str) -> io::Result<Vec<String>> {
        let folder = name::join(&self.prefix, name);
        name::check_folder(&folder)?;
        let below = if folder.is_empty() {
            folder
        } else {
            format!("{folder}/")
        };
        let world = self.world();
        let names: BTreeSet<&str> = world
            .files
            .range(below.clone()..)
            .map_while(|(path, _)| path.strip_prefix(&below))
            .filter_map(|rest| rest.split('/').next())
            .collect();
        Ok(names.into_iter().map(str::to_owned).collect())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, name: &str) -> io::Result<Lock> {
        let name = self.resolve(name)?;
        let mut world = self.world();
        world.open(&name, true)?;
        if !world.locked.insert(name.clone()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Lock::new(Held {
            name,
            world: self.world.clone(),
        }))
    }

    fn subdir(&self, name: &str) -> Arc<dyn StorageDir> {
        // A bad name cannot be reported here; it stays in the prefix, and every call checks that.
        let name = if name.is_empty() { "." } else { name };
        Arc::new(Self {
            prefix: name::join(&self.prefix, name),
            world: self.world.clone(),
        })
    }
}

#[derive(Debug)]
struct Held {
    name: String,
    world: Arc<Mutex<World>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.world
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .locked
            .remove(&self.name);
    }
}
