//! Nodes as processes.

use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::{Child, Command, Stdio};

/// All nodes that live. They end with it.
pub(crate) struct Fleet {
    /// The elders first.
    processes: Vec<Process>,
    known: Vec<SocketAddrV4>,
    elders: usize,
    random: u64,
    kills: usize,
}

pub(crate) struct Process {
    child: Child,
    address: SocketAddrV4,
}

impl Fleet {
    pub(crate) fn start(nodes: usize, seed: u64) -> io::Result<Self> {
        let mut fleet = Self {
            processes: Vec::new(),
            known: Vec::new(),
            elders: nodes / 5,
            random: seed | 1,
            kills: 0,
        };
        for _ in 0..nodes {
            let process = Process::start(ANYWHERE, &fleet.known)?;
            if fleet.known.len() < KNOWN {
                fleet.known.push(process.address);
            }
            fleet.processes.push(process);
        }
        Ok(fleet)
    }

    /// The nodes that everybody begins with.
    pub(crate) fn known(&self) -> &[SocketAddrV4] {
        &self.known
    }

    /// Those that are never killed.
    pub(crate) fn elders(&self) -> &[Process] {
        &self.processes[..self.elders]
    }

    /// Kills one that is no elder, and starts another: in turn at the same address, as after a crash,
    /// and at a new one. It has a new id either way.
    pub(crate) fn replace_one(&mut self) -> io::Result<()> {
        // xorshift64
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let mortals = self.processes.len() - self.elders;
        let which = usize::try_from(self.random % mortals as u64).unwrap_or(0);
        let process = &mut self.processes[self.elders + which];
        process.end();
        let at = if self.kills.is_multiple_of(2) {
            process.address
        } else {
            ANYWHERE
        };
        *process = Process::start(at, &self.known)?;
        self.kills += 1;
        Ok(())
    }

    /// How many were killed.
    pub(crate) fn kills(&self) -> usize {
        self.kills
    }

    /// How many have ended by themselves, which none should.
    pub(crate) fn fallen(&mut self) -> usize {
        let mut fallen = 0;
        for process in &mut self.processes {
            fallen += usize::from(!matches!(process.child.try_wait(), Ok(None)));
        }
        fallen
    }
}

impl Process {
    fn start(at: SocketAddrV4, known: &[SocketAddrV4]) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["node", &at.to_string()])
            .args(known.iter().map(ToString::to_string))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let mut process = Self { child, address: at };
        process.address = line.trim().parse().map_err(io::Error::other)?;
        Ok(process)
    }

    fn end(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Memory in use, in bytes, where the system tells.
    pub(crate) fn memory(&self) -> Option<u64> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
    }

    /// Open files and sockets, where the system tells.
    pub(crate) fn descriptors(&self) -> Option<usize> {
        let path = format!("/proc/{}/fd", self.child.id());
        Some(std::fs::read_dir(path).ok()?.count())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Any free port on loopback.
const ANYWHERE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);

/// Nodes that everybody begins with; they are elders.
const KNOWN: usize = 2;
