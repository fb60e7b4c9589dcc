//! Fetching files ahead of reading them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_core::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use hypercore::Feed;

use crate::runs::{Runs, run_of};
use crate::{Drive, DriveError, Stat};

impl Drive {
    /// Fetches the content of a file, or of every file below a directory (`/`: all of them), for
    /// reading it later without peers. A symlink or a mount at the path is followed, symlinks and
    /// mounts below it are not entered.
    ///
    /// The handle is a future that ends when everything is here; dropping it takes back what was
    /// asked for. Entries whose content cannot exist are passed over. Content beyond what is known
    /// of the log comes last, and is waited for: it may never come.
    pub fn download(&self, path: &str) -> Download {
        let state = Arc::default();
        let work = fetch(self.clone(), path.to_owned(), Arc::clone(&state));
        Download {
            work: work.boxed(),
            state,
        }
    }
}

/// Files being fetched; made by [`Drive::download`]. A future that ends when all are here, and tells
/// how much that was.
///
/// Files are looked for, and asked for, while it is polled.
#[must_use = "nothing is fetched before it is polled, and dropping it cancels the download"]
pub struct Download {
    work: BoxFuture<'static, Result<(), DriveError>>,
    state: Arc<Mutex<State>>,
}

/// How far a [`Download`] is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct DownloadProgress {
    /// Files found so far.
    pub files: u64,
    /// The bytes that these files have, as their entries say.
    pub bytes: u64,
    /// The blocks that these files have. Blocks that files share count once.
    pub blocks_total: u64,
    /// How many of the blocks are here.
    pub blocks: u64,
    /// Whether all files were found, so that the other numbers do not grow any more.
    pub listed: bool,
}

impl Download {
    /// How far it is. Costs time in proportion to the runs of blocks that the files are in.
    pub fn progress(&self) -> DownloadProgress {
        lock(&self.state).progress()
    }
}

impl Future for Download {
    type Output = Result<DownloadProgress, DriveError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let done = self.work.poll_unpin(cx);
        done.map(|done| done.map(|()| self.progress()))
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("progress", &self.progress())
            .finish_non_exhaustive()
    }
}

/// What was found so far.
#[derive(Debug, Default)]
struct State {
    content: Option<Feed>,
    runs: Runs,
    files: u64,
    bytes: u64,
    listed: bool,
}

impl State {
    fn add(&mut self, stat: &Stat) {
        let Some(run) = run_of(stat) else { return };
        self.files += 1;
        self.bytes = self.bytes.saturating_add(stat.size);
        self.runs.add(run);
    }

    fn progress(&self) -> DownloadProgress {
        let content = self.content.as_ref();
        DownloadProgress {
            files: self.files,
            bytes: self.bytes,
            blocks_total: self.runs.blocks(),
            blocks: content.map_or(0, |content| self.runs.held(content)),
            listed: self.listed,
        }
    }
}

async fn fetch(drive: Drive, path: String, state: Arc<Mutex<State>>) -> Result<(), DriveError> {
    let found = drive.directory(&path).await?;
    let (drive, top) = (found.holder.drive(), found.entry);
    let content = drive.content().await?;
    lock(&state).content = Some(content.clone());
    let stats = if top.stat.is_dir() {
        let entries = drive.read_key(&top.key);
        entries.map(|entry| entry.map(|entry| entry.stat)).boxed()
    } else {
        stream::iter([Ok(top.stat)]).boxed()
    };
    let passed_over = |error: &DriveError| matches!(error, DriveError::BadEntry { .. });
    let stats = stats.filter(|stat| {
        let passed_over = stat.as_ref().is_err_and(passed_over);
        async move { !passed_over }
    });
    let beyond = Mutex::new(Runs::default());
    // What is listed by now is asked for together: a request for each of many small files would
    // cost more than the files.
    let chunks = stats
        .ready_chunks(LISTED_AT_ONCE)
        .map(|listed| -> Result<_, DriveError> {
            let mut now = Runs::default();
            for stat in listed {
                let stat = stat?;
                lock(&state).add(&stat);
                match run_of(&stat) {
                    Some(run) if run.end <= content.length() => now.add(run),
                    Some(run) => lock(&beyond).add(run),
                    None => {}
                }
            }
            Ok(stream::iter(ask(&content, &now)).map(Ok::<_, DriveError>))
        });
    let downloads = chunks.try_flatten().map_ok(|download| async {
        download.await?;
        Ok(())
    });
    downloads
        .try_buffer_unordered(DOWNLOADS)
        .try_collect::<()>()
        .await?;
    lock(&state).listed = true;
    let beyond = std::mem::take(&mut *lock(&beyond));
    let downloads: Vec<_> = beyond.iter().map(|run| content.download(run)).collect();
    for download in downloads {
        download.await?;
    }
    Ok(())
}

/// Asks for blocks, short runs of them in one request.
fn ask(content: &Feed, runs: &Runs) -> Vec<hypercore::Download> {
    let (short, long): (Vec<_>, Vec<_>) = runs
        .iter()
        .filter(|run| !content.has_range(run.clone()))
        .partition(|run| run.end - run.start <= SHORT_RUN);
    let mut downloads: Vec<_> = long.into_iter().map(|run| content.download(run)).collect();
    if !short.is_empty() {
        downloads.push(content.download_blocks(short.into_iter().flatten().collect()));
    }
    downloads
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many entries are looked at before their content is asked for.
const LISTED_AT_ONCE: usize = 1024;

/// How many requests for runs are under way at once.
const DOWNLOADS: usize = 64;

/// The longest run, in blocks, that is not a request of its own.
const SHORT_RUN: u64 = 16;
