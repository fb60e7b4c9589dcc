use std::cell::RefCell;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::timeout;

use crate::args::{Global, Seed as Args};
use crate::client::{Client, Seed};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::{Amounts, Progress};
use crate::signals::Signals;

pub(crate) async fn run(args: Args, global: Global, mut signals: Signals) -> Result<Exit, Failure> {
    let client = Client::holder(&global).await?;
    let seeded = signals.unless_asked(seed(&client, &args)).await;
    client.end(seeded).await
}

/// Seeds until the signals end it.
async fn seed(client: &Client, args: &Args) -> Result<Exit, Failure> {
    let port = client.bind(args.listen.listen).await?;
    client.dial(&args.peers);
    let mut seeds = Vec::new();
    for link in &args.links {
        seeds.push(client.seed(link).await?);
    }
    eprintln!("listening on {}", client.serve(port));
    let total = Total {
        progress: Progress::with_peers("fetching", "block", client.meter()),
        parts: RefCell::new(vec![Amounts::default(); seeds.len()]),
    };
    let seeds = seeds.into_iter().enumerate();
    try_join_all(seeds.map(|(part, seed)| follow(seed, &total, part))).await?;
    // A seed ends only by an error: this is reached without links, which the arguments rule out.
    Ok(Exit::Ok)
}

async fn follow(mut seed: Seed, total: &Total, part: usize) -> Result<(), Failure> {
    let link = seed.link();
    let mut told = false;
    loop {
        let next = seed.next(|amounts| total.update(part, amounts));
        let Ok(next) = timeout(NOTICE_AFTER, next).await else {
            if !told && !seed.is_known() {
                let tried = seed.tried().join("; ");
                total
                    .progress
                    .note(&format!("{link} waits for a peer that has it ({tried})"));
                told = true;
            }
            continue;
        };
        total.progress.note(&next?);
    }
}

/// When it is said that a drive is not known yet. It may come at any time, so it is no error.
const NOTICE_AFTER: Duration = Duration::from_secs(20);

/// What all seeds have fetched together.
struct Total {
    progress: Progress,
    parts: RefCell<Vec<Amounts>>,
}

impl Total {
    fn update(&self, part: usize, amounts: Amounts) {
        let mut parts = self.parts.borrow_mut();
        if let Some(part) = parts.get_mut(part) {
            *part = amounts;
        }
        let mut total = Amounts::default();
        parts.iter().for_each(|part| total += *part);
        self.progress.update(total);
    }
}
