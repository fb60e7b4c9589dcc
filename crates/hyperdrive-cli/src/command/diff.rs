use crate::args::{Diff, Global};
use crate::client::{Client, Session};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, printable};
use crate::signals::Signals;

pub(crate) async fn run(args: Diff, global: Global, mut signals: Signals) -> Result<Exit, Failure> {
    let client = Client::reader(&global, &args.reach.peers, false).await?;
    let shown = signals.unless_asked(diff(&client, &args)).await;
    client.end(shown).await
}

async fn diff(client: &Client, args: &Diff) -> Result<Exit, Failure> {
    let link = &args.link.link;
    let mut session = client.open(link, args.reach.timeout).await?;
    let from = version(&session, &args.from).await?;
    if let Some(to) = &args.to {
        let to = version(&session, to).await?;
        session = client
            .open(&link.clone().with_version(Some(to)), args.reach.timeout)
            .await?;
    }
    if from > session.version() {
        let failure = Failure::new(
            Exit::Usage,
            format!("version {from} is newer than version {}", session.version()),
        );
        return Err(failure.hint("give the older version first"));
    }
    let mut changes = session.diff(from, link.path());
    let mut list = Output::stdout().list(args.json.json);
    let mut exit = Exit::Ok;
    while let Some(change) = changes.next().await? {
        match change {
            Ok(change) => {
                let name = list.name(&change.path).into_owned();
                list.item(&change, || format!("{} {name}", change.letter()))?;
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

/// A version by its number, or by its name.
async fn version(session: &Session, text: &str) -> Result<u64, Failure> {
    if let Ok(version) = text.parse() {
        return Ok(version);
    }
    let tags = session.tags().await?;
    tags.get(text).copied().ok_or_else(|| {
        let message = format!("'{text}' is neither a version nor the name of one");
        let failure = Failure::new(Exit::NotFound, message);
        failure.hint("list the names with `hyperdrive tag list`")
    })
}
