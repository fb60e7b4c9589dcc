//! What the harness writes, one JSON object a run, gathered by workload.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

/// All runs of all workloads.
#[derive(Debug, Default)]
pub(super) struct Results {
    /// In the order in which they ran.
    pub(super) cases: Vec<Case>,
    /// What a side did not do, and why.
    pub(super) missing: Vec<String>,
}

/// A workload with its parameters.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) workload: String,
    /// `key=value`, sorted; never the server's name.
    pub(super) params: Vec<String>,
    /// The runs of each pair of sides: `ours`, `node`, `ours from node`, …
    pub(super) sides: BTreeMap<String, Runs>,
}

/// The values of each metric, one a run.
pub(super) type Runs = BTreeMap<String, Vec<f64>>;

impl Results {
    pub(super) fn read_file(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file)
            .with_context(|| format!("{} cannot be read", file.display()))?;
        Self::read(&text)
    }

    pub(super) fn read(lines: &str) -> Result<Self> {
        let mut results = Self::default();
        for line in lines.lines() {
            let run: Value = serde_json::from_str(line)
                .with_context(|| format!("the harness wrote {line:?}"))?;
            results.add(&run)?;
        }
        Ok(results)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cases.is_empty() && self.missing.is_empty()
    }

    fn add(&mut self, run: &Value) -> Result<()> {
        let text = |key: &str| {
            let found = run[key].as_str().map(str::to_owned);
            found.with_context(|| format!("a result without {key}"))
        };
        let (peer, workload) = (text("peer")?, text("workload")?);
        let given = run["params"]
            .as_object()
            .context("a result without params")?;
        let mut server = None;
        let mut params = Vec::new();
        for (key, value) in given {
            let value = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            if key == "server" {
                server = Some(value);
            } else {
                params.push(format!("{key}={value}"));
            }
        }
        params.sort();
        let side = match server {
            Some(server) => format!("{peer} from {server}"),
            None => peer,
        };
        if let Some(why) = run["missing"].as_str() {
            let what = format!("{workload} {}, {side}: {why}", params.join(" "));
            self.missing.push(what);
            return Ok(());
        }
        let metrics = run["metrics"].as_object();
        let metrics = metrics.context("a result without metrics")?;
        let runs = self.case(workload, params).sides.entry(side).or_default();
        for (name, value) in metrics {
            if let Some(value) = value.as_f64() {
                runs.entry(name.clone()).or_default().push(value);
            }
        }
        let both = |name: &str| metrics.get(name).and_then(Value::as_f64);
        if let (Some(client), Some(server)) = (both("cpu_s"), both("server_cpu_s")) {
            let sum = runs.entry("both_cpu_s".to_owned()).or_default();
            sum.push(client + server);
        }
        Ok(())
    }

    fn case(&mut self, workload: String, params: Vec<String>) -> &mut Case {
        let known = self
            .cases
            .iter()
            .position(|case| case.workload == workload && case.params == params);
        let at = known.unwrap_or_else(|| {
            self.cases.push(Case {
                workload,
                params,
                sides: BTreeMap::new(),
            });
            self.cases.len() - 1
        });
        &mut self.cases[at]
    }
}

impl Case {
    /// The median of a side's runs.
    pub(super) fn median(&self, side: &str, metric: &str) -> Option<f64> {
        let mut values = self.sides.get(side)?.get(metric)?.clone();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        Some(if values.len() % 2 == 1 {
            values[middle]
        } else {
            (values[middle - 1] + values[middle]) / 2.0
        })
    }

    /// Whether the case has all of these parameters.
    pub(super) fn is(&self, workload: &str, params: &[&str]) -> bool {
        self.workload == workload
            && params
                .iter()
                .all(|param| self.params.iter().any(|it| it == param))
    }
}

#[cfg(test)]
mod tests {
    use super::Results;

    #[test]
    fn runs_are_gathered_by_workload_and_pair() {
        let lines = [
            r#"{"peer":"node","workload":"w3","params":{"b":1},"metrics":{"cpu_s":4,"server_cpu_s":2}}"#,
            r#"{"peer":"ours","workload":"w3","params":{"b":1},"metrics":{"cpu_s":1}}"#,
            r#"{"peer":"ours","workload":"w3","params":{"b":1},"metrics":{"cpu_s":3}}"#,
            r#"{"peer":"ours","workload":"w3","params":{"b":1,"server":"node"},"metrics":{"cpu_s":5}}"#,
            r#"{"peer":"ours","workload":"w9","params":{},"missing":"not offered","group":"w9"}"#,
        ];
        let results = Results::read(&lines.join("\n")).expect("the lines are whole");
        assert_eq!(results.cases.len(), 1);
        let case = &results.cases[0];
        assert!(case.is("w3", &["b=1"]) && !case.is("w3", &["b=2"]));
        assert_eq!(case.median("ours", "cpu_s"), Some(2.0));
        assert_eq!(case.median("node", "both_cpu_s"), Some(6.0));
        assert_eq!(case.median("ours from node", "cpu_s"), Some(5.0));
        assert_eq!(results.missing, ["w9 , ours: not offered"]);
    }
}
