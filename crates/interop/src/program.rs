//! The built `hyperdrive`, run as its users run it.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Instant;

use crate::LIMIT;
use crate::lines::Lines;

/// One run of `hyperdrive` that has not begun.
#[derive(Debug)]
pub struct Program(Command);

impl Program {
    /// A command of `hyperdrive` with its arguments, and a storage directory of the test's own.
    #[must_use]
    pub fn new(storage: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        Self::prepared(storage, arguments, &["--no-swarm"])
    }

    /// As [`new`](Self::new), finding peers through the node of the DHT that listens on this port of
    /// 127.0.0.1.
    #[must_use]
    pub fn in_network(
        storage: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        bootstrap: u16,
    ) -> Self {
        let bootstrap = format!("127.0.0.1:{bootstrap}");
        Self::prepared(storage, arguments, &["--no-lan", "--bootstrap", &bootstrap])
    }

    fn prepared(
        storage: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        network: &[&str],
    ) -> Self {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .args(network)
            .arg("--storage")
            .arg(storage);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self(command)
    }

    /// Runs it to its end.
    #[must_use]
    #[track_caller]
    pub fn run(self) -> Finished {
        self.start().wait()
    }

    /// Starts it.
    #[must_use]
    #[track_caller]
    pub fn start(mut self) -> Running {
        let mut process = self.0.spawn().expect("hyperdrive starts");
        let stdout = Lines::of(process.stdout.take().expect("stdout is a pipe"));
        let stderr = Lines::of(process.stderr.take().expect("stderr is a pipe"));
        Running {
            process,
            streams: Some((stdout, stderr)),
        }
    }
}

/// The program of this build. `cargo xtask test` has built it and says where it is; without that,
/// cargo builds it now.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = env::var_os("HYPERDRIVE_BIN") {
            return path.into();
        }
        let built = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args([
                "build",
                "--quiet",
                "--locked",
                "--package",
                "hyperdrive-cli",
            ])
            .status();
        assert!(
            built.is_ok_and(|status| status.success()),
            "hyperdrive does not build"
        );
        // This program lies in `target/debug/deps`, the other one directory up.
        let tests = env::current_exe().expect("a running program has a path");
        let target = tests
            .ancestors()
            .nth(2)
            .expect("tests lie in target/debug/deps");
        target.join(format!("hyperdrive{}", env::consts::EXE_SUFFIX))
    })
}

/// A `hyperdrive` at work. It is killed with the value.
#[derive(Debug)]
pub struct Running {
    process: Child,
    streams: Option<(Lines, Lines)>,
}

impl Running {
    /// The first line on standard output.
    #[track_caller]
    pub fn first_line(&mut self) -> String {
        let (stdout, stderr) = self.streams();
        let line = stdout.next(Instant::now() + LIMIT);
        line.unwrap_or_else(|| panic!("nothing came on stdout; stderr: {}", stderr.seen()))
    }

    /// The key of the drive, from the link that is printed first.
    #[track_caller]
    pub fn key(&mut self) -> String {
        let link = self.first_line();
        let key = link
            .strip_prefix("hyper://")
            .and_then(|rest| rest.strip_suffix('/'));
        key.unwrap_or_else(|| panic!("{link:?} is no link"))
            .to_owned()
    }

    /// Waits for a line on standard error that contains `words`.
    #[track_caller]
    pub fn says(&mut self, words: &str) -> String {
        let deadline = Instant::now() + LIMIT;
        let (_, stderr) = self.streams();
        loop {
            match stderr.next(deadline) {
                Some(line) if line.contains(words) => return line,
                Some(_) => {}
                None => panic!(
                    "it ended without saying {words:?}; it said:\n{}",
                    stderr.seen()
                ),
            }
        }
    }

    /// The port that it announces.
    #[track_caller]
    pub fn port(&mut self) -> u16 {
        let line = self.says("listening on ");
        let port = line
            .rsplit(':')
            .next()
            .and_then(|port| port.trim().parse().ok());
        port.unwrap_or_else(|| panic!("no port in {line:?}"))
    }

    /// Asks it to end, as a service manager would, and waits until it has.
    #[cfg(unix)]
    #[track_caller]
    pub fn terminate(self) -> Finished {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "the signal could not be sent"
        );
        self.wait()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(mut self) -> Finished {
        let deadline = Instant::now() + LIMIT;
        let (stdout, stderr) = self.streams.take().expect("only the end takes the streams");
        let stdout = stdout.rest(deadline);
        let stderr = String::from_utf8_lossy(&stderr.rest(deadline)).into_owned();
        let status = self.process.wait().expect("a child can be waited for");
        Finished {
            code: status.code(),
            stdout,
            stderr,
        }
    }

    fn streams(&mut self) -> &mut (Lines, Lines) {
        self.streams
            .as_mut()
            .expect("only the end takes the streams")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _already_ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// What a run of `hyperdrive` left behind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finished {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Finished {
    /// Checks the exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "it said:\n{}", self.stderr);
        self
    }

    /// What it wrote to standard output, as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}
