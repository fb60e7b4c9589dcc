//! Runs the real binary: to its end, or in the background until the test is over.
//!
//! Nothing here sleeps. A test waits for a line, for the end of a process, or fails after
//! [`DEADLINE`] with everything that the process has printed.

#![allow(dead_code, unused_imports, clippy::unwrap_used)] // every test file compiles this module, and uses a part of it

mod dht;
mod proxy;
pub(crate) mod transcript;
mod tree;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use dht::Network;
pub(crate) use proxy::Proxy;
pub(crate) use tree::{Thing, noise, sample, tree, write};

/// How long a single wait may take before the test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// What a process left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit status; `None` when a signal killed it.
    pub(crate) code: Option<i32>,
    /// Everything that it wrote to standard output.
    pub(crate) stdout: Vec<u8>,
    /// Everything that it wrote to standard error.
    pub(crate) stderr: String,
}

impl Ended {
    /// Standard output as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).expect("standard output is UTF-8")
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).expect("standard output is JSON")
    }

    /// Fails the test unless the process ended with this status.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stderr:\n{}", self.stderr);
        self
    }

    /// Fails the test unless standard error has this text.
    #[track_caller]
    pub(crate) fn tells(self, text: &str) -> Self {
        assert!(
            self.stderr.contains(text),
            "no {text:?} in:\n{}",
            self.stderr
        );
        self
    }
}

/// The binary, with the settings that every test wants.
pub(crate) fn command(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hyperdrive"));
    command
        .args(args)
        .env_remove("HYPERDRIVE_STORAGE")
        // No test sends a packet beyond this machine.
        .env("HYPERDRIVE_NO_SWARM", "true")
        .env_remove("HYPERDRIVE_BOOTSTRAP")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs the binary to its end.
#[track_caller]
pub(crate) fn run(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Ended {
    Background::spawn(command(args)).end()
}

/// A process that runs beside the test, and is killed when the test drops it.
pub(crate) struct Background {
    child: Child,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<String>,
    seen_stderr: String,
}

impl Background {
    /// Starts the binary with these arguments.
    #[track_caller]
    pub(crate) fn start(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        Self::spawn(command(args))
    }

    /// Starts a prepared command.
    #[track_caller]
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the binary starts");
        let out = child.stdout.take().expect("stdout is piped");
        let err = child.stderr.take().expect("stderr is piped");
        let (tell_out, stdout) = channel();
        thread::spawn(move || {
            let mut out = BufReader::new(out);
            loop {
                let mut line = Vec::new();
                match out.read_until(b'\n', &mut line) {
                    Ok(1..) if tell_out.send(line).is_ok() => {}
                    _ => break,
                }
            }
        });
        let (tell_err, stderr) = channel();
        thread::spawn(move || {
            for line in BufReader::new(err).lines().map_while(Result::ok) {
                if tell_err.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            stdout,
            stderr,
            seen_stderr: String::new(),
        }
    }

    /// The process's id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line on standard error that starts so, and returns the rest of it.
    #[track_caller]
    pub(crate) fn stderr_after(&mut self, start: &str) -> String {
        loop {
            let line = self.next_stderr(start);
            if let Some(rest) = line.strip_prefix(start) {
                return rest.to_owned();
            }
        }
    }

    /// Waits for a line on standard error that has this text in it.
    #[track_caller]
    pub(crate) fn stderr_with(&mut self, text: &str) -> String {
        loop {
            let line = self.next_stderr(text);
            if line.contains(text) {
                return line;
            }
        }
    }

    #[track_caller]
    fn next_stderr(&mut self, wanted: &str) -> String {
        match self.stderr.recv_timeout(DEADLINE) {
            Ok(line) => {
                self.seen_stderr.push_str(&line);
                self.seen_stderr.push('\n');
                line
            }
            Err(error) => panic!("no {wanted:?} ({error}) in:\n{}", self.seen_stderr),
        }
    }

    /// Waits for the next line on standard output.
    #[track_caller]
    pub(crate) fn stdout_line(&mut self) -> String {
        match self.stdout.recv_timeout(DEADLINE) {
            Ok(line) => String::from_utf8(line)
                .expect("UTF-8")
                .trim_end_matches('\n')
                .to_owned(),
            Err(error) => {
                let rest: Vec<String> = self.stderr.try_iter().collect();
                panic!(
                    "no line ({error}); stderr:\n{}{}",
                    self.seen_stderr,
                    rest.join("\n")
                )
            }
        }
    }

    /// Waits for the address that the process serves on.
    #[track_caller]
    pub(crate) fn address(&mut self) -> String {
        self.stderr_after("listening on ")
    }

    /// Sends a signal by its name (`INT`, `TERM`).
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.pid().to_string()])
            .status();
        assert!(sent.expect("kill runs").success());
    }

    /// Asks the process to end, as Ctrl-C does where there are signals.
    pub(crate) fn interrupt(&self) {
        #[cfg(unix)]
        self.signal("INT");
        #[cfg(not(unix))]
        Command::new("taskkill")
            .args(["/F", "/PID", &self.pid().to_string()])
            .status()
            .expect("taskkill runs");
    }

    /// Ends the process without a chance to clean up.
    pub(crate) fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for the end of the process.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        let deadline = Instant::now() + DEADLINE;
        let mut stdout = Vec::new();
        // Both pipes close when the process ends: nothing is polled.
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.stdout.recv_timeout(left) {
                Ok(line) => stdout.extend(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => self.too_long(),
            }
        }
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.stderr.recv_timeout(left) {
                Ok(line) => {
                    self.seen_stderr.push_str(&line);
                    self.seen_stderr.push('\n');
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => self.too_long(),
            }
        }
        let code = self
            .child
            .wait()
            .expect("the process can be waited for")
            .code();
        Ended {
            code,
            stdout,
            stderr: std::mem::take(&mut self.seen_stderr),
        }
    }

    #[track_caller]
    fn too_long(&mut self) -> ! {
        let rest: Vec<String> = self.stderr.try_iter().collect();
        panic!(
            "still running after {DEADLINE:?}:\n{}{}",
            self.seen_stderr,
            rest.join("\n")
        );
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A place for the storage and the folders of one test.
pub(crate) struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        Self { dir }
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// An empty folder in it.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).expect("a folder");
        path
    }

    /// Starts `hyperdrive share` on a free loopback port, with the storage of this name.
    #[track_caller]
    pub(crate) fn share(&self, storage: &str, folder: &str) -> Sharing {
        self.share_with(storage, folder, &[])
    }

    /// As [`share`](Self::share), with more arguments.
    #[track_caller]
    pub(crate) fn share_with(&self, storage: &str, folder: &str, more: &[&str]) -> Sharing {
        let mut args = vec!["share".into(), self.path(folder).into_os_string()];
        args.extend(["--listen", "127.0.0.1:0", "--storage"].map(OsString::from));
        args.push(self.path(storage).into_os_string());
        args.extend(more.iter().map(OsString::from));
        let mut process = Background::start(args);
        let address = process.address();
        let link = process.stdout_line();
        Sharing {
            process,
            link,
            address,
        }
    }

    /// Runs a command to its end, with the storage of this name.
    #[track_caller]
    pub(crate) fn run(&self, storage: &str, args: &[&str]) -> Ended {
        Background::spawn(self.command(storage, args)).end()
    }

    /// Starts a command in the background, with the storage of this name.
    #[track_caller]
    pub(crate) fn start(&self, storage: &str, args: &[&str]) -> Background {
        Background::spawn(self.command(storage, args))
    }

    /// A command with the storage of this name, in this place's folder.
    pub(crate) fn command(&self, storage: &str, args: &[&str]) -> Command {
        let mut command = command(args);
        command
            .arg("--storage")
            .arg(self.path(storage))
            .current_dir(self.dir.path());
        command
    }
}

/// A running `hyperdrive share`.
pub(crate) struct Sharing {
    pub(crate) process: Background,
    pub(crate) link: String,
    pub(crate) address: String,
}

/// Reads everything from a reader, for pipes that a test opens itself.
pub(crate) fn read_all(mut from: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).expect("readable");
    bytes
}
