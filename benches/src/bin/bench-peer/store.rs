//! Many logs in one store: opening and listing them (w7).

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use benches::data::block;
use corestore::{Corestore, Options};
use hypercore::Feed;
use hypercore_crypto::PublicKey;
use serde_json::json;

use crate::Ended;
use crate::args::Args;
use crate::meter::{Meter, Metrics, disk_bytes, float, memory_mib, open_files};

/// A store of logs with one block each, and their keys in a file beside it.
pub(crate) fn prepare(args: &Args) -> Result<Ended> {
    let cores: u64 = args.number("cores")?;
    let store = Corestore::open(args.fresh_storage()?, Options::new())?;
    let mut keys = Vec::new();
    for i in 0..cores {
        let feed = store.get_by_name(format!("core-{i}"))?;
        feed.append(block(i, 64))?;
        keys.push(hex::encode(feed.public_key().as_bytes()));
    }
    store.close()?;
    fs::write(key_file(args)?, serde_json::to_vec(&keys)?)?;
    println!(
        "{}",
        json!({ "ready": true, "disk_bytes": disk_bytes(&args.dir()?)? })
    );
    Ok(Ended::Done)
}

pub(crate) fn open(args: &Args) -> Result<Ended> {
    let keys = keys(args)?;
    let before = memory_mib("VmRSS:");
    let meter = Meter::start();
    let store = store_for(args, keys.len())?;
    let opened = meter.read();
    let feeds = open_all(&store, &keys)?;
    let all = meter.read();
    let after = memory_mib("VmRSS:");
    Metrics::of(all)
        .with("store_open_ms", opened.wall_ms())
        .with("open_all_ms", all.wall_ms())
        .with(
            "kib_per_core",
            (after - before) * 1024.0 / float(feeds.len() as u64),
        )
        .with("rss_mib", after)
        .with("open_fds", float(open_files()))
        .print();
    Ok(Ended::Done)
}

pub(crate) fn list(args: &Args) -> Result<Ended> {
    let expected: usize = args.number("cores")?;
    let meter = Meter::start();
    let store = store_for(args, expected)?;
    let stored: Vec<_> = store.list().collect::<Result<_, _>>()?;
    let listed = meter.read();
    ensure!(stored.len() == expected, "{} cores", stored.len());
    let keys: Vec<_> = stored.iter().map(|core| core.public_key()).collect();
    drop(stored);
    let feeds = open_all(&store, &keys)?;
    let all = meter.read();
    Metrics::of(all)
        .with("list_ms", listed.wall_ms())
        .with("list_cpu_ms", listed.cpu_s * 1e3)
        .with("open_all_ms", all.wall_ms())
        .with("rss_mib", memory_mib("VmRSS:"))
        .with("open_fds", float(open_files()))
        .print();
    drop(feeds);
    Ok(Ended::Done)
}

fn store_for(args: &Args, cores: usize) -> Result<Corestore> {
    let options = Options::new().open_cores(cores + 1);
    Ok(Corestore::open(args.storage()?, options)?)
}

fn open_all(store: &Corestore, keys: &[PublicKey]) -> Result<Vec<Feed>> {
    let feeds = keys.iter().map(|key| store.get(key));
    let feeds: Vec<_> = feeds.collect::<Result<_, _>>()?;
    ensure!(feeds.iter().all(|feed| feed.length() == 1), "a bad core");
    Ok(feeds)
}

fn keys(args: &Args) -> Result<Vec<PublicKey>> {
    let texts: Vec<String> = serde_json::from_slice(&fs::read(key_file(args)?)?)?;
    let keys = texts.iter().map(|text| {
        let bytes = hex::decode(text)?;
        let bytes = bytes.try_into().ok().context("a key has 32 bytes")?;
        Ok(PublicKey::from_bytes(bytes))
    });
    keys.collect()
}

fn key_file(args: &Args) -> Result<PathBuf> {
    Ok(PathBuf::from(format!("{}.keys.json", args.text("dir")?)))
}
