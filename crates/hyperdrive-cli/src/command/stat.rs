use serde::Serialize;

use crate::args::{Global, Stat as Args};
use crate::client::{Client, Stat};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Output, count};
use crate::signals::Signals;

pub(crate) async fn run(args: Args, global: Global, mut signals: Signals) -> Result<Exit, Failure> {
    let client = Client::reader(&global, &args.reach.peers, false).await?;
    let shown = signals.unless_asked(show(&client, &args)).await;
    client.end(shown).await
}

async fn show(client: &Client, args: &Args) -> Result<Exit, Failure> {
    let link = &args.link.link;
    let session = client.open(link, args.reach.timeout).await?;
    // Of a link the link itself, not what it leads to.
    let stat = session.lstat(link.path()).await?;
    let mut out = Output::stdout();
    if args.json {
        let shown = Shown {
            path: link.path(),
            stat: &stat,
        };
        out.json(&shown)?;
    } else {
        text(&mut out, link.path(), &stat)?;
    }
    out.finish()?;
    Ok(Exit::Ok)
}

fn text(out: &mut Output, path: &str, stat: &Stat) -> Result<(), Failure> {
    let mut line = |name: &str, value: &str| out.line(&format!("{name:<9} {value}"));
    line("path", &output::printable(path))?;
    line("type", stat.kind.name())?;
    if let Some(target) = &stat.linkname {
        line("target", &output::printable(target))?;
    }
    if let Some(key) = &stat.mount {
        line("mount", &format!("hyper://{key}/"))?;
    }
    let size = output::size(stat.size);
    line("size", &format!("{} bytes ({size})", stat.size))?;
    if stat.blocks > 0 {
        let (blocks, first) = (count(stat.blocks, "block"), stat.offset);
        let byte = stat.byte_offset;
        line(
            "content",
            &format!("{blocks} from block {first}, byte {byte}"),
        )?;
    }
    let letters = output::mode(stat.kind.letter(), stat.mode);
    line("mode", &format!("{:04o} ({letters})", stat.mode))?;
    line("owner", &format!("uid {}, gid {}", stat.uid, stat.gid))?;
    line("modified", &format!("{} UTC", output::time(stat.mtime)))?;
    line("created", &format!("{} UTC", output::time(stat.ctime)))?;
    for (key, value) in &stat.metadata {
        line("metadata", &format!("{} = {value}", output::printable(key)))?;
    }
    Ok(())
}

/// An entry in JSON.
#[derive(Serialize)]
struct Shown<'s> {
    path: &'s str,
    #[serde(flatten)]
    stat: &'s Stat,
}
