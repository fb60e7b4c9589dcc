use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hypercore_crypto::PublicKey;
use hyperdrive::mirror::{
    Export, ExportOptions, Exported, Import, ImportOptions, Imported, MirrorError, Progress,
    Written,
};
use hyperdrive::{Drive, Options};

use crate::folders::{Folder, Folders};
use crate::{FolderFault, Node, NodeError, Root, Session, Watch};

/// Checks that a folder can be shared from a storage root, and returns its real path.
pub fn shareable(root: &Root, folder: &Path) -> Result<PathBuf, NodeError> {
    let refused = |fault| NodeError::Folder {
        path: folder.to_owned(),
        fault,
    };
    let unread = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => refused(FolderFault::Missing),
        _ => refused(FolderFault::Io(error)),
    };
    let real = folder.canonicalize().map_err(unread)?;
    if !fs::metadata(&real).map_err(unread)?.is_dir() {
        return Err(refused(FolderFault::NotAFolder));
    }
    // Secret keys are in there. A storage inside the folder is another matter: it is left out.
    if real.starts_with(root.real_path()) {
        return Err(refused(FolderFault::Storage));
    }
    Ok(real)
}

impl Node {
    /// Brings a folder into its drive, which is made the first time, and tells the drive's key.
    /// Only what changed since the last time is written, in the manner that `options` say. The storage
    /// is left out if it is inside.
    ///
    /// The node must hold the storage. Dropping the future leaves a part of the changes in the
    /// drive, each of them whole; the next import does the rest.
    pub async fn import(
        &self,
        folder: &Path,
        options: ImportOptions,
        told: impl FnMut(Progress),
    ) -> Result<(PublicKey, Imported), NodeError> {
        let root = &self.inner.root;
        let real = shareable(root, folder)?;
        let storage = |source| self.inner.storage_error(source);
        let shared = Folders::shared(&root.settings());
        let (drive, before) = self.shared_drive(&shared, &real).await?;
        let options = options.exclude(root.real_path());
        let import = Import::plan(&real, &drive, before, &options)
            .await
            .map_err(unshared)?;
        // Kept before the run: if that is cut short, the next import knows what is its own.
        shared
            .put_written(&real, &import.written())
            .map_err(storage)?;
        let imported = import.run(told).await.map_err(unshared)?;
        drive.flush()?;
        self.inner.join(&drive, true);
        shared
            .put_written(&real, &imported.written)
            .map_err(storage)?;
        Ok((drive.key(), imported))
    }

    /// Watches a folder that is shared from now on.
    pub fn watch(&self, folder: &Path) -> Result<Watch, NodeError> {
        Watch::start(folder, &self.inner.root)
    }

    /// The drive of a shared folder, and what earlier imports wrote into it.
    async fn shared_drive(
        &self,
        shared: &Folders,
        real: &Path,
    ) -> Result<(Drive, Written), NodeError> {
        let storage = |source| self.inner.storage_error(source);
        let known = shared.get(real).map_err(storage)?;
        let namespace = match known.as_ref().and_then(|known| known.namespace.clone()) {
            Some(namespace) => namespace,
            None => {
                let mut random = [0; 32];
                getrandom::fill(&mut random).map_err(|error| storage(io::Error::other(error)))?;
                hex::encode(random)
            }
        };
        let mut record = Folder {
            folder: real.display().to_string(),
            key: None,
            namespace: Some(namespace.clone()),
        };
        if known.is_none() {
            // Before the drive exists, or it could be made and then forgotten.
            shared.put(real, &record).map_err(storage)?;
        }
        let store = self.inner.store.namespace(namespace.as_str());
        let drive = Drive::create(&store, Options::new()).await?;
        self.inner.exchange_lookups(&drive);
        record.key = Some(hex::encode(drive.key().as_bytes()));
        let written = if known.as_ref() == Some(&record) {
            shared.written(real).map_err(storage)?
        } else {
            // A new drive, perhaps because the store was replaced under the settings.
            shared.put(real, &record).map_err(storage)?;
            Written::new()
        };
        Ok((drive, written))
    }
}

impl Session {
    /// Writes the version looked at into a folder, which is made if it is missing, and drives that are
    /// mounted in it as folders. Files in the way
    /// that no earlier export wrote stay, unless `force` says otherwise.
    ///
    /// Dropping the future leaves some files written, each of them whole; the next export does the
    /// rest.
    pub async fn export(
        &self,
        folder: &Path,
        force: bool,
        told: impl FnMut(Progress),
    ) -> Result<Exported, NodeError> {
        let storage = |source| self.inner.storage_error(source);
        let real = crate::root::real_path(folder);
        let cloned = Folders::cloned(&self.inner.root.settings());
        let record = Folder {
            folder: real.display().to_string(),
            key: Some(hex::encode(self.key().as_bytes())),
            namespace: None,
        };
        // What another drive left in the folder is not this one's to replace.
        let before = match cloned.get(&real).map_err(storage)? {
            Some(known) if known == record => cloned.written(&real).map_err(storage)?,
            _ => Written::new(),
        };
        // What nobody has of the drives that are mounted in it is named by the export.
        self.reach_below("/").await?;
        self.note_mounted();
        let options = ExportOptions::new().force(force).mounts(true);
        let plan = Export::plan(&self.view, &real, before, options);
        let export = self.wait("the drive's paths", plan).await?;
        cloned
            .put_written(&real, &export.written())
            .map_err(storage)?;
        cloned.put(&real, &record).map_err(storage)?;
        // The peers of the content join a moment after those of the paths; without them all content
        // would look as if nobody had it.
        let mut drives = self.drive.reached();
        drives.retain(|drive| drive.metadata().length() > 0);
        for drive in drives {
            if let Ok(content) = self.wait("the drive's header", drive.content()).await {
                self.inner
                    .refresh_content(&drive, &content, self.patience)
                    .await;
            }
        }
        let exported = self.wait("a file's content", export.run(told)).await?;
        cloned
            .put_written(&real, &exported.written)
            .map_err(storage)?;
        Ok(exported)
    }
}

/// An error of an import.
fn unshared(error: MirrorError) -> NodeError {
    match error {
        MirrorError::Drive(error) => NodeError::Drive(error),
        MirrorError::Folder { path, error } => NodeError::Folder {
            path,
            fault: FolderFault::Io(error),
        },
        error => NodeError::Damaged(error.to_string()),
    }
}

/// An error of an export.
impl From<MirrorError> for NodeError {
    fn from(error: MirrorError) -> Self {
        match error {
            MirrorError::Drive(error) => Self::Drive(error),
            MirrorError::Folder { path, error } => Self::Target {
                path,
                source: error,
            },
            error => Self::Damaged(error.to_string()),
        }
    }
}
