//! Building test programs, and running one test of one of them alone.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cargo_metadata::Message;

use super::find::{FaultTest, Program};
use crate::memory::Watch;
use crate::run;

/// A test that can be run: its program, and the name by which the program knows it.
#[derive(Debug)]
pub(super) struct Runnable {
    pub(super) test: FaultTest,
    executable: PathBuf,
    directory: PathBuf,
    path: String,
}

/// What came of one run.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    /// What the test called its seeds.
    pub(super) seeds: Vec<String>,
    /// High-water mark of the test process, in bytes.
    pub(super) memory: Option<u64>,
    pub(super) took: Duration,
    /// What it printed, the words of the test harness left out.
    pub(super) output: Vec<String>,
}

#[derive(Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Passed,
    Failed,
    /// It was ended because it took too long.
    Hung,
}

/// Builds the programs that hold the tests, one cargo a package.
pub(super) fn build(tests: &[FaultTest], release: bool) -> Result<Vec<Runnable>> {
    let mut of_packages: BTreeMap<&str, Vec<&FaultTest>> = BTreeMap::new();
    for test in tests {
        of_packages.entry(&test.package).or_default().push(test);
    }
    let mut ready = Vec::new();
    for (package, tests) in of_packages {
        let programs = compile(package, &tests, release)?;
        for test in tests {
            ready.push(find(test, &programs)?);
        }
    }
    Ok(ready)
}

/// A test program, and the folder in which cargo would run it.
#[derive(Debug)]
struct Built {
    program: Program,
    executable: PathBuf,
    directory: PathBuf,
}

fn compile(package: &str, tests: &[&FaultTest], release: bool) -> Result<Vec<Built>> {
    let mut command = run::cargo();
    command.args(["test", "--no-run", "--locked", "--package", package]);
    command.args(["--message-format", "json-render-diagnostics"]);
    if release {
        command.arg("--release");
    }
    if package == "interop" {
        command.args(["--features", "node"]);
        build_hyperdrive()?;
    }
    let mut asked: Vec<&Program> = tests.iter().map(|test| &test.program).collect();
    asked.sort();
    asked.dedup();
    for program in asked {
        match program {
            Program::Lib => command.arg("--lib"),
            Program::Bins => command.arg("--bins"),
            Program::Test(name) => command.args(["--test", name]),
        };
    }
    let messages = run::read(&mut command)?;
    let mut built = Vec::new();
    for message in Message::parse_stream(messages.as_bytes()) {
        let Message::CompilerArtifact(artifact) = message? else {
            continue;
        };
        let (Some(executable), true) = (artifact.executable, artifact.profile.test) else {
            continue;
        };
        let program = if artifact.target.is_test() {
            Program::Test(artifact.target.name)
        } else if artifact.target.is_bin() {
            Program::Bins
        } else {
            Program::Lib
        };
        let directory = artifact.manifest_path.parent();
        built.push(Built {
            program,
            executable: executable.into(),
            directory: directory
                .context("a manifest lies in a directory")?
                .as_std_path()
                .to_path_buf(),
        });
    }
    Ok(built)
}

/// Builds what tests with Node start, before the time of any of them runs.
fn build_hyperdrive() -> Result<()> {
    let mut command = run::cargo();
    command.args(["build", "--locked", "--package", "hyperdrive-cli"]);
    if !run::passes("build", &mut command)? {
        bail!("hyperdrive does not build");
    }
    Ok(())
}

/// Asks the programs which of them has the test, and under which path.
fn find(test: &FaultTest, programs: &[Built]) -> Result<Runnable> {
    for built in programs.iter().filter(|it| it.program == test.program) {
        let mut list = Command::new(&built.executable);
        list.args(["--list", "--format", "terse"]);
        let list = run::read(list.current_dir(&built.directory))?;
        let paths = list.lines().filter_map(|line| line.strip_suffix(": test"));
        for path in paths {
            if path.rsplit("::").next() == Some(&test.function) {
                return Ok(Runnable {
                    test: test.clone(),
                    executable: built.executable.clone(),
                    directory: built.directory.clone(),
                    path: path.to_owned(),
                });
            }
        }
    }
    bail!(
        "{} of {} is not among its tests; is it marked as one?",
        test.function,
        test.package
    )
}

impl Runnable {
    /// Runs the test alone in a process of its own, and passes on what it prints.
    pub(super) fn run(&self, limit: Duration, mut tell: impl FnMut(&str)) -> Result<Outcome> {
        let mut command = Command::new(&self.executable);
        // With more than one thread the harness prints a test's name after the test, on a line of
        // its own.
        command.args(["--exact", &self.path, "--nocapture", "--test-threads", "2"]);
        command
            .current_dir(&self.directory)
            .env("CARGO_MANIFEST_DIR", &self.directory)
            .env("HYPERDRIVE_BIN", run::built("debug", "hyperdrive"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let start = Instant::now();
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let memory = Watch::start(&child);
        let lines = lines_of(&mut child)?;
        let mut outcome = Outcome {
            verdict: Verdict::Failed,
            seeds: Vec::new(),
            memory: None,
            took: Duration::ZERO,
            output: Vec::new(),
        };
        loop {
            match lines.recv_timeout(limit.saturating_sub(start.elapsed())) {
                Ok(line) if is_of_the_harness(&line) => {}
                Ok(line) => {
                    tell(&line);
                    outcome.seeds.extend(seed_in(&line));
                    outcome.output.push(line);
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    child.kill().context("cannot end a test that hangs")?;
                    outcome.verdict = Verdict::Hung;
                    break;
                }
            }
        }
        let status = child.wait()?;
        if status.success() && outcome.verdict != Verdict::Hung {
            outcome.verdict = Verdict::Passed;
        }
        outcome.memory = memory.peak();
        outcome.took = start.elapsed();
        Ok(outcome)
    }
}

/// Both streams of a child, line by line.
fn lines_of(child: &mut Child) -> Result<mpsc::Receiver<String>> {
    let (sender, lines) = mpsc::channel();
    let stdout: Box<dyn Read + Send> = Box::new(child.stdout.take().context("stdout is a pipe")?);
    let stderr: Box<dyn Read + Send> = Box::new(child.stderr.take().context("stderr is a pipe")?);
    for stream in [stdout, stderr] {
        let sender = sender.clone();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
    }
    Ok(lines)
}

/// `running 1 test`, `test fault_s1_x ... ok`, `test result: ok. …`, and empty lines.
fn is_of_the_harness(line: &str) -> bool {
    let line = line.trim();
    line.is_empty()
        || line == "running 1 test"
        || line.starts_with("test result: ")
        || (line.starts_with("test ") && line.contains(" ... "))
}

/// What follows the word `seed` at the beginning of a line.
fn seed_in(line: &str) -> Option<String> {
    let rest = line.trim().strip_prefix("seed ")?;
    let seed = rest.split([' ', ',', ':']).next()?;
    Some(seed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{is_of_the_harness, seed_in};

    #[test]
    fn seeds_are_read_from_what_a_test_prints() {
        assert_eq!(seed_in("seed 7"), Some("7".to_owned()));
        assert_eq!(seed_in("seed 0x1f: 10000 points"), Some("0x1f".to_owned()));
        assert_eq!(seed_in("the seed 7"), None);
    }

    #[test]
    fn words_of_the_harness_are_not_those_of_the_test() {
        for line in [
            "",
            "running 1 test",
            "test fault_s1_x ... ok",
            "test result: ok. 1 passed; 0 failed",
        ] {
            assert!(is_of_the_harness(line), "{line}");
        }
        assert!(!is_of_the_harness("test points: 10000"));
    }
}
