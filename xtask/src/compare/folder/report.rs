//! The table at the end of a comparison.

use std::fmt;

use super::contestant::Contestant;

/// What one run of one side took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    /// Wall time.
    pub(super) seconds: f64,
    /// High-water mark of the resident set, in bytes; 0 where the system does not tell.
    pub(super) memory: u64,
    /// Bytes that the storage directory takes, and bytes of the files in it.
    pub(super) stored: Option<(u64, u64)>,
}

/// All runs of one workload.
#[derive(Debug)]
struct Row {
    workload: String,
    ours: Vec<Figures>,
    node: Vec<Figures>,
}

/// All workloads, in the order in which they ran.
#[derive(Debug, Default)]
pub(in crate::compare) struct Report(Vec<Row>);

impl Report {
    pub(super) fn add(&mut self, workload: &str, side: Contestant, figures: Figures) {
        if self.0.last().is_none_or(|row| row.workload != workload) {
            self.0.push(Row {
                workload: workload.to_owned(),
                ours: vec![],
                node: vec![],
            });
        }
        if let Some(row) = self.0.last_mut() {
            match side {
                Contestant::Ours => row.ours.push(figures),
                Contestant::Node => row.node.push(figures),
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| workload | | ours | Node | Node / ours |")?;
        writeln!(f, "| --- | --- | --- | --- | --- |")?;
        for row in &self.0 {
            let line = |f: &mut fmt::Formatter<'_>, what: &str, unit: &str, digits, figure| {
                let ours = median(&row.ours, figure);
                let node = median(&row.node, figure);
                let name = if what == "time" {
                    row.workload.as_str()
                } else {
                    ""
                };
                writeln!(
                    f,
                    "| {name} | {what} | {ours:.digits$} {unit} | {node:.digits$} {unit} | {:.2} |",
                    node / ours
                )
            };
            line(f, "time", "s", 3, |run: &Figures| run.seconds)?;
            line(f, "memory", "MiB", 1, |run: &Figures| mib(run.memory))?;
            if row
                .ours
                .iter()
                .chain(&row.node)
                .all(|run| run.stored.is_some())
            {
                line(f, "stored over shared", "x", 3, |run: &Figures| {
                    run.stored
                        .map_or(0.0, |(stored, shared)| mib(stored) / mib(shared))
                })?;
                line(f, "rate", "MiB/s", 1, |run: &Figures| {
                    run.stored
                        .map_or(0.0, |(_, shared)| mib(shared) / run.seconds)
                })?;
            }
        }
        Ok(())
    }
}

/// Exact enough for a table: a `f64` holds 8 PiB to the byte.
#[allow(clippy::cast_precision_loss)]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

fn median(runs: &[Figures], figure: fn(&Figures) -> f64) -> f64 {
    let mut values: Vec<f64> = runs.iter().map(figure).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::{Contestant, Figures, Report};

    #[test]
    fn the_median_of_both_sides_and_their_ratio_stand_in_the_table() {
        let mut report = Report::default();
        let run = |seconds| Figures {
            seconds,
            memory: 3 << 20,
            stored: Some((3 << 20, 2 << 20)),
        };
        for seconds in [2.0, 1.0, 9.0] {
            report.add("import", Contestant::Ours, run(seconds));
            report.add("import", Contestant::Node, run(4.0 * seconds));
        }
        let text = report.to_string();
        assert!(
            text.contains("| import | time | 2.000 s | 8.000 s | 4.00 |"),
            "{text}"
        );
        assert!(
            text.contains("|  | memory | 3.0 MiB | 3.0 MiB | 1.00 |"),
            "{text}"
        );
        assert!(
            text.contains("|  | stored over shared | 1.500 x | 1.500 x | 1.00 |"),
            "{text}"
        );
        assert!(
            text.contains("|  | rate | 1.0 MiB/s | 0.2 MiB/s | 0.25 |"),
            "{text}"
        );
    }
}
