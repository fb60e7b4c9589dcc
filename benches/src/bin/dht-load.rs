//! How many questions one node of the DHT answers on one core, and how much memory it takes.
//!
//! ```text
//! cargo run --release -p benches --bin dht-load -- [--seconds N] [--neighbours N]
//! ```
//!
//! The node has a thread of its own, and real neighbours in its table. Askers on other threads keep
//! questions under way on loopback, one command at a time. What counts is the processor time of the
//! node's thread, in user and system, so that the figures hold on a machine that does much else; what
//! a sender pays to the system for a datagram is the asker's on the way there and the node's on the
//! way back. Memory is that of the whole process before any question, the neighbours not yet made.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hypercore_runtime::{Runtime, Tokio};
use hyperswarm::{Node, NodeConfig};
use hyperswarm_dht::wire::{Kind, Message, command};

fn main() -> Result<()> {
    let (mut seconds, mut neighbours) = (5, 100);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().context("a number is missing")?.parse()?;
        match argument.as_str() {
            "--seconds" => seconds = value,
            "--neighbours" => neighbours = value,
            _ => bail!("expected `[--seconds N] [--neighbours N]`"),
        }
    }
    // The node, alone on its thread; it tells what that has cost so far whenever it is asked.
    let (started, address) = mpsc::channel();
    let (ask, asked) = async_channel::bounded(1);
    let (tell, told) = mpsc::channel();
    thread::spawn(move || -> Result<()> {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        tokio.block_on(async {
            let runtime: Arc<dyn Runtime> = Arc::new(Tokio::current());
            let node = Node::bind(runtime, config(&[]))?;
            started.send(node.local_addr())?;
            while asked.recv().await.is_ok() {
                tell.send((thread_seconds(), node.status().nodes))?;
            }
            node.close().await;
            Ok(())
        })
    });
    let address = address.recv()?;
    let look = || -> Result<(f64, usize)> {
        ask.send_blocking(())?;
        Ok(told.recv()?)
    };
    look()?;
    println!("a node alone: {}", memory());

    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let runtime: Arc<dyn Runtime> = Arc::new(Tokio::new(tokio.handle().clone()));
    let mut others = Vec::new();
    for _ in 0..neighbours {
        let node = Node::bind(runtime.clone(), config(&[address]))?;
        tokio.block_on(node.ready())?;
        others.push(node);
    }
    println!(
        "with {} nodes in its table, and {neighbours} more in this process: {}",
        look()?.1,
        memory()
    );

    println!("| question | answered a second of its processor | of the wall | each |");
    println!("| --- | --- | --- | --- |");
    for (name, command, value) in [
        ("ping", command::PING, None),
        ("find node", command::FIND_NODE, None),
        ("lookup", command::PEERS, Some(&b""[..])),
    ] {
        let answered = Arc::new(AtomicU64::new(0));
        let over = Arc::new(AtomicBool::new(false));
        let askers: Vec<_> = (0..ASKERS)
            .map(|i| {
                let (answered, over) = (answered.clone(), over.clone());
                thread::spawn(move || keep_asking(i, address, command, value, &answered, &over))
            })
            .collect();
        thread::sleep(Duration::from_millis(300));
        let (cpu, wall, count) = (look()?.0, Instant::now(), answered.load(Ordering::Relaxed));
        thread::sleep(Duration::from_secs(seconds));
        let (cpu, wall, count) = (
            look()?.0 - cpu,
            wall.elapsed().as_secs_f64(),
            (answered.load(Ordering::Relaxed) - count) as f64,
        );
        over.store(true, Ordering::Relaxed);
        for asker in askers {
            asker.join().expect("askers do not panic")?;
        }
        println!(
            "| {name} | {:.0} | {:.0} | {:.2} µs |",
            count / cpu,
            count / wall,
            1e6 * cpu / count
        );
    }
    Ok(())
}

/// Keeps questions under way, and counts what is answered.
fn keep_asking(
    number: u32,
    node: SocketAddrV4,
    command: &str,
    value: Option<&[u8]>,
    answered: &AtomicU64,
    over: &AtomicBool,
) -> Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(SocketAddr::V4(node))?;
    socket.set_read_timeout(Some(Duration::from_millis(20)))?;
    let mut rid = u64::from(number) << 20;
    let mut buffer = [0; 2048];
    let mut ask = || -> Result<()> {
        rid += 1;
        let mut target = [0; 32];
        target[..8].copy_from_slice(&rid.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        let target = (command != command::PING).then_some(&target[..]);
        let question = Message {
            command: Some(command),
            target,
            value,
            ..Message::new(Kind::Query, rid)
        };
        socket.send(&question.encode())?;
        Ok(())
    };
    while !over.load(Ordering::Relaxed) {
        for _ in 0..WINDOW {
            ask()?;
        }
        // What is lost is replaced when nothing comes any more.
        while !over.load(Ordering::Relaxed) && socket.recv(&mut buffer).is_ok() {
            answered.fetch_add(1, Ordering::Relaxed);
            ask()?;
        }
    }
    Ok(())
}

fn config(bootstrap: &[SocketAddrV4]) -> NodeConfig {
    let mut config = NodeConfig::default();
    config.listen = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
    config.dht.ephemeral = false;
    config.dht.bootstrap = bootstrap.to_vec();
    config
}

/// The processor time of this thread.
#[cfg(unix)]
fn thread_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Without such a clock the thread counts as busy all the time.
#[cfg(not(unix))]
fn thread_seconds() -> f64 {
    use std::sync::OnceLock;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64()
}

/// What of the memory of this process is in use now.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|it| it.trim().split(' ').next()?.parse::<f64>().ok());
    kib.map_or("unknown".to_owned(), |kib| {
        format!("{:.1} MiB", kib / 1024.0)
    })
}

/// Threads that ask.
const ASKERS: u32 = 2;

/// Questions of each that are under way.
const WINDOW: usize = 64;
