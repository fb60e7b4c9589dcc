//! What a piece of work took: time, processor, memory, disk.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use serde_json::{Map, Value, json};

/// A running clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter {
    start: Instant,
    cpu: f64,
}

/// What had passed when the clock was read, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    pub(crate) wall_s: f64,
    /// Of all threads, in user and system.
    pub(crate) cpu_s: f64,
}

impl Spent {
    pub(crate) fn wall_ms(self) -> f64 {
        self.wall_s * 1e3
    }

    /// Microseconds of processor time for each of `count` things.
    pub(crate) fn cpu_us_per(self, count: u64) -> f64 {
        self.cpu_s * 1e6 / float(count)
    }

    pub(crate) fn per_s(self, count: u64) -> f64 {
        float(count) / self.wall_s
    }

    pub(crate) fn mib_per_s(self, bytes: u64) -> f64 {
        mib(bytes) / self.wall_s
    }
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self {
            start: Instant::now(),
            cpu: cpu_seconds(),
        }
    }

    pub(crate) fn read(&self) -> Spent {
        Spent {
            wall_s: self.start.elapsed().as_secs_f64(),
            cpu_s: cpu_seconds() - self.cpu,
        }
    }
}

#[cfg(unix)]
fn cpu_seconds() -> f64 {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ProcessCPUTime);
    std::time::Duration::try_from(time).map_or(0.0, |time| time.as_secs_f64())
}

/// Not told here: every processor metric is 0.
#[cfg(not(unix))]
fn cpu_seconds() -> f64 {
    0.0
}

/// Named figures.
#[derive(Debug, Default)]
pub(crate) struct Metrics(Map<String, Value>);

impl Metrics {
    /// Those that every workload has: time and processor, and the memory's peak.
    pub(crate) fn of(spent: Spent) -> Self {
        Self::default()
            .with("wall_s", spent.wall_s)
            .with("cpu_s", spent.cpu_s)
            .with("peak_rss_mib", memory_mib("VmHWM:"))
    }

    pub(crate) fn with(mut self, name: &str, value: f64) -> Self {
        self.0.insert(name.to_owned(), json!(value));
        self
    }

    /// Prints them as the workload's result.
    pub(crate) fn print(self) {
        println!("{}", json!({ "metrics": self.0 }));
    }
}

/// A line of the process's own status (`VmHWM:`, `VmRSS:`) in MiB. 0 where there is no `/proc`.
pub(crate) fn memory_mib(line: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status.lines().find_map(|it| {
        it.strip_prefix(line)?
            .trim()
            .strip_suffix(" kB")?
            .parse()
            .ok()
    });
    kib.map_or(0.0, |kib: u64| float(kib) / 1024.0)
}

/// Open descriptors of the process. 0 where there is no `/proc`.
pub(crate) fn open_files() -> u64 {
    fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64)
}

/// What the files below a directory take on disk.
pub(crate) fn disk_bytes(dir: &Path) -> Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        total += if metadata.is_dir() {
            disk_bytes(&entry.path())?
        } else {
            allocated(&metadata)
        };
    }
    Ok(total)
}

#[cfg(unix)]
fn allocated(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(metadata) * 512
}

#[cfg(not(unix))]
fn allocated(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}

pub(crate) fn mib(bytes: u64) -> f64 {
    float(bytes) / (1024.0 * 1024.0)
}

/// Exact up to 2^53, which nothing here reaches.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}
