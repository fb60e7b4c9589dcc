//! What every package must say, and whom it may import.

use anyhow::Result;
use cargo_metadata::{Dependency, DependencyKind, Metadata, Package};

use crate::graph::{RULES, Rule};
use crate::run;

/// The runtimes that only adapters, the daemon and the program may know.
const RUNTIMES: [&str; 3] = ["tokio", "async-std", "smol"];

pub(super) fn check(workspace: &Metadata, complaints: &mut Vec<String>) -> Result<()> {
    for rule in RULES {
        if !workspace
            .packages
            .iter()
            .any(|package| *package.name == rule.name)
        {
            complaints.push(format!(
                "xtask/src/graph.rs has a rule for no crate: {}",
                rule.name
            ));
        }
    }
    for package in &workspace.packages {
        let mut complain = |what: String| complaints.push(format!("{}: {what}", package.name));
        says_what_it_is(package, &mut complain);
        let Some(rule) = RULES.iter().find(|rule| *package.name == rule.name) else {
            complain("has no rule in xtask/src/graph.rs".to_owned());
            continue;
        };
        imports_downwards(package, rule, workspace, &mut complain);
        if rule.runtime_free {
            stays_runtime_free(package, &mut complain)?;
        }
    }
    Ok(())
}

/// A reader who meets the crate alone finds out what it is and may be used for.
fn says_what_it_is(package: &Package, complain: &mut impl FnMut(String)) {
    if package
        .description
        .as_ref()
        .is_none_or(|text| text.trim().is_empty())
    {
        complain("has no description".to_owned());
    }
    if package.license.as_deref() != Some("MIT OR Apache-2.0") {
        complain("is not under `MIT OR Apache-2.0`".to_owned());
    }
    if package.rust_version.is_none() {
        complain("names no rust-version".to_owned());
    }
    let dir = package
        .manifest_path
        .parent()
        .expect("a manifest lies in a directory");
    let expected: &[&str] = if dir
        .parent()
        .is_some_and(|parent| parent.ends_with("crates"))
    {
        &["README.md", "CHANGELOG.md"]
    } else {
        &["README.md"]
    };
    for file in expected {
        if !dir.join(file).is_file() {
            complain(format!("has no {file}"));
        }
    }
}

/// Compares the manifest with the crate's row in the graph.
fn imports_downwards(
    package: &Package,
    rule: &Rule,
    workspace: &Metadata,
    complain: &mut impl FnMut(String),
) {
    for dependency in &package.dependencies {
        let name = dependency.name.as_str();
        let ours = workspace
            .packages
            .iter()
            .any(|package| *package.name == name);
        let for_tests = dependency.kind == DependencyKind::Development;
        if ours && for_tests && has_version(dependency) {
            complain(format!(
                "dev-dependency {name} has a version; a path alone can be published"
            ));
        }
        if ours && !for_tests && !rule.imports.contains(&name) {
            complain(format!(
                "imports {name}, which xtask/src/graph.rs does not allow"
            ));
        }
        if name == "anyhow" && !for_tests && !rule.anyhow {
            complain("uses anyhow, which is for programs".to_owned());
        }
    }
}

fn has_version(dependency: &Dependency) -> bool {
    dependency.req.to_string() != "*"
}

/// Asks cargo for what the crate pulls in when it is built alone.
fn stays_runtime_free(package: &Package, complain: &mut impl FnMut(String)) -> Result<()> {
    let mut command = run::cargo();
    command.env_remove("CARGO_TERM_COLOR");
    command.args([
        "tree", "--quiet", "--locked", "--edges", "normal", "--prefix", "none",
    ]);
    command.args(["--format", "{p}", "--package", package.name.as_str()]);
    let tree = run::read(&mut command)?;
    for runtime in RUNTIMES {
        if tree
            .lines()
            .any(|line| line.split(' ').next() == Some(runtime))
        {
            complain(format!("pulls in {runtime} with its default features"));
        }
    }
    Ok(())
}
