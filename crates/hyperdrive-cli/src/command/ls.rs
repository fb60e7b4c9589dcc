use serde::Serialize;

use crate::args::{Global, Ls};
use crate::client::{Client, Entry, Stat};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::signals::Signals;

pub(crate) async fn run(args: Ls, global: Global, mut signals: Signals) -> Result<Exit, Failure> {
    let client = Client::reader(&global, &args.reach.peers, false).await?;
    let listed = signals.unless_asked(list(&client, &args)).await;
    client.end(listed).await
}

async fn list(client: &Client, args: &Ls) -> Result<Exit, Failure> {
    let link = &args.link.link;
    let session = client.open(link, args.reach.timeout).await?;
    let stat = session.stat(link.path()).await?;
    let (entries, warnings) = if stat.kind.is_folder() {
        session.list(link.path(), args.recursive).await?
    } else {
        // As `ls FILE` does: the file itself.
        let name = link.path().trim_start_matches('/').to_owned();
        (vec![Entry { name, stat }], Vec::new())
    };
    let mut out = Output::stdout();
    if args.json {
        let entries: Vec<Shown<'_>> = entries.iter().map(Shown::new).collect();
        out.json(&entries)?;
    } else if args.long {
        long(&mut out, &entries)?;
    } else {
        for entry in &entries {
            out.line(&out.name(&entry.name))?;
        }
    }
    out.finish()?;
    for warning in &warnings {
        eprintln!("warning: {}", output::printable(warning));
    }
    Ok(if warnings.is_empty() {
        Exit::Ok
    } else {
        Exit::Partial
    })
}

fn long(out: &mut Output, entries: &[Entry]) -> Result<(), Failure> {
    let sizes: Vec<String> = entries
        .iter()
        .map(|entry| entry.stat.size.to_string())
        .collect();
    let width = sizes.iter().map(String::len).max().unwrap_or(0);
    for (Entry { name, stat }, size) in entries.iter().zip(sizes) {
        let mode = output::mode(stat.kind.letter(), stat.mode);
        let time = output::time(stat.mtime);
        let mut line = format!("{mode} {size:>width$} {time} {}", out.name(name));
        if let Some(target) = &stat.linkname {
            line.push_str(" -> ");
            line.push_str(&out.name(target));
        }
        out.line(&line)?;
    }
    Ok(())
}

/// An entry in JSON.
#[derive(Serialize)]
struct Shown<'e> {
    name: &'e str,
    #[serde(flatten)]
    stat: &'e Stat,
}

impl<'e> Shown<'e> {
    fn new(entry: &'e Entry) -> Self {
        Self {
            name: &entry.name,
            stat: &entry.stat,
        }
    }
}
