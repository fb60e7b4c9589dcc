use std::cell::Cell;

use crate::args::{Global, Share};
use crate::client::{self, Client, FolderWatch, Imported};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::meter::Meter;
use crate::output::{Output, count, printable, size};
use crate::progress::{Progress, serving};
use crate::signals::Signals;

pub(crate) async fn run(
    args: Share,
    global: Global,
    mut signals: Signals,
) -> Result<Exit, Failure> {
    client::shareable(&global, &args.folder)?;
    let client = Client::holder(&global).await?;
    let round = Cell::new(Exit::Ok);
    let shared = signals
        .between_rounds(&round, share(&client, &args, &round))
        .await;
    client.end(shared).await
}

/// Shares until the signals end it.
async fn share(client: &Client, args: &Share, round: &Cell<Exit>) -> Result<Exit, Failure> {
    // The port is taken first: an import may be long, and a port that is not to be had is not worth
    // waiting for. Nobody is answered on it until the import is complete.
    let port = client.bind(args.listen.listen).await?;
    // Watched from before the import, so that nothing is missed between the two.
    let mut watch = if args.watch {
        Some(client.watch(&args.folder)?)
    } else {
        None
    };
    let imported = import(client, args).await?;
    round.set(report(&imported));
    eprintln!("listening on {}", client.serve(port));
    let mut out = Output::stdout();
    out.line(&imported.link)?;
    out.finish()?;
    let meter = client.meter();
    match &mut watch {
        Some(watch) => follow(client, args, watch, round, &meter).await,
        None => match serving(&meter).await {},
    }
}

async fn follow(
    client: &Client,
    args: &Share,
    watch: &mut FolderWatch,
    round: &Cell<Exit>,
    meter: &Meter,
) -> Result<Exit, Failure> {
    loop {
        // An import has a bar of its own.
        tokio::select! {
            () = watch.changed() => {}
            never = serving(meter) => match never {},
        }
        match import(client, args).await {
            Ok(imported) => round.set(report(&imported)),
            // A folder that is away for a moment, or a file that nobody may read, must not take
            // down what is being served.
            Err(failure) => {
                eprintln!("hyperdrive: {failure}; still serving what was shared before")
            }
        }
    }
}

async fn import(client: &Client, args: &Share) -> Result<Imported, Failure> {
    let progress = Progress::new("importing", "file");
    client
        .import(&args.folder, args.content_defined, &progress)
        .await
}

/// Tells what an import did, and whether it left something out.
fn report(imported: &Imported) -> Exit {
    for path in &imported.foreign {
        let kept = "not in the folder; another writer of the drive added it, so it stays";
        eprintln!("warning: {}: {kept}", printable(path));
    }
    for warning in &imported.warnings {
        eprintln!("warning: {}", printable(warning));
    }
    let Imported {
        files,
        bytes,
        unchanged,
        removed,
        ..
    } = *imported;
    eprintln!(
        "{} written ({}), {removed} removed, {unchanged} unchanged",
        count(files, "file"),
        size(bytes)
    );
    if imported.warnings.is_empty() {
        Exit::Ok
    } else {
        Exit::Partial
    }
}
