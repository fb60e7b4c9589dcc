use std::convert::Infallible;
use std::fmt;
use std::io::{self, IsTerminal};
use std::ops::AddAssign;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::style::ProgressTracker;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::meter::{Meter, Rates};
use crate::output::{count, printable, size};

/// How far a transfer is. A total of zero is not known yet.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Amounts {
    /// Files or blocks.
    pub(crate) items: u64,
    pub(crate) items_total: u64,
    pub(crate) bytes: u64,
    pub(crate) bytes_total: u64,
}

impl Amounts {
    fn is_complete(self) -> bool {
        self.items >= self.items_total && self.bytes >= self.bytes_total
    }
}

impl AddAssign for Amounts {
    fn add_assign(&mut self, other: Self) {
        self.items += other.items;
        self.items_total += other.items_total;
        self.bytes += other.bytes;
        self.bytes_total += other.bytes_total;
    }
}

/// Shows a transfer on standard error: a bar on a terminal, otherwise a plain line now and then.
///
/// Nothing is ever drawn on standard output.
#[derive(Debug)]
pub(crate) struct Progress {
    /// What is being done, and with what: `importing`, `file`.
    verb: &'static str,
    noun: &'static str,
    shown: Shown,
    /// Where the peers and the rates beside it come from.
    meter: Option<Meter>,
}

#[derive(Debug)]
enum Shown {
    Bar(ProgressBar),
    Lines(Mutex<Lines>),
}

/// What is remembered from one plain line to the next.
#[derive(Debug)]
struct Lines {
    started: Instant,
    told_at: Instant,
    told: Amounts,
    rates: Rates,
}

impl Progress {
    /// Of something that happens on this machine.
    pub(crate) fn new(verb: &'static str, noun: &'static str) -> Self {
        Self::with(verb, noun, None)
    }

    /// Of something that peers send: who they are and how fast they do so stands beside it.
    pub(crate) fn with_peers(verb: &'static str, noun: &'static str, meter: Meter) -> Self {
        Self::with(verb, noun, Some(meter))
    }

    fn with(verb: &'static str, noun: &'static str, meter: Option<Meter>) -> Self {
        let shown = if io::stderr().is_terminal() {
            Shown::Bar(bar(verb, meter.as_ref()))
        } else {
            let now = Instant::now();
            Shown::Lines(Mutex::new(Lines {
                started: now,
                told_at: now,
                told: Amounts::default(),
                rates: Rates::default(),
            }))
        };
        Self {
            verb,
            noun,
            shown,
            meter,
        }
    }

    /// Takes the newest amounts. Cheap enough to be called for every file.
    pub(crate) fn update(&self, amounts: Amounts) {
        match &self.shown {
            Shown::Bar(bar) if amounts.is_complete() => bar.finish_and_clear(),
            Shown::Bar(bar) => {
                if bar.is_finished() {
                    // More came after all: the rate counts from here.
                    bar.reset();
                }
                // A total of zero would show a full bar before anything is known.
                bar.set_length(amounts.bytes_total.max(amounts.bytes).max(1));
                bar.set_position(amounts.bytes);
                bar.set_message(items(amounts, self.noun));
            }
            Shown::Lines(lines) => {
                let now = Instant::now();
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                if now.duration_since(lines.told_at) >= LINE_INTERVAL && lines.told != amounts {
                    (lines.told_at, lines.told) = (now, amounts);
                    let elapsed = now.duration_since(lines.started);
                    let mut line = line(amounts, self.noun, elapsed);
                    if let Some(meter) = &self.meter {
                        line.push_str(&format!(", {}", lines.rates.look(meter, now)));
                    }
                    eprintln!("{} {line}", self.verb);
                }
            }
        }
    }

    /// Writes a line above the bar.
    pub(crate) fn note(&self, text: &str) {
        let text = printable(text);
        match &self.shown {
            Shown::Bar(bar) => bar.suspend(|| eprintln!("{text}")),
            Shown::Lines(_) => eprintln!("{text}"),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

fn bar(verb: &'static str, meter: Option<&Meter>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let template = "{prefix} {wide_bar} {msg}  {binary_bytes}/{binary_total_bytes}  \
                    {binary_bytes_per_sec}  {eta} left";
    let template = match meter {
        // On a line of their own, or they would leave no room for the bar.
        Some(_) => format!("{template}\n{{peers}}"),
        None => template.to_owned(),
    };
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(meter.map_or(style.clone(), |meter| style.with_key("peers", key(meter))));
    }
    bar.set_prefix(verb);
    if meter.is_some() {
        // Peers come and go also while nothing arrives.
        bar.enable_steady_tick(TICK_INTERVAL);
    }
    bar
}

fn items(amounts: Amounts, noun: &str) -> String {
    if amounts.items_total == 0 {
        count(amounts.items, noun)
    } else {
        format!("{}/{}", amounts.items, count(amounts.items_total, noun))
    }
}

/// `3/40 files, 1.0 MiB of 8.0 MiB, 0.5 MiB/s, 14 s left`, as far as it is known.
fn line(amounts: Amounts, noun: &str, elapsed: Duration) -> String {
    let mut line = format!("{}, {}", items(amounts, noun), size(amounts.bytes));
    if amounts.bytes_total > 0 {
        line.push_str(&format!(" of {}", size(amounts.bytes_total)));
    }
    let millis = elapsed.as_millis();
    if millis == 0 || amounts.bytes == 0 {
        return line;
    }
    let rate = u128::from(amounts.bytes) * 1000 / millis;
    line.push_str(&format!(
        ", {}/s",
        size(u64::try_from(rate).unwrap_or(u64::MAX))
    ));
    let left = u128::from(amounts.bytes_total.saturating_sub(amounts.bytes));
    if left > 0 && rate > 0 {
        line.push_str(&format!(", {} s left", left.div_ceil(rate)));
    }
    line
}

/// Writes peers and rates wherever a bar is drawn.
fn key(meter: &Meter) -> impl ProgressTracker + use<> {
    let (meter, rates) = (meter.clone(), Mutex::new(Rates::default()));
    let rates = Arc::new(rates);
    move |_: &ProgressState, out: &mut dyn fmt::Write| {
        let mut rates = rates.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = write!(out, "{}", rates.look(&meter, Instant::now()));
    }
}

/// Shows who is served, for as long as the future is there: a line on a terminal that is drawn anew,
/// otherwise a plain line when something changed, at most every [`LINE_INTERVAL`]. Never ends.
pub(crate) async fn serving(meter: &Meter) -> Infallible {
    if io::stderr().is_terminal() {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("serving {peers}") {
            bar.set_style(style.with_key("peers", key(meter)));
        }
        bar.enable_steady_tick(TICK_INTERVAL);
        let _cleared = Cleared(bar);
        return std::future::pending().await;
    }
    let mut rates = Rates::default();
    let mut told = meter.look();
    rates.look(meter, Instant::now());
    loop {
        tokio::time::sleep(LINE_INTERVAL).await;
        let now = meter.look();
        if now.is_worth_telling_after(&told) {
            told = now;
            eprintln!("serving {}", rates.look(meter, Instant::now()));
        }
    }
}

/// Takes a bar away when it is dropped.
struct Cleared(ProgressBar);

impl Drop for Cleared {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Time between two looks at the peers.
const TICK_INTERVAL: Duration = Duration::from_millis(500);

/// Time between two plain lines: seldom enough for a log file.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(amounts: (u64, u64, u64, u64), seconds: u64, expected: &str) {
        let (items, items_total, bytes, bytes_total) = amounts;
        let amounts = Amounts {
            items,
            items_total,
            bytes,
            bytes_total,
        };
        assert_eq!(
            line(amounts, "file", Duration::from_secs(seconds)),
            expected
        );
    }

    #[test]
    fn a_line_tells_files_bytes_rate_and_time_left() {
        let mib = 1 << 20;
        check(
            (3, 40, mib, 8 * mib),
            2,
            "3/40 files, 1.0 MiB of 8.0 MiB, 512.0 KiB/s, 14 s left",
        );
    }

    #[test]
    fn a_line_leaves_out_what_is_not_known() {
        check((0, 0, 0, 0), 0, "0 files, 0 B");
        check((1, 0, 10, 0), 1, "1 file, 10 B, 10 B/s");
        check((1, 1, 10, 10), 0, "1/1 file, 10 B of 10 B");
    }
}
