//! One log from one process to another (w3).

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use benches::data::{self, block};
use hypercore::{Feed, Hypercore, Options};
use hypercore_replication::FeedSet;

use crate::args::Args;
use crate::meter::{Meter, Metrics};
use crate::{Ended, log, network};

pub(crate) async fn serve(args: &Args) -> Result<Ended> {
    let log = if args.given("storage") == Some("ram") {
        let mut log = log::create(args)?;
        log::fill(&mut log, args.number("count")?, args.number("block")?, 1000)?;
        log
    } else {
        Hypercore::open(args.storage()?, Options::new())?
    };
    let feed = Feed::new(log);
    let source = Arc::new(FeedSet::from_iter([feed.clone()]));
    network::serve(args, feed.public_key(), source).await?;
    feed.close()?;
    Ok(Ended::Done)
}

/// Every block, and all of them here when the clock stops.
pub(crate) async fn fetch(args: &Args) -> Result<Ended> {
    let (count, size): (u64, u64) = (args.number("count")?, args.number("block")?);
    let feed = reader(args)?;
    let meter = Meter::start();
    let traffic = network::dial(args, Arc::new(FeedSet::from_iter([feed.clone()]))).await?;
    feed.wait_longer_than(count - 1).await?;
    feed.download(0..count).await?;
    let spent = meter.read();
    ensure!(feed.has_range(0..count), "blocks are missing");
    let metrics = Metrics::of(spent)
        .with("mib_per_s", spent.mib_per_s(count * size))
        .with("blocks_per_s", spent.per_s(count));
    let metrics = traffic.add_to(metrics, Some(count * size));
    feed.close()?;
    metrics.print();
    Ok(Ended::Done)
}

/// A range of bytes, sparsely.
pub(crate) async fn range(args: &Args) -> Result<Ended> {
    let (at, length): (u64, usize) = (args.number("at")?, args.number("length")?);
    let size: usize = args.number("block")?;
    data::pool();
    let feed = reader(args)?;
    let meter = Meter::start();
    let traffic = network::dial(args, Arc::new(FeedSet::from_iter([feed.clone()]))).await?;
    feed.wait_longer_than(0).await?;
    let found = feed.seek(at, 0..feed.length()).await?;
    let (mut index, offset) = found.context("the log ends before the range")?;
    let mut offset = usize::try_from(offset)?;
    let mut got = Vec::with_capacity(length);
    while got.len() < length {
        let block = feed.get(index).await?;
        let end = block.len().min(offset + length - got.len());
        got.extend_from_slice(&block[offset..end]);
        (index, offset) = (index + 1, 0);
    }
    let spent = meter.read();
    let bytes = traffic.add_to(Metrics::of(spent), Some(length as u64));
    for (place, byte) in (at..).zip(&got) {
        let within = usize::try_from(place % size as u64)?;
        ensure!(
            block(place / size as u64, size)[within] == *byte,
            "wrong bytes"
        );
    }
    bytes.with("range_ms", spent.wall_ms()).print();
    feed.close()?;
    Ok(Ended::Done)
}

/// An empty copy of the log that `key` names.
pub(crate) fn reader(args: &Args) -> Result<Feed> {
    let options = Options::new().key(args.key()?);
    Ok(Feed::new(Hypercore::open(args.fresh_storage()?, options)?))
}
