//! What goes to standard output: sizes, times, names and JSON.

use std::borrow::Cow;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use serde::Serialize;

use crate::failure::Failure;

/// Standard output, buffered, with its errors turned into [`Failure`]s.
pub(crate) struct Output {
    out: BufWriter<StdoutLock<'static>>,
    terminal: bool,
}

impl Output {
    pub(crate) fn stdout() -> Self {
        let out = io::stdout().lock();
        let terminal = out.is_terminal();
        Self {
            out: BufWriter::new(out),
            terminal,
        }
    }

    pub(crate) fn line(&mut self, line: &str) -> Result<(), Failure> {
        self.bytes(line.as_bytes())?;
        self.bytes(b"\n")
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out
            .write_all(bytes)
            .map_err(|error| Failure::stdout(&error))
    }

    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer_pretty(&mut self.out, value)
            .map_err(|error| Failure::stdout(&error.into()))?;
        self.bytes(b"\n")
    }

    /// Begins a list, which is written item by item: lines, or a JSON array.
    pub(crate) fn list(self, json: bool) -> List {
        List {
            out: self,
            json,
            items: 0,
        }
    }

    /// A name from a drive as it may be shown here: untouched in a pipe, harmless on a terminal.
    pub(crate) fn name<'n>(&self, name: &'n str) -> Cow<'n, str> {
        if self.terminal {
            printable(name)
        } else {
            Cow::Borrowed(name)
        }
    }

    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.flush()
    }

    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|error| Failure::stdout(&error))
    }
}

/// A list on standard output that may be too long to be held in memory.
pub(crate) struct List {
    out: Output,
    json: bool,
    items: u64,
}

impl List {
    /// Writes an item: as JSON, or the line that `text` gives.
    pub(crate) fn item(
        &mut self,
        item: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        if self.json {
            let before: &[u8] = if self.items == 0 { b"[\n" } else { b",\n" };
            self.out.bytes(before)?;
            serde_json::to_writer(&mut self.out.out, item)
                .map_err(|error| Failure::stdout(&error.into()))?;
        } else {
            self.out.line(&text())?;
        }
        self.items += 1;
        // Whoever reads along sees an item as soon as it is known.
        self.out.flush()
    }

    /// See [`Output::name`].
    pub(crate) fn name<'n>(&self, name: &'n str) -> Cow<'n, str> {
        self.out.name(name)
    }

    pub(crate) fn end(mut self) -> Result<(), Failure> {
        if self.json {
            self.out.line(if self.items == 0 { "[]" } else { "\n]" })?;
        }
        self.out.finish()
    }
}

/// Text with its control characters written as escapes, so that a name chosen by somebody else can
/// neither break a line nor drive the terminal.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        if is_unsafe(char) {
            shown.extend(char.escape_default());
        } else {
            shown.push(char);
        }
    }
    Cow::Owned(shown)
}

/// Control characters, and those that reorder the text around them.
fn is_unsafe(char: char) -> bool {
    char.is_control() || matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A number of bytes for people: `812 B`, `3.4 KiB`, `64.0 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Tenths of the unit, in integers: a float would round 1023.96 KiB to "1024.0 KiB".
    let mut tenths = u128::from(bytes) * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10 * 1024 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// A count with its noun: `1 file`, `2 files`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Milliseconds since the epoch as `2021-02-03 04:05:06` (UTC), from year 1970 to 9999.
pub(crate) fn time(millis: u64) -> String {
    let seconds = millis / 1000;
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    if year > 9999 {
        return format!("@{millis}");
    }
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// The Gregorian date of a day counted from 1970-01-01.
///
/// Counts in eras of 400 years that start on 1 March, so that the leap day comes last.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_TO_0000_03_01: u64 = 719_468;
    const DAYS_PER_ERA: u64 = 146_097;
    let days = days.saturating_add(DAYS_TO_0000_03_01);
    let (era, of_era) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// Permission bits and type as `ls -l` shows them.
pub(crate) fn mode(kind: char, mode: u32) -> String {
    let mut text = String::from(kind);
    for shift in [6, 3, 0] {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(if bits & 1 != 0 { 'x' } else { '-' });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_round_down_and_never_reach_1024() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_048_575, "1023.9 KiB"),
            (1_048_576, "1.0 MiB"),
            (u64::MAX, "15.9 EiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn times_are_calendar_dates() {
        for (millis, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_400_000, "2000-02-29 00:00:00"),
            (1_614_556_799_999, "2021-02-28 23:59:59"),
            (4_107_542_400_000, "2100-03-01 00:00:00"),
            (253_402_300_799_000, "9999-12-31 23:59:59"),
            (253_402_300_800_000, "@253402300800000"),
            (u64::MAX, "@18446744073709551615"),
        ] {
            assert_eq!(time(millis), text);
        }
    }

    #[test]
    fn names_cannot_drive_the_terminal() {
        assert_eq!(printable("plain ünïcode"), "plain ünïcode");
        assert_eq!(printable("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\\nc");
        assert_eq!(printable("exe\u{202e}gpj"), "exe\\u{202e}gpj");
    }

    #[test]
    fn modes_look_like_ls() {
        assert_eq!(mode('-', 0o100_644), "-rw-r--r--");
        assert_eq!(mode('d', 0o755), "drwxr-xr-x");
    }
}
