//! Which tests prove which row, read from the sources: names say it, so nothing has to be built to
//! know.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, MetadataCommand, Package, TargetKind};
use ignore::WalkBuilder;

use crate::run;

/// A function `fault_<id>_<what>` in the sources of a package.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct FaultTest {
    /// The row's ID, as it stands in the name: `s1`.
    pub(super) id: String,
    pub(super) package: String,
    /// The test program that holds it.
    pub(super) program: Program,
    /// The function's name.
    pub(super) function: String,
}

/// A test program of a package, as cargo is asked for it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Program {
    /// The library's unit tests.
    Lib,
    /// The unit tests of the package's programs.
    Bins,
    /// One file or folder of `tests/`.
    Test(String),
}

impl FaultTest {
    /// Whether it has the Node packages on the other side.
    pub(super) fn with_node(&self) -> bool {
        self.package == "interop"
    }
}

/// All of them, in the order of their names.
pub(super) fn all() -> Result<Vec<FaultTest>> {
    let metadata: Metadata = MetadataCommand::new()
        .current_dir(run::root())
        .no_deps()
        .exec()
        .context("cargo cannot read the workspace")?;
    let mut found = BTreeSet::new();
    for package in &metadata.packages {
        of_package(package, &mut found)?;
    }
    Ok(found.into_iter().collect())
}

fn of_package(package: &Package, found: &mut BTreeSet<FaultTest>) -> Result<()> {
    let dir = package
        .manifest_path
        .parent()
        .context("a manifest lies in a directory")?;
    for entry in WalkBuilder::new(dir).build() {
        let path = entry.context("the sources cannot be walked")?.into_path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        for (id, function) in names(&text) {
            let program = program_of(package, &path).with_context(|| {
                format!("{function} in {} is in no test program", path.display())
            })?;
            found.insert(FaultTest {
                id,
                package: package.name.to_string(),
                program,
                function,
            });
        }
    }
    Ok(())
}

/// The IDs and names of the functions called `fault_<id>_<what>`.
fn names(source: &str) -> impl Iterator<Item = (String, String)> {
    source.lines().filter_map(|line| {
        let line = line.trim_start();
        let line = line.strip_prefix("async ").unwrap_or(line);
        let rest = line.strip_prefix("fn fault_")?;
        let (name, _) = rest.split_once('(')?;
        let (id, _) = name.split_once('_')?;
        Some((id.to_owned(), format!("fault_{name}")))
    })
}

/// The test program that a file belongs to.
fn program_of(package: &Package, file: &std::path::Path) -> Option<Program> {
    let tests = || {
        package
            .targets
            .iter()
            .filter(|target| target.kind.contains(&TargetKind::Test))
    };
    let own = tests().find(|target| target.src_path == file);
    // A module of a program whose first file is `tests/<name>/main.rs`.
    let shared = tests().find(|target| {
        target.src_path.ends_with("main.rs")
            && target
                .src_path
                .parent()
                .is_some_and(|folder| file.starts_with(folder))
    });
    if let Some(target) = own.or(shared) {
        return Some(Program::Test(target.name.clone()));
    }
    let sources = package.manifest_path.parent()?.join("src");
    if !file.starts_with(&sources) {
        return None;
    }
    let has_library = package
        .targets
        .iter()
        .any(|target| target.kind.contains(&TargetKind::Lib));
    Some(if has_library {
        Program::Lib
    } else {
        Program::Bins
    })
}

#[cfg(test)]
mod tests {
    use super::{all, names};
    use crate::fault::rows;

    #[test]
    fn names_are_read_from_sources() {
        let source = "#[test]\nfn fault_s1_power_cut() {\n    \
                      async fn fault_w10_replay() {}\n    let fault_x = 1;\nfn default_s1_x() {}";
        let found: Vec<_> = names(source).collect();
        let pair = |id: &str, name: &str| (id.to_owned(), name.to_owned());
        assert_eq!(
            found,
            [
                pair("s1", "fault_s1_power_cut"),
                pair("w10", "fault_w10_replay")
            ]
        );
    }

    /// A test with a slip in its name would never be run by `cargo xtask fault`.
    #[test]
    fn every_fault_test_of_the_workspace_belongs_to_a_row() {
        for test in all().expect("the sources can be read") {
            // The example above, in a string.
            if test.package != "xtask" {
                assert!(rows::find(&test.id).is_some(), "{test:?}");
            }
        }
    }
}
