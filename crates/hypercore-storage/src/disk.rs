use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::disk::file::DiskFile;
use crate::{Lock, OpenMode, Storage, StorageDir, name};

mod file;
mod sys;

/// Files below a directory on disk. Clones share it.
///
/// Nothing is created before the first file is. What is created is the user's alone: folders have
/// mode 0700 and files 0600 (on Unix), since keys lie among them.
#[derive(Clone, Debug)]
pub struct DiskDir {
    prefix: String,
    root: Arc<Root>,
}

impl DiskDir {
    /// The directory `path`, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let root = Root {
            path: path.into(),
            touched: Mutex::default(),
            syncing: Mutex::default(),
        };
        Self {
            prefix: String::new(),
            root: Arc::new(root),
        }
    }

    /// Where the directory is on disk.
    pub fn path(&self) -> PathBuf {
        self.root.path.join(&self.prefix)
    }

    fn resolve(&self, name: &str) -> io::Result<PathBuf> {
        let name = name::join(&self.prefix, name);
        name::check(&name)?;
        Ok(self.root.path.join(name))
    }
}

impl StorageDir for DiskDir {
    fn open(&self, name: &str, mode: OpenMode) -> io::Result<Arc<dyn Storage>> {
        let path = self.resolve(name)?;
        let writable = mode != OpenMode::ReadOnly;
        let file = match OpenOptions::new().read(true).write(writable).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && mode == OpenMode::Create => {
                self.root.create(&path)?
            }
            opened => opened?,
        };
        if file.metadata()?.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(Arc::new(DiskFile::new(file, writable)))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.resolve(name)?;
        fs::remove_file(&path)?;
        self.root.touch(&path);
        Ok(())
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        match fs::metadata(self.resolve(name)?) {
            Ok(found) => Ok(found.is_file()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn list(&self, name: &str) -> io::Result<Vec<String>> {
        let name = name::join(&self.prefix, name);
        name::check_folder(&name)?;
        let entries = match fs::read_dir(self.root.path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            // No name of ours is anything but UTF-8; what is not is somebody else's.
            names.extend(entry?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn sync(&self) -> io::Result<()> {
        self.root.sync()
    }

    fn lock(&self, name: &str) -> io::Result<Lock> {
        let path = self.resolve(name)?;
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.root.create(&path)?,
            opened => opened?,
        };
        file.try_lock()?;
        Ok(Lock::new(file))
    }

    fn subdir(&self, name: &str) -> Arc<dyn StorageDir> {
        // A bad name cannot be reported here; it stays in the prefix, and every call checks that.
        let name = if name.is_empty() { "." } else { name };
        Arc::new(Self {
            prefix: name::join(&self.prefix, name),
            root: self.root.clone(),
        })
    }
}

#[derive(Debug)]
struct Root {
    path: PathBuf,
    /// Folders with entries that were created or removed since they were last synced.
    touched: Mutex<BTreeSet<PathBuf>>,
    /// Held while folders are synced, so that a second caller returns only when they are.
    syncing: Mutex<()>,
}

impl Root {
    /// Creates a file and the folders above it.
    fn create(&self, path: &Path) -> io::Result<File> {
        if let Some(folder) = path.parent() {
            self.create_folder(folder)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = sys::private_file(&mut options).open(path)?;
        self.touch(path);
        Ok(file)
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        let missing: Vec<&Path> = folder
            .ancestors()
            .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
            .collect();
        sys::private_folder().recursive(true).create(folder)?;
        for path in missing {
            self.touch(path);
        }
        Ok(())
    }

    /// Notes that the entry `path` came or went.
    fn touch(&self, path: &Path) {
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        if !touched.contains(folder) {
            touched.insert(folder.to_owned());
        }
    }

    fn sync(&self) -> io::Result<()> {
        let _alone = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        let touched = || self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        let mut folders = std::mem::take(&mut *touched());
        while let Some(folder) = folders.pop_first() {
            match sys::sync_folder(&folder) {
                // Removed meanwhile, by somebody else: its own entry is not ours to keep.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    folders.insert(folder);
                    touched().append(&mut folders);
                    return Err(error);
                }
                Ok(()) => {}
            }
        }
        Ok(())
    }
}
