//! The commands that change one thing in a drive: they tell the version that the change made.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::UNIX_EPOCH;

use hyperdrive_url::Link;
use serde::Serialize;

use crate::args::{Global, Json, Ln, Mkdir, Mv, Put, Revert, Rm};
use crate::client::{Client, Editor};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, printable};
use crate::signals::Signals;

pub(crate) async fn put(args: Put, global: Global, signals: Signals) -> Result<Exit, Failure> {
    let link = args.link.link;
    // Opened first: a file that is not there is no reason to touch the storage.
    let source = Source::open(&args.file)?;
    edit(&link, args.json, global, signals, async |drive| {
        let path = link.path();
        drive
            .put(path, source.bytes, source.mode, source.mtime)
            .await?;
        Ok(())
    })
    .await
}

pub(crate) async fn rm(args: Rm, global: Global, signals: Signals) -> Result<Exit, Failure> {
    let link = args.link.link;
    edit(&link, args.json, global, signals, async |drive| {
        drive.remove(link.path(), args.recursive).await
    })
    .await
}

pub(crate) async fn mkdir(args: Mkdir, global: Global, signals: Signals) -> Result<Exit, Failure> {
    let link = args.link.link;
    edit(&link, args.json, global, signals, async |drive| {
        drive.make_dir(link.path()).await
    })
    .await
}

pub(crate) async fn mv(args: Mv, global: Global, signals: Signals) -> Result<Exit, Failure> {
    let link = args.link.link;
    if args.to.starts_with("hyper:") || args.to.starts_with("dat:") {
        let failure = Failure::new(Exit::Usage, "the new place is a path, not a link");
        return Err(failure.hint("things are moved within one drive: give the path alone"));
    }
    edit(&link, args.json, global, signals, async |drive| {
        drive.rename(link.path(), &args.to).await
    })
    .await
}

pub(crate) async fn ln(args: Ln, global: Global, signals: Signals) -> Result<Exit, Failure> {
    let link = args.link.link;
    edit(&link, args.json, global, signals, async |drive| {
        drive.symlink(&args.target, link.path()).await
    })
    .await
}

pub(crate) async fn revert(
    args: Revert,
    global: Global,
    signals: Signals,
) -> Result<Exit, Failure> {
    let link = args.link.link;
    let Some(version) = link.version() else {
        let failure = Failure::new(Exit::Usage, "the link names no version to go back to");
        return Err(failure.hint("write it as hyper://KEY+VERSION/"));
    };
    if link.path() != "/" {
        let failure = Failure::new(Exit::Usage, "a drive is reverted as a whole");
        return Err(failure.hint("leave out the path"));
    }
    let newest = Link::new(*link.key());
    edit(&newest, args.json, global, signals, async |drive| {
        for path in drive.revert(version).await? {
            let path = printable(&path);
            eprintln!("warning: {path}: the drive that was mounted here is not any more");
        }
        Ok(())
    })
    .await
}

/// Opens a drive, changes it, and tells its version then.
pub(crate) async fn edit(
    link: &Link,
    json: Json,
    global: Global,
    mut signals: Signals,
    change: impl AsyncFnOnce(&Editor) -> Result<(), Failure>,
) -> Result<Exit, Failure> {
    let client = Client::holder(&global).await?;
    let work = async {
        let drive = client.edit(link).await?;
        change(&drive).await?;
        tell(drive.version(), json)
    };
    let done = signals.unless_asked(work).await;
    client.end(done).await
}

/// Tells the version that a change made.
pub(crate) fn tell(version: u64, json: Json) -> Result<Exit, Failure> {
    if json.json {
        let mut out = Output::stdout();
        out.json(&Changed { version })?;
        out.finish()?;
    } else {
        eprintln!("version {version}");
    }
    Ok(Exit::Ok)
}

/// A change in JSON.
#[derive(Serialize)]
struct Changed {
    version: u64,
}

/// What is put into a drive.
struct Source {
    bytes: Box<dyn Read + Send>,
    mode: Option<u32>,
    mtime: Option<u64>,
}

impl Source {
    /// A file, or standard input for `-`.
    fn open(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Ok(Self {
                bytes: Box::new(io::stdin()),
                mode: None,
                mtime: None,
            });
        }
        let failed = |error: io::Error| {
            let exit = match error.kind() {
                io::ErrorKind::NotFound => Exit::NotFound,
                io::ErrorKind::IsADirectory => Exit::Usage,
                _ => Exit::Other,
            };
            Failure::new(exit, format!("cannot read {}: {error}", path.display()))
        };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            let failure = Failure::new(Exit::Usage, format!("{} is a folder", path.display()));
            return Err(failure.hint("put files one by one, or use `hyperdrive share`"));
        }
        let since = metadata.modified().ok();
        let since = since.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Ok(Self {
            mode: mode(&metadata),
            mtime: since.and_then(|since| u64::try_from(since.as_millis()).ok()),
            bytes: Box::new(file),
        })
    }
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps, reason = "elsewhere there is none")]
fn mode(metadata: &std::fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    Some(metadata.permissions().mode() & 0o7777)
}

#[cfg(not(unix))]
fn mode(_: &std::fs::Metadata) -> Option<u32> {
    None
}
