use crate::args::{Global, Info};
use crate::client::{Client, CoreStats, DriveInfo};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, count, size};
use crate::signals::Signals;

pub(crate) async fn run(args: Info, global: Global, mut signals: Signals) -> Result<Exit, Failure> {
    let client = Client::reader(&global, &args.reach.peers, false).await?;
    let shown = signals.unless_asked(show(&client, &args)).await;
    client.end(shown).await
}

async fn show(client: &Client, args: &Info) -> Result<Exit, Failure> {
    let session = client.open(&args.link.link, args.reach.timeout).await?;
    let info = session.info().await?;
    let mut out = Output::stdout();
    if args.json {
        out.json(&info)?;
    } else {
        text(&mut out, &info)?;
    }
    out.finish()?;
    Ok(Exit::Ok)
}

fn text(out: &mut Output, info: &DriveInfo) -> Result<(), Failure> {
    let mut line = |name: &str, value: &str| out.line(&format!("{name:<13} {value}"));
    line("link", &info.link)?;
    line("key", &info.key)?;
    line("discovery key", &info.discovery_key)?;
    line("version", &info.version.to_string())?;
    line("writable", if info.writable { "yes" } else { "no" })?;
    line("metadata", &log(&info.metadata))?;
    match &info.content {
        Some(content) => {
            line("content", &log(content))?;
            line("content key", &content.key)
        }
        None => line("content", "not known yet"),
    }
}

fn log(stats: &CoreStats) -> String {
    let blocks = count(stats.length, "block");
    let bytes = stats.byte_length;
    format!(
        "{blocks}, {bytes} bytes ({}), {} held here",
        size(bytes),
        stats.blocks_held
    )
}
