use serde::Serialize;

use crate::args::{Destroy, Global};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, size};
use crate::signals::Signals;

pub(crate) async fn run(
    args: Destroy,
    global: Global,
    mut signals: Signals,
) -> Result<Exit, Failure> {
    let link = &args.link.link;
    if link.path() != "/" || link.version().is_some() {
        let failure = Failure::new(Exit::Usage, "a drive is destroyed as a whole");
        return Err(failure.hint(
            "leave out the path and the version, or use `hyperdrive rm` or `hyperdrive clear`",
        ));
    }
    let client = Client::holder(&global).await?;
    let work = async {
        let bytes = client.destroy(link, args.force).await?;
        let mut out = Output::stdout();
        if args.json.json {
            out.json(&Destroyed { bytes })?;
        } else {
            out.line(&format!("{bytes} bytes ({}) are free", size(bytes)))?;
        }
        out.finish()?;
        Ok(Exit::Ok)
    };
    let done = signals.unless_asked(work).await;
    client.end(done).await
}

/// What was removed, in JSON.
#[derive(Serialize)]
struct Destroyed {
    bytes: u64,
}
