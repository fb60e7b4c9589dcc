//! One process under measurement: its first words, its memory, its end.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::memory::Watch;

/// A running process. It is killed if it is dropped before its end.
pub(super) struct Process {
    child: Child,
    stdout: BufReader<ChildStdout>,
    address: Receiver<String>,
    started: Instant,
    memory: Option<Watch>,
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
        let memory = Watch::start(&child);
        Ok(Self {
            child,
            stdout,
            address,
            started,
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
        self.memory.take().and_then(Watch::peak).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _already_ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
