//! Having all of a drive here, now and later.

use std::collections::HashSet;
use std::sync::Arc;

use futures_core::future::BoxFuture;
use futures_util::future::{Either, select, select_all};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use hypercore::Feed;
use hypercore_crypto::PublicKey;

use crate::mounts::MountWalk;
use crate::{Drive, DriveError, Holder};

/// What [`Drive::keep`] fetches.
#[derive(Clone, Copy, Debug)]
pub struct KeepOptions {
    content: bool,
    mounts: bool,
}

impl KeepOptions {
    /// Everything: paths and contents, of the drive and of all that is mounted in it.
    pub fn new() -> Self {
        Self {
            content: true,
            mounts: true,
        }
    }

    /// Whether to fetch contents, or only paths (default: contents as well).
    #[must_use]
    pub fn content(mut self, content: bool) -> Self {
        self.content = content;
        self
    }

    /// Whether to fetch what is mounted (default: yes).
    #[must_use]
    pub fn mounts(mut self, mounts: bool) -> Self {
        self.mounts = mounts;
        self
    }
}

impl Default for KeepOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl Drive {
    /// The most drives that are kept at once.
    pub const MAX_KEPT: usize = 4096;

    /// Fetches everything that there is, in every version, and whatever comes later, for as long as
    /// the future runs. Without it only what is read is fetched. The reference calls it `mirror`, and
    /// has it as the options `sparse: false` and `sparseMetadata: false`.
    ///
    /// It ends with an error only: when the drive is closed, or when more than
    /// [`MAX_KEPT`](Self::MAX_KEPT) drives were to be kept. What is mounted and cannot be read is left
    /// out. Dropping the future ends the fetching; running it twice costs nothing more.
    pub fn keep(
        &self,
        options: KeepOptions,
    ) -> impl Future<Output = Result<(), DriveError>> + Send + 'static + use<> {
        keep(self.latest(), options)
    }
}

async fn keep(drive: Drive, options: KeepOptions) -> Result<(), DriveError> {
    let mut kept = Kept::default();
    kept.add(&drive, options)?;
    loop {
        // Mounts come and go with versions of any of the drives.
        if options.mounts {
            let holder = Arc::new(Holder::new(drive.clone(), String::new()));
            let mut mounts = MountWalk::within(holder, true);
            loop {
                match mounts.next().await {
                    Ok(Some(holder)) => kept.add(holder.drive(), options)?,
                    Ok(None) => break,
                    Err(DriveError::BadMount { .. } | DriveError::BadEntry { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        kept.wait().await?;
    }
}

/// The logs that are kept.
#[derive(Default)]
struct Kept {
    keys: HashSet<PublicKey>,
    /// Logs of paths, and the lengths at which mounts were looked for.
    paths: Vec<(Feed, u64)>,
    running: FuturesUnordered<BoxFuture<'static, Result<(), DriveError>>>,
}

impl Kept {
    fn add(&mut self, drive: &Drive, options: KeepOptions) -> Result<(), DriveError> {
        if !self.keys.insert(drive.key()) {
            return Ok(());
        }
        if self.keys.len() > Drive::MAX_KEPT {
            let limit = Drive::MAX_KEPT;
            return Err(DriveError::TooManyMounts { limit });
        }
        let paths = drive.metadata();
        self.paths.push((paths.clone(), paths.length()));
        self.running.push(keep_log(paths.clone()).boxed());
        if options.content {
            let drive = drive.clone();
            let content = async move { keep_log(drive.content().await?).await };
            self.running.push(content.boxed());
        }
        Ok(())
    }

    /// Fetches until there is a newer version of one of the drives.
    async fn wait(&mut self) -> Result<(), DriveError> {
        let grown = self.paths.iter();
        let grown = grown.map(|(paths, seen)| Box::pin(paths.wait_longer_than(*seen)));
        let mut grown = select_all(grown);
        let (length, index) = loop {
            match select(grown, self.running.next()).await {
                Either::Left(((length, index, _), _)) => break (length?, index),
                // A log that names no content, or one that cannot be opened.
                Either::Right((Some(Err(error)), rest)) if !is_closed(&error) => grown = rest,
                Either::Right((Some(done), rest)) => {
                    done?;
                    grown = rest;
                }
                Either::Right((None, rest)) => {
                    let (length, index, _) = rest.await;
                    break (length?, index);
                }
            }
        };
        self.paths[index].1 = length;
        Ok(())
    }
}

fn is_closed(error: &DriveError) -> bool {
    matches!(error, DriveError::Read(hypercore::ReadError::Closed))
}

async fn keep_log(log: Feed) -> Result<(), DriveError> {
    loop {
        let length = log.length();
        log.download(0..length).await?;
        log.wait_longer_than(length).await?;
    }
}
