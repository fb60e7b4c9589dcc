use std::cell::Cell;
use std::path::{Path, PathBuf};

use crate::args::{Clone, Global};
use crate::client::{Client, Exported, Session};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{count, printable, size};
use crate::progress::Progress;
use crate::signals::Signals;

pub(crate) async fn run(
    args: Clone,
    global: Global,
    mut signals: Signals,
) -> Result<Exit, Failure> {
    if args.live && args.link.link.version().is_some() {
        let failure = Failure::new(
            Exit::Usage,
            "a version never changes, so --live has nothing to follow",
        );
        return Err(failure.hint("leave out either --live or the +VERSION of the link"));
    }
    if args.link.link.path() != "/" {
        let failure = Failure::new(Exit::Usage, "a drive is cloned as a whole");
        return Err(
            failure.hint("leave out the path behind the link's key, or use `hyperdrive cat`")
        );
    }
    let client = Client::reader(&global, &args.reach.peers, true).await?;
    let round = Cell::new(Exit::Ok);
    let cloned = signals
        .between_rounds(&round, clone(&client, &args, &round))
        .await;
    client.end(cloned).await
}

async fn clone(client: &Client, args: &Clone, round: &Cell<Exit>) -> Result<Exit, Failure> {
    let mut session = client.open(&args.link.link, args.reach.timeout).await?;
    let folder = match &args.folder {
        Some(folder) => folder.clone(),
        None => PathBuf::from(&session.key()[..8]),
    };
    round.set(export(client, &session, args, &folder).await?);
    if !args.live {
        return Ok(round.get());
    }
    loop {
        session.newer().await?;
        match export(client, &session, args, &folder).await {
            Ok(exit) => round.set(exit),
            // Nobody there for a while is what following means; the next version may succeed.
            Err(failure) if failure.exit() == Exit::TryAgain => eprintln!("hyperdrive: {failure}"),
            Err(failure) => return Err(failure),
        }
    }
}

async fn export(
    client: &Client,
    session: &Session,
    args: &Clone,
    folder: &Path,
) -> Result<Exit, Failure> {
    let progress = Progress::with_peers("fetching", "file", client.meter());
    let exported = session.export(folder, args.force, &progress).await?;
    drop(progress);
    for warning in &exported.warnings {
        eprintln!("warning: {}", printable(warning));
    }
    let Exported {
        version,
        files,
        bytes,
        unchanged,
        removed,
        ..
    } = exported;
    let written = format!("{} written ({})", count(files, "file"), size(bytes));
    let folder = folder.display().to_string();
    eprintln!(
        "version {version} in {}: {written}, {removed} removed, {unchanged} unchanged",
        printable(&folder)
    );
    Ok(if exported.warnings.is_empty() {
        Exit::Ok
    } else {
        Exit::Partial
    })
}
