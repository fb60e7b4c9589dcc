use crate::args::{Cat, Global};
use crate::client::{Client, Stat};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::signals::Signals;

pub(crate) async fn run(args: Cat, global: Global, mut signals: Signals) -> Result<Exit, Failure> {
    let client = Client::reader(&global, &args.reach.peers, false).await?;
    let written = signals.unless_asked(write(&client, &args)).await;
    client.end(written).await
}

async fn write(client: &Client, args: &Cat) -> Result<Exit, Failure> {
    let link = &args.link.link;
    let session = client.open(link, args.reach.timeout).await?;
    let stat = session.stat(link.path()).await?;
    if stat.kind.is_folder() {
        let failure = Failure::new(Exit::Usage, format!("{} is a folder", link.path()));
        return Err(failure.hint("list it with `hyperdrive ls`"));
    }
    let range = match args.range {
        None => 0..stat.size,
        Some(range) => range.within(stat.size).ok_or_else(|| beyond(&stat))?,
    };
    let mut bytes = session.read(link.path(), range).await?;
    let mut out = Output::stdout();
    while let Some(chunk) = bytes.next().await? {
        out.bytes(chunk.as_ref())?;
        // Whoever reads along sees each block when it has arrived.
        out.flush()?;
    }
    out.finish()?;
    Ok(Exit::Ok)
}

fn beyond(stat: &Stat) -> Failure {
    let size = stat.size;
    let message = format!("the range holds no byte of the file, which has {size} bytes");
    let failure = Failure::new(Exit::NotFound, message);
    match size.checked_sub(1) {
        Some(last) => failure.hint(format!("its last byte is {last}")),
        None => failure,
    }
}
