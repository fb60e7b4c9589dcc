//! Fuzzing on a stable toolchain: mutations of the corpus, blind but fast, and repeatable by seed.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use testkit::Rng;

use crate::Target;

/// What a run found.
#[derive(Debug)]
pub struct Report {
    /// Inputs tried.
    pub runs: u64,
    /// The longest that one input took.
    pub slowest: Duration,
    /// Where the input lies that made the target panic, if one did.
    pub finding: Option<PathBuf>,
}

/// When a run ends that finds nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limit {
    /// After so long.
    Time(Duration),
    /// After so many inputs, those of the corpus included.
    Runs(u64),
}

/// Runs a target over its corpus and over mutations of it.
///
/// The first input that panics ends the run and is written below `artifacts`. One that takes longer
/// than [`HANG`] is written there too, and ends the process with status 1.
pub fn run(
    (name, target): Target,
    limit: Limit,
    seed: u64,
    artifacts: &Path,
) -> io::Result<Report> {
    let mut corpus = read_corpus(&crate::corpus(name))?;
    if corpus.is_empty() {
        corpus.push(Vec::new());
    }
    let watched = Watched::default();
    watch(&watched, artifacts.join(format!("{name}-hang")));
    let mut rng = Rng::new(seed);
    let mut report = Report {
        runs: 0,
        slowest: Duration::ZERO,
        finding: None,
    };
    let start = Instant::now();
    let goes_on = |runs: u64| match limit {
        Limit::Time(time) => start.elapsed() < time,
        Limit::Runs(most) => runs < most,
    };
    while goes_on(report.runs) {
        let run = usize::try_from(report.runs).unwrap_or(usize::MAX);
        let input = match corpus.get(run) {
            Some(seed) => seed.clone(),
            None => mutate(&corpus, &mut rng),
        };
        let running = watched.begin(input);
        let ended = catch_unwind(AssertUnwindSafe(|| target(&running.input)));
        watched.end();
        report.slowest = report.slowest.max(running.since.elapsed());
        report.runs += 1;
        if ended.is_err() {
            let path = artifacts.join(format!("{name}-{seed}-{}", report.runs));
            fs::create_dir_all(artifacts)?;
            fs::write(&path, &running.input)?;
            report.finding = Some(path);
            break;
        }
    }
    Ok(report)
}

/// One input made of others.
pub fn mutate(corpus: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut input = pick(corpus, rng).clone();
    for _ in 0..=rng.below(6) {
        let at = index(rng, input.len() + 1);
        match rng.below(10) {
            0 => flip(&mut input, at, rng),
            1 => set(&mut input, at, rng.next_u64().to_le_bytes()[0]),
            2 => set(&mut input, at, INTERESTING[index(rng, INTERESTING.len())]),
            3 => input.truncate(at),
            4 => {
                let bytes = (0..=rng.below(8)).map(|_| rng.next_u64().to_le_bytes()[0]);
                let bytes: Vec<u8> = bytes.collect();
                input.splice(at..at, bytes);
            }
            5 => {
                let end = at + index(rng, input.len() - at + 1).min(16);
                input.drain(at..end);
            }
            6 => {
                // A piece, once more.
                let end = at + index(rng, input.len() - at + 1).min(64);
                let piece = input[at..end].to_vec();
                let to = index(rng, input.len() + 1);
                input.splice(to..to, piece);
            }
            7 => {
                // The end of another input.
                let other = pick(corpus, rng);
                input.truncate(at);
                input.extend_from_slice(&other[index(rng, other.len() + 1)..]);
            }
            8 => {
                // A piece of another input.
                let other = pick(corpus, rng);
                let from = index(rng, other.len() + 1);
                let to = from + index(rng, other.len() - from + 1).min(64);
                input.splice(at..at, other[from..to].iter().copied());
            }
            _ => {
                // A long number.
                let mut number = vec![0xff; 1 + index(rng, 9)];
                number.push(0x7f);
                let end = (at + index(rng, 4)).min(input.len());
                input.splice(at..end, number);
            }
        }
    }
    input.truncate(MAX_INPUT_BYTES);
    input
}

/// The files of a corpus, by name.
pub fn read_corpus(dir: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    paths.sort();
    paths.iter().map(fs::read).collect()
}

fn pick<'a>(corpus: &'a [Vec<u8>], rng: &mut Rng) -> &'a Vec<u8> {
    &corpus[index(rng, corpus.len())]
}

fn index(rng: &mut Rng, end: usize) -> usize {
    usize::try_from(rng.below(end as u64)).unwrap_or(0)
}

fn flip(input: &mut [u8], at: usize, rng: &mut Rng) {
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << rng.below(8);
    }
}

fn set(input: &mut [u8], at: usize, value: u8) {
    if let Some(byte) = input.get_mut(at) {
        *byte = value;
    }
}

/// The input that runs, shared with the thread that watches.
#[derive(Clone, Debug, Default)]
struct Watched(Arc<Mutex<Option<Running>>>);

#[derive(Clone, Debug)]
struct Running {
    since: Instant,
    input: Arc<[u8]>,
}

impl Watched {
    fn begin(&self, input: Vec<u8>) -> Running {
        let running = Running {
            since: Instant::now(),
            input: input.into(),
        };
        *self.lock() = Some(running.clone());
        running
    }

    fn end(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the process when an input takes too long: nothing else can stop it.
fn watch(watched: &Watched, artifact: PathBuf) {
    let watched: Weak<_> = Arc::downgrade(&watched.0);
    thread::spawn(move || {
        while let Some(watched) = watched.upgrade() {
            let running = Watched(watched).lock().clone();
            thread::sleep(Duration::from_millis(500));
            let Some(running) = running else {
                continue;
            };
            if running.since.elapsed() > HANG {
                let _ = fs::create_dir_all(artifact.parent().unwrap_or(Path::new(".")));
                let _ = fs::write(&artifact, &running.input);
                eprintln!("takes more than {HANG:?}: {}", artifact.display());
                std::process::exit(1);
            }
        }
    });
}

/// How long one input may take. What libFuzzer allows too is one second, on a faster build.
pub const HANG: Duration = Duration::from_secs(10);

const MAX_INPUT_BYTES: usize = 64 << 10;

const INTERESTING: [u8; 12] = [0, 1, 2, 7, 8, 0x10, 0x20, 0x7f, 0x80, 0x81, 0xfe, 0xff];
