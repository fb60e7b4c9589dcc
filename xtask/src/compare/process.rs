//! One process under measurement: its first words, its memory, its end.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A running process. It is killed if it is dropped before its end.
pub(super) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    address: Receiver<String>,
    started: Instant,
    over: Arc<AtomicBool>,
    memory: Option<JoinHandle<u64>>,
}

impl Process {
    pub(super) fn start(command: &mut Command) -> Result<Self> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().context("stdout is a pipe")?);
        let stderr = BufReader::new(child.stderr.take().context("stderr is a pipe")?);
        // Nobody looks at progress, but a full pipe would stop it.
        let (sender, address) = mpsc::channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if let Some((_, at)) = line.rsplit_once("listening on ") {
                    let _nobody_asked = sender.send(at.to_owned());
                }
            }
        });
        let over = Arc::new(AtomicBool::new(false));
        let memory = thread::spawn({
            let (over, id) = (Arc::clone(&over), child.id());
            move || watch_memory(id, &over)
        });
        Ok(Self {
            child,
            stdin,
            stdout,
            address,
            started,
            over,
            memory: Some(memory),
        })
    }

    /// The address that it says, on standard error, it listens on.
    pub(super) fn address(&self) -> Result<String> {
        self.address
            .recv_timeout(Duration::from_secs(60))
            .context("it announces no address")
    }

    /// The next line on standard output, and the time since the start.
    pub(super) fn line(&mut self) -> Result<(String, Duration)> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            bail!("it ended ({}) without a word", self.child.wait()?);
        }
        Ok((line.trim_end().to_owned(), self.started.elapsed()))
    }

    /// Waits for its own end. Returns its memory's high-water mark in bytes, and its run time.
    pub(super) fn wait(mut self) -> Result<(u64, Duration)> {
        let status = self.child.wait()?;
        let took = self.started.elapsed();
        if !status.success() {
            bail!("it ended with {status}");
        }
        Ok((self.peak(), took))
    }

    /// Closes its standard input, which ends a peer that serves, and waits.
    pub(super) fn hang_up(mut self) -> Result<u64> {
        self.stdin.take();
        Ok(self.wait()?.0)
    }

    /// Asks it to end as a service manager would, and waits. How it ends does not matter.
    pub(super) fn terminate(mut self) -> Result<u64> {
        let id = self.child.id().to_string();
        if !Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .is_ok_and(|sent| sent.success())
        {
            self.child.kill()?;
        }
        self.child.wait()?;
        Ok(self.peak())
    }

    fn peak(&mut self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        self.memory
            .take()
            .and_then(|watch| watch.join().ok())
            .unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _already_ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Reads the high-water mark until the process is over. It only ever rises, so the last reading is
/// short of the truth by what a few milliseconds can add. 0 where there is no `/proc`.
fn watch_memory(id: u32, over: &AtomicBool) -> u64 {
    let mut peak = 0;
    while !over.load(Ordering::Relaxed) {
        match high_water_mark(id) {
            Some(bytes) => peak = peak.max(bytes),
            None if peak > 0 => break,
            None => {}
        }
        thread::sleep(Duration::from_millis(5));
    }
    peak
}

fn high_water_mark(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}
