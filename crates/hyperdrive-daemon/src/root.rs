use std::path::{Path, PathBuf};

/// The storage root: where keys, drives and settings lie on disk.
///
/// The layout is the reference daemon's as far as it has one. Nothing is created by naming a place.
///
/// ```text
/// storage/cores/        the store: one folder per core, and the master key
/// storage/db/           settings, one JSON file each
/// storage/node.json     who holds the store and where it answers; there while it runs
/// readers/<n>/          stores of programs that read while another holds the first one
/// ```
#[derive(Clone, Debug)]
pub struct Root {
    path: PathBuf,
}

impl Root {
    /// The root at `path`, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where the root is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the root really is, links resolved, as far as it exists.
    pub(crate) fn real_path(&self) -> PathBuf {
        real_path(&self.path)
    }

    pub(crate) fn cores(&self) -> PathBuf {
        self.path.join("storage").join("cores")
    }

    pub(crate) fn settings(&self) -> PathBuf {
        self.path.join("storage").join("db")
    }

    pub(crate) fn running(&self) -> PathBuf {
        self.path.join("storage").join("node.json")
    }

    /// Where the stores of readers are.
    pub(crate) fn readers(&self) -> PathBuf {
        self.path.join("readers")
    }

    /// The store of the reader number `n`.
    pub(crate) fn reader(&self, n: u32) -> PathBuf {
        self.readers().join(n.to_string())
    }
}

/// The real path of something of which only the first folders need to exist.
pub(crate) fn real_path(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for above in path.ancestors() {
        if let (Ok(real), Ok(below)) = (above.canonicalize(), path.strip_prefix(above)) {
            // Joining an empty path would add a slash.
            return if below.as_os_str().is_empty() {
                real
            } else {
                real.join(below)
            };
        }
    }
    path
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn links_are_resolved_as_far_as_there_is_something() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        std::fs::create_dir(real.join("there")).unwrap();
        std::os::unix::fs::symlink("there", real.join("link")).unwrap();
        assert_eq!(real_path(&real.join("link")), real.join("there"));
        assert_eq!(real_path(&real.join("link/a/b")), real.join("there/a/b"));
    }
}
