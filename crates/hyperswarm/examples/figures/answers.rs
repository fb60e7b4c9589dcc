//! One node on a thread of its own: its memory, and the questions that it answers.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use hypercore_runtime::{Runtime, Tokio};
use hyperswarm_dht::wire::{Kind, Message, command};

use crate::{Done, node};

/// The processor time of the node's thread counts, in user and system, so that the figures hold on a
/// machine that does much else. What the system takes for a datagram is the asker's on the way there
/// and the node's on the way back.
pub(crate) fn measure(with_answers: bool) -> Done {
    let (started, address) = mpsc::channel();
    let (ask, asked) = async_channel::bounded::<()>(1);
    let (tell, told) = mpsc::channel();
    thread::spawn(move || -> Done {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        tokio.block_on(async {
            let runtime: Arc<dyn Runtime> = Arc::new(Tokio::current());
            let node = node(&runtime, &[], false)?;
            started.send(node.local_addr())?;
            while asked.recv().await.is_ok() {
                tell.send((thread_seconds(), node.status().nodes))?;
            }
            Ok(())
        })
    });
    let address = address.recv()?;
    let look = || -> Result<(f64, usize), Box<dyn std::error::Error + Send + Sync>> {
        ask.send_blocking(())?;
        Ok(told.recv()?)
    };
    look()?;
    println!(
        "memory of a node alone, program and runtime included: {}",
        memory()
    );

    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let runtime: Arc<dyn Runtime> = Arc::new(Tokio::new(tokio.handle().clone()));
    let mut others = Vec::new();
    for _ in 0..NEIGHBOURS {
        let other = node(&runtime, &[address], false)?;
        tokio.block_on(other.ready())?;
        others.push(other);
    }
    let nodes = look()?.1;
    println!(
        "with {nodes} nodes in its table, and {NEIGHBOURS} more in this process: {}",
        memory()
    );
    if !with_answers {
        return Ok(());
    }
    println!("\n| question | answered in a second of its processor | of the wall | each |");
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
        thread::sleep(TIME);
        let cpu = look()?.0 - cpu;
        let wall = wall.elapsed().as_secs_f64();
        let count = (answered.load(Ordering::Relaxed) - count) as f64;
        over.store(true, Ordering::Relaxed);
        for asker in askers {
            asker.join().map_err(|_| "an asker panicked")??;
        }
        let [in_cpu, in_wall, each] = [count / cpu, count / wall, 1e6 * cpu / count];
        println!("| {name} | {in_cpu:.0} | {in_wall:.0} | {each:.2} µs |");
    }
    println!();
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
) -> std::io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(SocketAddr::V4(node))?;
    socket.set_read_timeout(Some(Duration::from_millis(20)))?;
    let mut rid = u64::from(number) << 20;
    let mut buffer = [0; 2048];
    let mut ask = || -> std::io::Result<()> {
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

/// The processor time of this thread, where the system tells; else the time of the wall.
fn thread_seconds() -> f64 {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = schedule.and_then(|it| it.split(' ').next()?.parse::<f64>().ok());
    nanoseconds.map_or_else(wall_seconds, |it| it / 1e9)
}

fn wall_seconds() -> f64 {
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

/// Nodes that the one gets to know.
const NEIGHBOURS: usize = 100;

/// How long each question is asked.
const TIME: Duration = Duration::from_secs(5);

/// Threads that ask.
const ASKERS: u32 = 2;

/// Questions of each that are under way.
const WINDOW: usize = 64;
