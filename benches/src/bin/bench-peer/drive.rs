//! A drive: importing and reading (w5), and reading one that a peer has (w6).

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};
use benches::data::Positions;
use corestore::Corestore;
use hyperdrive::mirror::{Import, ImportOptions, Written};
use hyperdrive::{Attributes, Drive, Options};

use crate::args::Args;
use crate::meter::{Meter, Metrics, disk_bytes, float};
use crate::{Ended, network};

const LARGE: &str = "/big.bin";

/// Bytes in a range that is read.
const RANGE: u64 = 65_536;

/// One file after the other, each complete before the next.
pub(crate) async fn import_small(args: &Args) -> Result<Ended> {
    let (n, layout) = (args.number("n")?, args.layout()?);
    let source = Path::new(args.text("src")?);
    let (store, drive) = create(args).await?;
    let mut bytes = 0;
    let meter = Meter::start();
    for i in 0..n {
        let path = layout.file(i);
        let content = std::fs::read(source.join(&path[1..]))?;
        bytes += content.len() as u64;
        drive.write_file(&path, content, &Attributes::new()).await?;
    }
    let spent = meter.read();
    finish(&store, drive)?;
    Metrics::of(spent)
        .with("files_per_s", spent.per_s(n.into()))
        .with("mib_per_s", spent.mib_per_s(bytes))
        .with("cpu_us_per_file", spent.cpu_us_per(n.into()))
        .with("payload_bytes", float(bytes))
        .with("disk_bytes", float(disk_bytes(&args.dir()?)?))
        .print();
    Ok(Ended::Done)
}

/// A whole folder, as a share does it.
pub(crate) async fn import_bulk(args: &Args) -> Result<Ended> {
    let n: u64 = args.number("n")?;
    let source = Path::new(args.text("src")?);
    let (store, drive) = create(args).await?;
    let meter = Meter::start();
    let import = Import::plan(source, &drive, Written::new(), &ImportOptions::new()).await?;
    let imported = import.run(|_| {}).await?;
    let spent = meter.read();
    ensure!(imported.files == n, "{} files", imported.files);
    finish(&store, drive)?;
    Metrics::of(spent)
        .with("files_per_s", spent.per_s(n))
        .with("mib_per_s", spent.mib_per_s(imported.bytes))
        .with("cpu_us_per_file", spent.cpu_us_per(n))
        .with("disk_bytes", float(disk_bytes(&args.dir()?)?))
        .print();
    Ok(Ended::Done)
}

pub(crate) async fn import_large(args: &Args) -> Result<Ended> {
    let mut source = File::open(Path::new(args.text("src")?).join(&LARGE[1..]))?;
    let (store, drive) = create(args).await?;
    let meter = Meter::start();
    let mut writer = drive.writer(LARGE, &Attributes::new()).await?;
    loop {
        let mut piece = Vec::with_capacity(64 << 10);
        if Read::by_ref(&mut source)
            .take(64 << 10)
            .read_to_end(&mut piece)?
            == 0
        {
            break;
        }
        writer.write(piece).await?;
    }
    let stat = writer.finish().await?;
    let spent = meter.read();
    finish(&store, drive)?;
    Metrics::of(spent)
        .with("mib_per_s", spent.mib_per_s(stat.size))
        .with(
            "cpu_s_per_gib",
            spent.cpu_s / (float(stat.size) / f64::from(1 << 30)),
        )
        .with("disk_bytes", float(disk_bytes(&args.dir()?)?))
        .print();
    Ok(Ended::Done)
}

pub(crate) async fn read_small(args: &Args) -> Result<Ended> {
    let (n, layout) = (args.number("n")?, args.layout()?);
    let (_store, drive) = open(args).await?;
    let mut bytes = 0;
    let meter = Meter::start();
    for i in 0..n {
        bytes += drive.read_file(&layout.file(i)).await?.len() as u64;
    }
    let spent = meter.read();
    Metrics::of(spent)
        .with("files_per_s", spent.per_s(n.into()))
        .with("mib_per_s", spent.mib_per_s(bytes))
        .with("cpu_us_per_file", spent.cpu_us_per(n.into()))
        .print();
    Ok(Ended::Done)
}

/// All of it in order, then ranges anywhere.
pub(crate) async fn read_large(args: &Args) -> Result<Ended> {
    let ranges: u64 = args.number("ranges")?;
    let (_store, drive) = open(args).await?;
    let meter = Meter::start();
    let mut stream = drive.read(LARGE, ..).await?;
    let mut bytes = 0;
    while let Some(piece) = stream.next().await {
        bytes += piece?.len() as u64;
    }
    let streamed = meter.read();

    let mut at = Positions::new(3);
    let mut latencies = Vec::new();
    let meter = Meter::start();
    for _ in 0..ranges {
        let start = at.below(bytes - RANGE);
        let since = Instant::now();
        let mut stream = drive.read(LARGE, start..start + RANGE).await?;
        let mut got = 0;
        while let Some(piece) = stream.next().await {
            got += piece?.len() as u64;
        }
        ensure!(got == RANGE, "a range of {got} bytes");
        latencies.push(since.elapsed().as_secs_f64() * 1e6);
    }
    let ranged = meter.read();
    latencies.sort_by(f64::total_cmp);
    let quantile =
        |percent: usize| latencies[(latencies.len() * percent / 100).min(latencies.len() - 1)];
    Metrics::of(ranged)
        .with("mib_per_s", streamed.mib_per_s(bytes))
        .with(
            "cpu_s_per_gib",
            streamed.cpu_s / (float(bytes) / f64::from(1 << 30)),
        )
        .with("ranges_per_s", ranged.per_s(ranges))
        .with("range_cpu_us", ranged.cpu_us_per(ranges))
        .with("range_p50_us", quantile(50))
        .with("range_p99_us", quantile(99))
        .print();
    Ok(Ended::Done)
}

pub(crate) async fn serve(args: &Args) -> Result<Ended> {
    let (store, drive) = open(args).await?;
    tokio::spawn(drive.lookups()?);
    network::serve(args, drive.key(), store.source()).await?;
    Ok(Ended::Done)
}

/// From a peer, into a store that has nothing of it.
pub(crate) async fn fetch(args: &Args) -> Result<Ended> {
    let store = Corestore::open(args.fresh_storage()?, corestore::Options::new())?;
    let drive = Drive::open(&store, &args.key()?, Options::new()).await?;
    tokio::spawn(drive.lookups()?);
    let meter = Meter::start();
    let traffic = network::dial(args, store.source()).await?;
    drive.metadata().wait_longer_than(0).await?;
    let mut payload = None;
    let metrics = match args.text("op")? {
        "ttfb" => {
            let at: u64 = args.number("at")?;
            let mut stream = drive.read(LARGE, at..at + RANGE).await?;
            let (mut first, mut got) = (None, 0);
            while let Some(piece) = stream.next().await {
                first.get_or_insert_with(|| meter.read().wall_ms());
                got += piece?.len() as u64;
            }
            ensure!(got == RANGE, "a range of {got} bytes");
            let spent = meter.read();
            payload = Some(RANGE);
            Metrics::of(spent)
                .with("ttfb_ms", first.unwrap_or_default())
                .with("done_ms", spent.wall_ms())
        }
        "list" => {
            let n: u64 = args.number("n")?;
            let names = drive.read_dir("/flat", false).await?.sorted().await?;
            let spent = meter.read();
            ensure!(names.len() as u64 == n, "{} names", names.len());
            Metrics::of(spent)
                .with("list_ms", spent.wall_ms())
                .with("entries_per_s", spent.per_s(n))
                .with("bytes_per_entry", float(traffic.total()) / float(n))
        }
        "sync" => {
            let metadata = drive.metadata().clone();
            metadata.download(0..metadata.length()).await?;
            let content = drive.content().await?;
            content.wait_longer_than(0).await?;
            content.download(0..content.length()).await?;
            let spent = meter.read();
            payload = Some(content.byte_length());
            Metrics::of(spent)
                .with("sync_s", spent.wall_s)
                .with("mib_per_s", spent.mib_per_s(content.byte_length()))
                .with(
                    "blocks_per_s",
                    spent.per_s(content.length() + metadata.length()),
                )
        }
        _ => return Ok(Ended::NotOffered),
    };
    traffic.add_to(metrics, payload).print();
    store.close()?;
    Ok(Ended::Done)
}

/// A new drive that Node finds by opening the directory: it is the store's default core.
async fn create(args: &Args) -> Result<(Corestore, Drive)> {
    let store = Corestore::open(args.fresh_storage()?, corestore::Options::new())?;
    let drive = Drive::create(&store, Options::new()).await?;
    Ok((store, drive))
}

async fn open(args: &Args) -> Result<(Corestore, Drive)> {
    let store = Corestore::open(args.storage()?, corestore::Options::new())?;
    let drive = Drive::create(&store, Options::new()).await?;
    Ok((store, drive))
}

fn finish(store: &Corestore, drive: Drive) -> Result<()> {
    drive.flush()?;
    drop(drive);
    store.close()?;
    Ok(())
}
