use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use crate::{FolderFault, NodeError, Root, mirror};

/// Tells that something below a folder changed, once it has settled.
///
/// It does not tell what: whoever listens looks at the whole folder again, which costs one `stat` a
/// file and leaves no way to miss anything, not even when the system dropped events.
#[derive(Debug)]
pub struct Watch {
    /// At most one change waits here; more of them say nothing new.
    changes: mpsc::Receiver<()>,
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Starts to watch. Changes from now on are told, except those in the storage, which may be
    /// inside the folder: every import makes some.
    pub fn start(folder: &Path, root: &Root) -> Result<Self, NodeError> {
        let real = mirror::shareable(root, folder)?;
        Self::new(&real, root.real_path()).map_err(|error| NodeError::Folder {
            path: folder.to_owned(),
            fault: FolderFault::Unwatched(error.to_string()),
        })
    }

    fn new(folder: &Path, except: PathBuf) -> notify::Result<Self> {
        let (tell, changes) = mpsc::channel(1);
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                // An error may hide changes (an overflow does), so it counts as one.
                let elsewhere = |event: &notify::Event| {
                    event.paths.is_empty()
                        || event.paths.iter().any(|path| !path.starts_with(&except))
                };
                if event.map_or(true, |event| may_change(event.kind) && elsewhere(&event)) {
                    // A full channel holds the same news already.
                    let _ = tell.try_send(());
                }
            })?;
        watcher.watch(folder, RecursiveMode::Recursive)?;
        Ok(Self {
            changes,
            _watcher: watcher,
        })
    }

    /// Waits for a change, and then until nothing has changed for 300 ms, or 5 s have passed.
    /// Cancel-safe except for the change that it may have begun to settle.
    pub async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            // The watcher is gone, with it every further change.
            std::future::pending::<()>().await;
        }
        let latest = Instant::now() + PATIENCE;
        let quiet =
            async { while let Ok(Some(())) = timeout(SETTLE, self.changes.recv()).await {} };
        let _ = timeout_at(latest, quiet).await;
    }
}

/// Reading a file is an event too, and would make every import cause the next one.
fn may_change(kind: EventKind) -> bool {
    use notify::event::{AccessKind, AccessMode};
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}

/// How long nothing may change before the folder counts as settled.
const SETTLE: Duration = Duration::from_millis(300);

/// A folder that never settles is looked at this often.
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn the_storage_inside_is_not_watched() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        fs::create_dir(real.join("storage")).unwrap();
        let mut watch = Watch::start(&real, &Root::new(real.join("storage"))).unwrap();
        fs::write(real.join("storage/file"), "ours").unwrap();
        assert!(timeout(SETTLE, watch.changed()).await.is_err());
        fs::write(real.join("file"), "theirs").unwrap();
        watch.changed().await;
    }

    #[tokio::test]
    async fn a_new_file_deep_below_is_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        let mut watch = Watch::start(folder.path(), &Root::new("elsewhere")).unwrap();
        fs::write(folder.path().join("a/b/c"), "new").unwrap();
        watch.changed().await;
    }

    #[test]
    fn reading_is_no_change() {
        use notify::event::{AccessKind, AccessMode, CreateKind};
        assert!(!may_change(EventKind::Access(AccessKind::Open(
            AccessMode::Any
        ))));
        assert!(!may_change(EventKind::Access(AccessKind::Close(
            AccessMode::Read
        ))));
        assert!(may_change(EventKind::Access(AccessKind::Close(
            AccessMode::Write
        ))));
        assert!(may_change(EventKind::Create(CreateKind::File)));
        assert!(may_change(EventKind::Other));
    }
}
