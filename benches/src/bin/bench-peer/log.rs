//! One log: appending (w1), reading (w2), opening a long one (w7).

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::{Context, Result, ensure};
use benches::data::{self, Positions, block};
use hypercore::{Durability, Hypercore, Options};
use hypercore_crypto::KeyPair;
use serde_json::json;

use crate::Ended;
use crate::args::Args;
use crate::meter::{Meter, Metrics, disk_bytes, memory_mib};

pub(crate) fn append(args: &Args) -> Result<Ended> {
    let size: usize = args.number("block")?;
    let (batch, count): (u64, u64) = (args.number("batch")?, args.number("count")?);
    data::pool();
    let mut log = create(args)?;
    let base = memory_mib("VmRSS:");
    let meter = Meter::start();
    fill(&mut log, count, size, batch)?;
    let spent = meter.read();
    Metrics::of(spent)
        .with("blocks_per_s", spent.per_s(count))
        .with("mib_per_s", spent.mib_per_s(count * size as u64))
        .with("cpu_us_per_block", spent.cpu_us_per(count))
        .with("base_rss_mib", base)
        .print();
    log.close()?;
    Ok(Ended::Done)
}

/// A log on disk for other workloads, written in batches.
pub(crate) fn prepare(args: &Args, batch: u64) -> Result<Ended> {
    let mut log = create(args)?;
    fill(
        &mut log,
        args.number("count")?,
        args.number("block")?,
        batch,
    )?;
    log.close()?;
    println!(
        "{}",
        json!({ "ready": true, "disk_bytes": disk_bytes(&args.dir()?)? })
    );
    Ok(Ended::Done)
}

/// So many reads at once are so many threads, up to what the machine runs at once.
pub(crate) fn get(args: &Args) -> Result<Ended> {
    let (count, gets): (u64, u64) = (args.number("count")?, args.number("gets")?);
    let at_once: usize = args.number("concurrency")?;
    let threads = at_once.min(thread::available_parallelism()?.get());
    let log = Hypercore::open(args.storage()?, Options::new())?;
    let mut warm_up = Positions::new(1);
    for _ in 0..200 {
        read_one(&log, &mut warm_up, count)?;
    }
    let taken = AtomicU64::new(0);
    let work = |seed: u32| -> Result<()> {
        let mut at = Positions::new(seed);
        while taken.fetch_add(1, Ordering::Relaxed) < gets {
            read_one(&log, &mut at, count)?;
        }
        Ok(())
    };
    let meter = Meter::start();
    if threads == 1 {
        work(7)?;
    } else {
        thread::scope(|scope| {
            let seeds = (7..).take(threads);
            let work = &work;
            let running: Vec<_> = seeds.map(|seed| scope.spawn(move || work(seed))).collect();
            running
                .into_iter()
                .try_for_each(|it| it.join().expect("a reader does not panic"))
        })?;
    }
    let spent = meter.read();
    Metrics::of(spent)
        .with("gets_per_s", spent.per_s(gets))
        .with("cpu_us_per_get", spent.cpu_us_per(gets))
        .print();
    Ok(Ended::Done)
}

fn read_one(log: &Hypercore, at: &mut Positions, count: u64) -> Result<()> {
    log.get(at.below(count))?.context("a block is missing")?;
    Ok(())
}

/// From nothing to the first block of a long log.
pub(crate) fn open_big(args: &Args) -> Result<Ended> {
    let count: u64 = args.number("count")?;
    let before = memory_mib("VmRSS:");
    let meter = Meter::start();
    let log = Hypercore::open(args.storage()?, Options::new())?;
    let opened = meter.read();
    log.get(count / 2)?.context("a block is missing")?;
    let first = meter.read();
    ensure!(log.length() == count, "{} blocks", log.length());
    let after = memory_mib("VmRSS:");
    Metrics::of(first)
        .with("open_ms", opened.wall_ms())
        .with("open_to_first_get_ms", first.wall_ms())
        .with("rss_delta_mib", after - before)
        .with("rss_mib", after)
        .print();
    Ok(Ended::Done)
}

/// A new log that can be written; with `durable=1`, each append has reached the disk when it returns.
pub(crate) fn create(args: &Args) -> Result<Hypercore> {
    let durability = if args.is_on("durable", false) {
        Durability::EachAppend
    } else {
        Durability::OnFlush
    };
    let options = Options::new().key_pair(pair()).durability(durability);
    Ok(Hypercore::open(args.fresh_storage()?, options)?)
}

/// Appends blocks, so many a call.
pub(crate) fn fill(log: &mut Hypercore, count: u64, size: usize, batch: u64) -> Result<()> {
    let mut next = 0;
    while next < count {
        let end = count.min(next + batch);
        if end == next + 1 {
            log.append(block(next, size))?;
        } else {
            let blocks: Vec<_> = (next..end).map(|i| block(i, size)).collect();
            log.append_batch(&blocks)?;
        }
        next = end;
    }
    Ok(())
}

fn pair() -> KeyPair {
    KeyPair::from_seed(&[1; 32])
}
