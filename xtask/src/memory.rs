//! The high-water mark of another process's memory.

use std::fs;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Looks at a process until it is over.
///
/// The mark only ever rises, so the last reading is short of the truth by what a process can add
/// between two looks at most.
#[derive(Debug)]
pub(crate) struct Watch {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
}

impl Watch {
    /// Looks at a child from now on.
    pub(crate) fn start(child: &Child) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let (over, id) = (Arc::clone(&over), child.id());
            move || look(id, &over)
        });
        Self {
            over,
            thread: Some(thread),
        }
    }

    /// Stops looking. The peak in bytes; `None` where there is no `/proc`, and for a process that
    /// was over before the first look.
    pub(crate) fn peak(mut self) -> Option<u64> {
        self.over.store(true, Ordering::Relaxed);
        let peak = self.thread.take()?.join().ok()?;
        (peak > 0).then_some(peak)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn look(id: u32, over: &AtomicBool) -> u64 {
    let mut peak = 0;
    while !over.load(Ordering::Relaxed) {
        match high_water_mark(id) {
            Some(bytes) => peak = peak.max(bytes),
            None if peak > 0 => break,
            None => {}
        }
        thread::sleep(Duration::from_millis(2));
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
