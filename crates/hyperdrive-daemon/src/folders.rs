use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hypercore_crypto::leaf_hash;
use hyperdrive::mirror::Written;
use serde::{Deserialize, Serialize};

use crate::record;

/// What is remembered of folders that are mirrored: shared ones, or cloned ones.
///
/// Each folder has two files: a record, and the paths that belong to it on the other side. Of a
/// shared folder only whoever holds the store writes them.
#[derive(Clone, Debug)]
pub(crate) struct Folders {
    place: PathBuf,
}

/// One mirrored folder.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Folder {
    /// The folder as it is shown; may be lossy.
    pub(crate) folder: String,
    /// The drive's key in hex, once the drive exists.
    pub(crate) key: Option<String>,
    /// Of a shared folder: names the drive's cores, 32 random bytes in hex.
    pub(crate) namespace: Option<String>,
}

impl Folders {
    /// The folders that are shared.
    pub(crate) fn shared(settings: &Path) -> Self {
        Self {
            place: settings.join("shares"),
        }
    }

    /// The folders that drives were cloned into.
    pub(crate) fn cloned(settings: &Path) -> Self {
        Self {
            place: settings.join("clones"),
        }
    }

    /// What is known of a folder, given by its real path.
    pub(crate) fn get(&self, folder: &Path) -> io::Result<Option<Folder>> {
        record::load(&self.path(folder, "json"))
    }

    pub(crate) fn put(&self, folder: &Path, known: &Folder) -> io::Result<()> {
        record::save(&self.path(folder, "json"), known)
    }

    /// What belongs to the folder on the other side. A file that cannot be read any more is an
    /// error: taking it for empty would leave behind, without a word, what was mirrored before.
    pub(crate) fn written(&self, folder: &Path) -> io::Result<Written> {
        Ok(record::load(&self.path(folder, "written.json"))?.unwrap_or_default())
    }

    pub(crate) fn put_written(&self, folder: &Path, written: &Written) -> io::Result<()> {
        record::save(&self.path(folder, "written.json"), written)
    }

    /// Forgets the folders that belong to a drive, given by its key in hex.
    pub(crate) fn forget(&self, key: &str) -> io::Result<()> {
        let listing = match fs::read_dir(&self.place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            listing => listing?,
        };
        for entry in listing {
            let path = entry?.path();
            let name = path.file_name().and_then(OsStr::to_str);
            let Some(hash) = name.and_then(|name| name.strip_suffix(".json")) else {
                continue;
            };
            if hash.ends_with(".written") {
                continue;
            }
            let record: Option<Folder> = record::load(&path)?;
            if record.is_some_and(|record| record.key.as_deref() == Some(key)) {
                let written = self.place.join(format!("{hash}.written.json"));
                match fs::remove_file(written) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => fs::remove_file(path)?,
                }
            }
        }
        Ok(())
    }

    fn path(&self, folder: &Path, ending: &str) -> PathBuf {
        // Paths may be long and need not be UTF-8; a hash is neither.
        let hash = leaf_hash(folder.as_os_str().as_encoded_bytes());
        self.place
            .join(format!("{}.{ending}", hex::encode(&hash.as_bytes()[..16])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_folder_has_its_own_record() {
        let dir = tempfile::tempdir().unwrap();
        let shared = Folders::shared(dir.path());
        let (one, other) = (Path::new("/photos"), Path::new("/photos/2021"));
        assert_eq!(shared.get(one).unwrap(), None);
        let known = Folder {
            folder: "/photos".into(),
            key: None,
            namespace: Some("ab".repeat(32)),
        };
        shared.put(one, &known).unwrap();
        let written: Written = serde_json::from_str(r#"{"paths":["a"]}"#).unwrap();
        shared.put_written(one, &written).unwrap();
        assert_eq!(shared.get(one).unwrap(), Some(known));
        assert_eq!(shared.written(one).unwrap(), written);
        assert_eq!(shared.get(other).unwrap(), None);
        assert!(shared.written(other).unwrap().is_empty());
        assert_eq!(Folders::cloned(dir.path()).get(one).unwrap(), None);
    }

    #[test]
    fn the_folders_of_a_drive_are_forgotten_and_others_stay() {
        let dir = tempfile::tempdir().unwrap();
        let shared = Folders::shared(dir.path());
        shared.forget("ab").unwrap();
        for (folder, key) in [("/a", "ab"), ("/b", "cd"), ("/c", "ab")] {
            let known = Folder {
                folder: folder.into(),
                key: Some(key.into()),
                namespace: None,
            };
            shared.put(Path::new(folder), &known).unwrap();
            let written: Written = serde_json::from_str(r#"{"paths":["a"]}"#).unwrap();
            shared.put_written(Path::new(folder), &written).unwrap();
        }
        shared.forget("ab").unwrap();
        for (folder, stays) in [("/a", false), ("/b", true), ("/c", false)] {
            let folder = Path::new(folder);
            assert_eq!(shared.get(folder).unwrap().is_some(), stays);
            assert_eq!(!shared.written(folder).unwrap().is_empty(), stays);
        }
    }
}
