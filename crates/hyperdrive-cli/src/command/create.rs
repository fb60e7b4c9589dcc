use serde::Serialize;

use crate::args::{Create, Global};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::signals::Signals;

pub(crate) async fn run(
    args: Create,
    global: Global,
    mut signals: Signals,
) -> Result<Exit, Failure> {
    let client = Client::holder(&global).await?;
    let created = signals.unless_asked(create(&client, &args)).await;
    client.end(created).await
}

async fn create(client: &Client, args: &Create) -> Result<Exit, Failure> {
    let link = client.create().await?.link();
    let mut out = Output::stdout();
    if args.json.json {
        out.json(&Shown { link: &link })?;
    } else {
        out.line(&link)?;
    }
    out.finish()?;
    Ok(Exit::Ok)
}

/// A new drive in JSON.
#[derive(Serialize)]
struct Shown<'l> {
    link: &'l str,
}
