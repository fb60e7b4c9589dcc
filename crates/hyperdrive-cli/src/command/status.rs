use std::time::Duration;

use crate::args::{Global, Status as Args};
use crate::client::{Nat, Network, Process, Status};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, count, printable, size};
use crate::signals::Signals;

pub(crate) async fn run(args: Args, global: Global, mut signals: Signals) -> Result<Exit, Failure> {
    let learned = Status::learn(&global, PATIENCE);
    let status = signals.unless_asked(learned).await?;
    let mut out = Output::stdout();
    if args.json.json {
        out.json(&status)?;
    } else {
        text(&mut out, &status)?;
    }
    out.finish()?;
    match &status.network {
        Some(network) if network.nodes == 0 => {
            let failure = Failure::new(Exit::TryAgain, "no node of the DHT answered");
            Err(failure.hint("check the network, or name other nodes with --bootstrap HOST:PORT"))
        }
        _ => Ok(Exit::Ok),
    }
}

fn text(out: &mut Output, status: &Status) -> Result<(), Failure> {
    let mut line = |name: &str, value: &str| out.line(&format!("{name:<13} {value}"));
    match &status.process {
        Some(process) => {
            line("process", &held_by(process))?;
            line("peers", &peers(process))?;
            let (received, sent) = (size(process.received), size(process.sent));
            line("traffic", &format!("{received} in, {sent} out"))?;
        }
        None => line("process", "none shares or seeds from this storage")?,
    }
    let Some(network) = &status.network else {
        return line("discovery", "off");
    };
    line("reachable", reachable(network))?;
    line("address", &address(network))?;
    line("NAT", nat(network.nat))?;
    line("DHT", &dht(network))?;
    line("local network", &lan(network))
}

fn held_by(process: &Process) -> String {
    match &process.listening {
        Some(address) => format!("{}, listening on {address}", process.pid),
        None => process.pid.to_string(),
    }
}

fn peers(process: &Process) -> String {
    let Process {
        peers,
        found,
        drives,
        ..
    } = process;
    let drives = count(*drives as u64, "drive");
    format!("{peers} connected, {found} found, of {drives}")
}

fn reachable(network: &Network) -> &'static str {
    match (network.reachable, network.nat) {
        (Some(true), Nat::None) => "yes, unless a firewall is in between",
        (Some(true), _) => "yes, by hole punching",
        (Some(false), _) => "no, except by peers without a NAT of this kind",
        (None, _) => "unknown",
    }
}

fn address(network: &Network) -> String {
    match (&network.address, network.port) {
        (Some(address), Some(port)) => format!("{address}:{port}"),
        (Some(address), None) => format!("{address}, another port towards each peer"),
        (None, _) if network.nodes == 0 => "unknown: nobody answers".to_owned(),
        (None, _) => "unknown: too few say the same".to_owned(),
    }
}

fn nat(nat: Nat) -> &'static str {
    match nat {
        Nat::None => "none",
        Nat::SamePort => "one that gives the same port towards everybody",
        Nat::OtherPorts => "one that gives another port towards each peer",
        Nat::Unknown => "unknown",
    }
}

fn dht(network: &Network) -> String {
    let nodes = format!("{} known", count(network.nodes as u64, "node"));
    match network.network_size {
        Some(size) => format!("{nodes}, of about {size}"),
        None => nodes,
    }
}

fn lan(network: &Network) -> String {
    match (network.lan_links, &network.lan_error) {
        (Some(links), _) => format!("searched on {}", count(links as u64, "link")),
        (None, Some(error)) => format!("not searched: {}", printable(error)),
        (None, None) => "not searched".to_owned(),
    }
}

/// How long others may take to say how they see us.
const PATIENCE: Duration = Duration::from_secs(10);
