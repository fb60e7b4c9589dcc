//! From a path to the drive that holds it, through mounts.

use hypercore_crypto::PublicKey;
use hypertrie::{MAX_MOUNT_DEPTH, Mount};

use crate::lookup::{self, Entry, Links, Place, Step};
use crate::{Drive, DriveError, path};

/// The drive that holds an entry: the one that was asked, or one that is mounted in it.
#[derive(Clone, Debug)]
pub struct Holder {
    drive: Drive,
    /// The key at which it is mounted, as seen from the outer drive; empty for that one.
    at: String,
}

impl Holder {
    pub(crate) fn new(drive: Drive, at: String) -> Self {
        Self { drive, at }
    }

    /// The drive, in the version that is shown.
    pub fn drive(&self) -> &Drive {
        &self.drive
    }

    /// Where it is mounted in the drive that was asked; `/` if it is that one.
    pub fn mounted_at(&self) -> String {
        path::shown(&self.at)
    }

    /// The path in this drive of a path of the drive that was asked; `None` if it is not below the
    /// mount.
    pub fn inner_path(&self, path: &str) -> Option<String> {
        path::below(&path::clean(path), &self.at).map(path::shown)
    }

    pub(crate) fn at(&self) -> &str {
        &self.at
    }

    /// The key in the drive that was asked of a key in this one.
    pub(crate) fn outer(&self, key: &str) -> String {
        path::join(&self.at, key)
    }

    /// What must not come again below itself in a listing.
    pub(crate) fn identity(&self) -> (PublicKey, Option<u64>) {
        (self.drive.key(), self.drive.checked_out())
    }
}

/// Two are the same if they are the same version of the same drive at the same place.
impl PartialEq for Holder {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at && self.identity() == other.identity()
    }
}

impl Eq for Holder {}

/// Where a path leads, and which drive holds it.
#[derive(Debug)]
pub(crate) struct Spot {
    pub(crate) holder: Holder,
    pub(crate) place: Place,
}

impl Spot {
    /// The drive that holds it.
    pub(crate) fn drive(&self) -> &Drive {
        &self.holder.drive
    }

    /// Its key there.
    pub(crate) fn key(&self) -> &str {
        match &self.place {
            Place::Taken(entry) => &entry.key,
            Place::Free { key } => key,
        }
    }

    /// What came of something done there, as whoever asked the outer drive is to see it.
    pub(crate) fn seen<T>(&self, done: Result<T, DriveError>) -> Result<T, DriveError> {
        done.map_err(|error| error.below(&self.holder.at))
    }
}

/// An entry, and which drive holds it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) holder: Holder,
    pub(crate) entry: Entry,
}

impl Found {
    /// The drive that holds it.
    pub(crate) fn drive(&self) -> &Drive {
        &self.holder.drive
    }

    /// Its path in the drive that was asked.
    pub(crate) fn shown(&self) -> String {
        path::shown(&self.holder.outer(&self.entry.key))
    }

    /// What came of something done there, as whoever asked the outer drive is to see it.
    pub(crate) fn seen<T>(&self, done: Result<T, DriveError>) -> Result<T, DriveError> {
        done.map_err(|error| error.below(&self.holder.at))
    }
}

impl Drive {
    /// The drive that holds what is in a directory, following symlinks. At a mount that is the
    /// drive which is mounted there.
    pub async fn holder(&self, path: &str) -> Result<Holder, DriveError> {
        Ok(self.directory(path).await?.holder)
    }

    /// What is at a path, and which drive holds it.
    pub(crate) async fn entry(&self, path: &str, follow: bool) -> Result<Found, DriveError> {
        let clean = path::clean(path);
        let Spot { holder, place } = self.locate(&clean, follow).await?;
        match place {
            Place::Taken(entry) => Ok(Found { holder, entry }),
            Place::Free { .. } => {
                if let Some(key) = path::legacy(path, &clean)
                    && let Some(entry) = lookup::find(&self.trie, &key).await?
                {
                    let holder = Holder::new(self.clone(), String::new());
                    return Ok(Found { holder, entry });
                }
                Err(DriveError::NotFound {
                    path: path::shown(&clean),
                })
            }
        }
    }

    /// As [`entry`](Self::entry), following symlinks, and at a mount the root of what is mounted
    /// there.
    pub(crate) async fn directory(&self, path: &str) -> Result<Found, DriveError> {
        let found = self.entry(path, true).await?;
        let (key, flags) = (&found.entry.key, found.entry.flags);
        let mount = lookup::mount_at(&found.drive().trie, key, flags).await;
        let Some(mount) = found.seen(mount)? else {
            return Ok(found);
        };
        let holder = found.holder.enter(&mount).await?;
        let entry = Entry {
            key: String::new(),
            ..found.entry
        };
        Ok(Found { holder, entry })
    }

    /// Follows a clean key to its place, through mounts. The last component is followed if `follow`
    /// says so; a mount there is not gone into.
    pub(crate) async fn locate(&self, key: &str, follow: bool) -> Result<Spot, DriveError> {
        let mut key = key.to_owned();
        let mut links = Links::default();
        'linked: loop {
            let mut holder = Holder::new(self.clone(), String::new());
            for _ in 0..=MAX_MOUNT_DEPTH {
                let inner = path::below(&key, &holder.at).unwrap_or_default();
                let step = lookup::step(&holder.drive.trie, inner, follow).await;
                match step.map_err(|error| error.below(&holder.at))? {
                    Step::Arrived(place) => return Ok(Spot { holder, place }),
                    Step::Link(link) => {
                        key = links.follow(&key, &holder.at, &link)?;
                        continue 'linked;
                    }
                    Step::Mount(mount) => holder = holder.enter(&mount).await?,
                }
            }
            return Err(DriveError::TooManyMounts {
                limit: MAX_MOUNT_DEPTH,
            });
        }
    }

    /// Where an operation has to go on that failed in this drive: in the one that is mounted on the
    /// way to the path. Any other failure is given back.
    pub(crate) async fn beyond(
        &self,
        path: &str,
        follow: bool,
        error: DriveError,
    ) -> Result<Spot, DriveError> {
        // What is mounted may be writable where the outer drive is not.
        if !matches!(
            error,
            DriveError::Mounted { .. } | DriveError::NotWritable | DriveError::NoContent
        ) {
            return Err(error);
        }
        let spot = self.locate(&path::clean(path), follow).await?;
        if spot.holder.at.is_empty() && !matches!(error, DriveError::Mounted { .. }) {
            return Err(error);
        }
        Ok(spot)
    }
}

impl Holder {
    /// What is mounted in this drive.
    pub(crate) async fn enter(&self, mount: &Mount) -> Result<Self, DriveError> {
        let at = self.outer(&mount.path);
        let key = PublicKey::from_bytes(mount.key);
        match self.drive.group.open(&key).await {
            Ok(drive) => Ok(Self {
                drive: match mount.version {
                    Some(version) => drive.checkout(version),
                    None => drive,
                },
                at,
            }),
            Err(source) => Err(DriveError::BadMount {
                path: path::shown(&at),
                source: Box::new(source),
            }),
        }
    }
}
