use serde::Serialize;

use crate::args::{Global, Log};
use crate::client::{Change, Client};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, printable};
use crate::signals::Signals;

pub(crate) async fn run(args: Log, global: Global, mut signals: Signals) -> Result<Exit, Failure> {
    let client = Client::reader(&global, &args.reach.peers, false).await?;
    let shown = signals.unless_asked(log(&client, &args)).await;
    client.end(shown).await
}

async fn log(client: &Client, args: &Log) -> Result<Exit, Failure> {
    let link = &args.link.link;
    let session = client.open(link, args.reach.timeout).await?;
    let width = session.version().to_string().len();
    let mut changes = session.history(link.path());
    let mut list = Output::stdout().list(args.json.json);
    let mut exit = Exit::Ok;
    while let Some(change) = changes.next().await? {
        match change {
            Ok((version, change)) => {
                let name = list.name(&change.path).into_owned();
                let shown = Shown {
                    version,
                    change: &change,
                };
                list.item(&shown, || {
                    format!("{version:>width$} {} {name}", change.letter())
                })?;
            }
            Err(warning) => {
                eprintln!("warning: {}", printable(&warning));
                exit = Exit::Partial;
            }
        }
    }
    list.end()?;
    Ok(exit)
}

/// A change and its version in JSON.
#[derive(Serialize)]
struct Shown<'c> {
    version: u64,
    #[serde(flatten)]
    change: &'c Change,
}
