//! A network of real nodes, each a process, that are killed and replaced without end, and whether it
//! keeps working and its memory stays flat. `cargo xtask soak` runs it.
//!
//! ```text
//! cargo run --release -p hyperswarm --example soak -- [--nodes N] [--seconds N] [--pause MS]
//!     [--rounds N] [--seed N]
//! ```
//!
//! In each round a node is killed (SIGKILL where there is such a thing) and another started, a client
//! announces a topic, and another client looks for it, and for the topic of an earlier round. A fifth
//! of the nodes, the elders, is spared: theirs is the memory that is judged. Everything stays on
//! loopback. The last line says `verdict: passed`, or why not, and the status follows it.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hypercore_runtime::{Runtime, Tokio};
use hyperswarm::{Node, NodeConfig};
use hyperswarm_dht::{AnnounceOptions, Id, LookupOptions};

mod figures;
mod fleet;

use figures::{Figures, Lookup};
use fleet::Fleet;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What to do, from the command line.
struct Plan {
    nodes: usize,
    time: Duration,
    pause: Duration,
    rounds: usize,
    seed: u64,
}

async fn run() -> Result<bool, Box<dyn Error>> {
    let mut plan = Plan {
        nodes: 200,
        time: Duration::from_secs(600),
        pause: Duration::from_secs(1),
        rounds: usize::MAX,
        seed: 1,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "node" {
            let addresses = arguments
                .map(|it| it.parse())
                .collect::<Result<Vec<_>, _>>();
            return serve(&addresses?).await;
        }
        let value: u64 = arguments.next().ok_or("a number is missing")?.parse()?;
        match argument.as_str() {
            "--nodes" => plan.nodes = usize::try_from(value)?.max(MIN_NODES),
            "--seconds" => plan.time = Duration::from_secs(value),
            "--pause" => plan.pause = Duration::from_millis(value),
            "--rounds" => plan.rounds = usize::try_from(value)?,
            "--seed" => plan.seed = value,
            _ => return Err("expected --nodes, --seconds, --pause, --rounds or --seed".into()),
        }
    }
    soak(&plan).await
}

/// One node of the network, from where it listens and whom it begins with: it says where it is, and
/// ends with whoever started it.
async fn serve(addresses: &[SocketAddrV4]) -> Result<bool, Box<dyn Error>> {
    let (listen, known) = addresses.split_first().ok_or("an address is missing")?;
    std::thread::spawn(|| {
        let _until_the_end = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    let node = Node::bind(runtime(), config(*listen, known, false))?;
    node.ready().await?;
    println!("{}", node.local_addr());
    std::future::pending().await
}

async fn soak(plan: &Plan) -> Result<bool, Box<dyn Error>> {
    println!("seed {}", plan.seed);
    let mut fleet = Fleet::start(plan.nodes, plan.seed)?;
    println!(
        "{} nodes, {} of them elders",
        plan.nodes,
        fleet.elders().len()
    );
    let client = |known: &[SocketAddrV4]| Node::bind(runtime(), config(ANYWHERE, known, true));
    let announcer = client(fleet.known())?;
    announcer.ready().await?;

    let mut figures = Figures::new(plan.time / 10);
    figures.heading();
    let start = Instant::now();
    let mut round = 0;
    while round < plan.rounds && start.elapsed() < plan.time {
        let begun = Instant::now();
        fleet.replace_one()?;
        if figures.is_due(start.elapsed()) {
            figures.look(start.elapsed(), &mut fleet);
        }
        let announced = announcer.announce(topic(round), AnnounceOptions::default());
        figures.announced(announced.finish().await.is_ok());
        // A fresh one each time, as if another program had just been started.
        let seeker = client(fleet.known())?;
        seeker.ready().await?;
        let earlier = round.saturating_sub(AGE);
        for round in [round, earlier] {
            let lookup = look_up(&seeker, topic(round), announcer.local_addr()).await;
            figures.looked_up(lookup);
        }
        seeker.close().await;
        round += 1;
        tokio::time::sleep(plan.pause.saturating_sub(begun.elapsed())).await;
    }
    figures.look(start.elapsed(), &mut fleet);
    let complaints = figures.verdict(&fleet);
    if complaints.is_empty() {
        println!("verdict: passed");
    } else {
        println!("verdict: failed: {}", complaints.join("; "));
    }
    Ok(complaints.is_empty())
}

async fn look_up(seeker: &Node, topic: Id, wanted: SocketAddrV4) -> Lookup {
    let start = Instant::now();
    let mut walk = seeker.lookup(topic, LookupOptions::default());
    let mut found = None;
    while let Some(peers) = walk.next().await {
        if peers.peers.contains(&wanted) {
            found.get_or_insert(start.elapsed());
        }
    }
    let requests = walk.finish().await.map_or(0, |summary| summary.requests);
    Lookup { found, requests }
}

fn topic(round: usize) -> Id {
    let mut bytes = [0; 32];
    let mixed = (round as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for piece in bytes.chunks_mut(8) {
        piece.copy_from_slice(&mixed.to_be_bytes());
    }
    Id::from_bytes(bytes)
}

fn runtime() -> Arc<dyn Runtime> {
    Arc::new(Tokio::current())
}

fn config(listen: SocketAddrV4, known: &[SocketAddrV4], ephemeral: bool) -> NodeConfig {
    let mut config = NodeConfig::default();
    config.listen = listen;
    config.dht.bootstrap = known.to_vec();
    config.dht.ephemeral = ephemeral;
    config
}

/// Any free port on loopback.
const ANYWHERE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);

/// Fewer could not keep what is announced.
const MIN_NODES: usize = 10;

/// Rounds after which a topic is looked for once more: many who keep it have been killed since.
const AGE: usize = 30;
