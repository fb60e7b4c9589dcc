use hyperdrive_url::Link;

use super::change::tell;
use crate::args::{Global, Json, Reach, Tag, TagAction};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::signals::Signals;

pub(crate) async fn run(args: Tag, global: Global, mut signals: Signals) -> Result<Exit, Failure> {
    match args.action {
        TagAction::Add { link, name, json } => {
            let client = Client::holder(&global).await?;
            let work = add(&client, &link.link, &name, json);
            let done = signals.unless_asked(work).await;
            client.end(done).await
        }
        TagAction::Rm { link, name, json } => {
            super::change::edit(&link.link, json, global, signals, async |drive| {
                drive.untag(&name).await
            })
            .await
        }
        TagAction::List { link, json, reach } => {
            let client = Client::reader(&global, &reach.peers, false).await?;
            let work = list(&client, &link.link, json, &reach);
            let done = signals.unless_asked(work).await;
            client.end(done).await
        }
    }
}

async fn add(client: &Client, link: &Link, name: &str, json: Json) -> Result<Exit, Failure> {
    let drive = client.edit_any(link).await?;
    let named = drive.tag(name, link.version()).await?;
    eprintln!("version {named} is named {name}");
    if json.json {
        return tell(drive.version(), json);
    }
    Ok(Exit::Ok)
}

async fn list(client: &Client, link: &Link, json: Json, reach: &Reach) -> Result<Exit, Failure> {
    let session = client.open(link, reach.timeout).await?;
    let tags = session.tags().await?;
    let mut out = Output::stdout();
    if json.json {
        out.json(&tags)?;
    } else {
        for (name, version) in &tags {
            let name = out.name(name).into_owned();
            out.line(&format!("{version}\t{name}"))?;
        }
    }
    out.finish()?;
    Ok(Exit::Ok)
}
