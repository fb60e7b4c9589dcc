//! The table at the end of a comparison.

use std::collections::BTreeSet;
use std::fmt;

use super::results::{Case, Results};
use super::targets::{GOALS, Good, METRICS, Target};

/// Writes results as Markdown: medians, how many times ours is better, and the target.
#[derive(Debug)]
pub(super) struct Table<'a> {
    results: &'a Results,
    every_metric: bool,
}

impl<'a> Table<'a> {
    pub(super) fn new(results: &'a Results, every_metric: bool) -> Self {
        Self {
            results,
            every_metric,
        }
    }

    /// What is shown of a case, and which way it is good.
    fn metrics(&self, case: &Case) -> Vec<(String, Option<Good>)> {
        let known = METRICS.iter().filter(|it| it.workload == case.workload);
        let mut metrics: Vec<_> = known
            .map(|it| (it.name.to_owned(), Some(it.good)))
            .collect();
        if self.every_metric {
            let others: BTreeSet<_> = case.sides.values().flat_map(|runs| runs.keys()).collect();
            for name in others {
                if metrics.iter().all(|(known, _)| known != name) {
                    metrics.push((name.clone(), None));
                }
            }
        }
        metrics
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| workload | metric | ours | Node | times better | target |"
        )?;
        writeln!(f, "| --- | --- | --- | --- | --- | --- |")?;
        for case in &self.results.cases {
            let mut label = format!("{} {}", case.workload, case.params.join(" "));
            for (metric, good) in self.metrics(case) {
                for side in case.sides.keys().filter(|side| *side != "node") {
                    let Some(ours) = case.median(side, &metric) else {
                        continue;
                    };
                    let what = match side.as_str() {
                        "ours" => metric.clone(),
                        other => format!("{metric}, {other}"),
                    };
                    let node = case.median("node", &metric);
                    let better = node.zip(good).map(|(node, good)| times(ours, node, good));
                    let target = target_of(case, side, &metric);
                    writeln!(
                        f,
                        "| {label} | {what} | {} | {} | {} | {} |",
                        number(ours),
                        node.map_or_else(|| "–".to_owned(), number),
                        better.map_or_else(String::new, |it| format!("{it:.2}")),
                        target.map_or_else(String::new, |it| words(it, ours, better)),
                    )?;
                    label.clear();
                }
            }
        }
        for missing in &self.results.missing {
            writeln!(f, "\nmissing: {missing}")?;
        }
        Ok(())
    }
}

/// How many times better than Node.
fn times(ours: f64, node: f64, good: Good) -> f64 {
    match good {
        Good::High => ours / node,
        Good::Low => node / ours,
    }
}

/// A pair with Node on one side is never to be slower than Node with Node; what else is asked for
/// is asked of ours alone.
fn target_of(case: &Case, side: &str, metric: &str) -> Option<Target> {
    let is_rate = |it: &str| it.ends_with("_per_s");
    // Through the proxy everything is slower, on both sides; it is there for the bytes it counts.
    if case.params.iter().any(|it| it == "counted=1") && !metric.starts_with("proxy_") {
        return None;
    }
    match side {
        "ours" => GOALS
            .iter()
            .find(|goal| goal.metric == metric && case.is(goal.workload, goal.params))
            .map(|goal| goal.target),
        "limit" => None,
        _ if is_rate(metric) => Some(Target::Times(1.0)),
        _ => None,
    }
}

fn words(target: Target, ours: f64, better: Option<f64>) -> String {
    let (text, met) = match target {
        Target::Times(factor) => (
            format!("{factor} times"),
            better.is_some_and(|better| better >= factor),
        ),
        Target::AtMost(most) => (format!("at most {}", number(most)), ours <= most),
        Target::Same => ("the same".to_owned(), better.is_some_and(is_one)),
    };
    let verdict = if met { "met" } else { "not met" };
    format!("{text}: {verdict}")
}

/// Whether two numbers are the same but for the last bits of their quotient.
fn is_one(quotient: f64) -> bool {
    (quotient - 1.0).abs() < 1e-9
}

/// Four digits that count.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 1000.0 => 0,
        v if v >= 100.0 => 1,
        v if v >= 10.0 => 2,
        v if v >= 1.0 => 3,
        _ => 4,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::super::results::Results;
    use super::Table;

    #[test]
    fn medians_ratios_and_targets_stand_in_the_table() {
        let run = |peer: &str, params: &str, metrics: &str| {
            format!(
                r#"{{"peer":"{peer}","workload":"w3-fetch","params":{params},"metrics":{metrics}}}"#
            )
        };
        let params = r#"{"block":65536,"storage":"disk"}"#;
        let mixed = r#"{"block":65536,"storage":"disk","server":"node"}"#;
        let lines = [
            run("ours", params, r#"{"mib_per_s":300,"seen_rss_mib":30}"#),
            run("node", params, r#"{"mib_per_s":100,"seen_rss_mib":90}"#),
            run("ours", mixed, r#"{"mib_per_s":110}"#),
        ];
        let results = Results::read(&lines.join("\n")).expect("the lines are whole");
        let text = Table::new(&results, false).to_string();
        for line in [
            "| w3-fetch block=65536 storage=disk | mib_per_s | 300.0 | 100.0 | 3.00 | 4 times: not met |",
            "|  | mib_per_s, ours from node | 110.0 | 100.0 | 1.10 | 1 times: met |",
            "|  | seen_rss_mib | 30.00 | 90.00 | 3.00 | at most 24.00: not met |",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
