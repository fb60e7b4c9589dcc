//! A trie: building and reading one (w4), and reading one that a peer has.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use benches::data::{self, Layout, Positions, block};
use bytes::Bytes;
use futures_lite::{Stream, StreamExt};
use hypercore::{Feed, Hypercore};
use hypercore_replication::FeedSet;
use hypertrie::{DiffOptions, IterOptions, Op, Options, Trie};

use crate::args::Args;
use crate::meter::{Meter, Metrics, float};
use crate::{Ended, log, network, replication};

pub(crate) async fn build(args: &Args) -> Result<Ended> {
    let (n, batch): (u32, usize) = (args.number("n")?, args.number("batch")?);
    let layout = args.layout()?;
    data::pool();
    let trie = Trie::open(Feed::new(log::create(args)?), Options::new()).await?;
    let meter = Meter::start();
    let mut next = 0;
    while next < n {
        let end = n.min(next.saturating_add(u32::try_from(batch)?));
        if end == next + 1 {
            trie.put(&layout.key(next), value(next)).await?;
        } else {
            let ops = (next..end).map(|i| Op::put(layout.key(i), value(i)));
            trie.batch(ops.collect()).await?;
        }
        next = end;
    }
    let spent = meter.read();
    let bytes = float(trie.feed().byte_length()) / f64::from(n);
    Metrics::of(spent)
        .with("puts_per_s", spent.per_s(n.into()))
        .with("cpu_us_per_put", spent.cpu_us_per(n.into()))
        .with("bytes_per_entry", bytes)
        .print();
    trie.feed().close()?;
    Ok(Ended::Done)
}

pub(crate) async fn read(args: &Args) -> Result<Ended> {
    let (n, gets): (u32, u64) = (args.number("n")?, args.number("gets")?);
    let layout = args.layout()?;
    let trie = open(args).await?;

    let mut at = Positions::new(11);
    let meter = Meter::start();
    for _ in 0..gets {
        let i = u32::try_from(at.below(n.into()))?;
        let node = trie.get(&layout.key(i)).await?;
        node.context("a key is missing")?;
    }
    let read = meter.read();

    let meter = Meter::start();
    let entries = count(trie.iter("", IterOptions::new())).await?;
    let iterated = meter.read();
    ensure!(entries == u64::from(n), "{entries} entries");
    let mut metrics = Metrics::of(read)
        .with("gets_per_s", read.per_s(gets))
        .with("cpu_us_per_get", read.cpu_us_per(gets))
        .with("iterate_per_s", iterated.per_s(entries))
        .with("iterate_cpu_us", iterated.cpu_us_per(entries));

    if layout == Layout::Flat {
        let meter = Meter::start();
        let entries = count(trie.iter("dir", IterOptions::new().recursive(false))).await?;
        let listed = meter.read();
        metrics = metrics
            .with("readdir_entries", float(entries))
            .with("readdir_s", listed.wall_s)
            .with("readdir_per_s", listed.per_s(entries));
    }

    // Every node that a lookup comes by counts, remembered or not.
    let before = trie.stats().visited;
    for _ in 0..COUNTED_GETS {
        let i = u32::try_from(at.below(n.into()))?;
        trie.get(&layout.key(i)).await?;
    }
    let visited = trie.stats().visited - before;
    metrics
        .with("blocks_per_get", float(visited) / float(COUNTED_GETS))
        .print();
    Ok(Ended::Done)
}

pub(crate) async fn serve(args: &Args) -> Result<Ended> {
    let trie = open(args).await?;
    let source = Arc::new(FeedSet::from_iter([trie.feed().clone()]));
    tokio::spawn(trie.lookups()?);
    network::serve(args, trie.feed().public_key(), source).await?;
    Ok(Ended::Done)
}

/// One key, or the newest differences, of a trie of which nothing is here.
pub(crate) async fn fetch(args: &Args) -> Result<Ended> {
    let n: u32 = args.number("n")?;
    let layout = args.layout()?;
    data::pool();
    let trie = Trie::open(replication::reader(args)?, Options::new()).await?;
    let source = Arc::new(FeedSet::from_iter([trie.feed().clone()]));
    tokio::spawn(trie.lookups()?);
    let meter = Meter::start();
    let traffic = network::dial(args, source).await?;
    trie.feed().wait_longer_than(0).await?;
    let metric = match args.text("op")? {
        "get" => {
            let i = n / 2 + 1;
            let node = trie.get(&layout.key(i)).await?;
            let found = node.context("the key is missing")?.value;
            ensure!(found == Some(value(i)), "wrong value");
            "get_ms"
        }
        "diff" => {
            let back: u64 = args.number("back")?;
            let differences = trie.diff(trie.version() - back, "", DiffOptions::new());
            let found = count(differences).await?;
            ensure!(found == back, "{found} differences");
            "diff_ms"
        }
        _ => return Ok(Ended::NotOffered),
    };
    let spent = meter.read();
    let metrics = Metrics::of(spent).with(metric, spent.wall_ms());
    traffic.add_to(metrics, None).print();
    trie.feed().close()?;
    Ok(Ended::Done)
}

/// How many lookups are made to see how many nodes they come by.
const COUNTED_GETS: u64 = 1000;

async fn open(args: &Args) -> Result<Trie> {
    let log = Hypercore::open(args.storage()?, hypercore::Options::new())?;
    Ok(Trie::open(Feed::new(log), Options::new()).await?)
}

fn value(i: u32) -> Bytes {
    Bytes::from_static(block(i.into(), 32))
}

async fn count<T, E>(walk: impl Stream<Item = Result<T, E>>) -> Result<u64, E> {
    let mut walk = std::pin::pin!(walk);
    let mut count = 0;
    while let Some(step) = walk.next().await {
        step?;
        count += 1;
    }
    Ok(count)
}
