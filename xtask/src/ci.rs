//! `cargo xtask ci`: what continuous integration runs, in the order in which it is cheapest to
//! fail.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Result;
use cargo_metadata::{MetadataCommand, Package, TargetKind};

use crate::run;
use crate::test;

/// Runs every step, also after one failed, and the tests last. `false` when something failed.
pub(crate) fn run() -> Result<bool> {
    let steps: [(&str, Step); 7] = [
        ("format", format),
        ("clippy", clippy),
        ("features", features),
        ("oldest Rust", oldest_rust),
        ("tidy", crate::tidy),
        ("docs", docs),
        ("licences and advisories", deny),
    ];
    let mut failed = Vec::new();
    for (name, step) in steps {
        let start = Instant::now();
        if !step()? {
            failed.push(name);
        }
        println!("{name}: {} s", start.elapsed().as_secs());
    }
    test::run_after(&failed, &test::Args::default())
}

/// `false` when something is wrong, an error when that could not be found out.
type Step = fn() -> Result<bool>;

fn format() -> Result<bool> {
    let ours = run::passes("fmt", run::cargo().args(["fmt", "--all", "--check"]))?;
    let fuzz = run::passes(
        "fmt of fuzz",
        run::cargo().args(["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]),
    )?;
    Ok(ours && fuzz)
}

fn clippy() -> Result<bool> {
    let mut ours = run::cargo();
    ours.args(["clippy", "--workspace", "--all-targets", "--locked"]);
    ours.args(["--features", "interop/node", "--", "-D", "warnings"]);
    // What is shipped handles every error; tests may unwrap.
    let mut shipped = run::cargo();
    shipped.args(["clippy", "--workspace", "--lib", "--bins", "--locked"]);
    for test_only in ["benches", "interop", "testkit", "xtask"] {
        shipped.args(["--exclude", test_only]);
    }
    shipped.args(["--", "-D", "warnings", "-D", "clippy::unwrap_used"]);
    let mut fuzz = run::cargo();
    fuzz.args([
        "clippy",
        "--manifest-path",
        "fuzz/Cargo.toml",
        "--all-targets",
        "--locked",
    ]);
    fuzz.args(["--", "-D", "warnings"]);
    Ok(run::passes("clippy", &mut ours)?
        & run::passes("clippy of what is shipped", &mut shipped)?
        & run::passes("clippy of fuzz", &mut fuzz)?)
}

/// Every library on its own, so that no crate lives on a feature that a neighbour switched on.
fn features() -> Result<bool> {
    run::announce("features: each library alone");
    let metadata = MetadataCommand::new()
        .current_dir(run::root())
        .no_deps()
        .exec()?;
    let mut all_pass = true;
    for package in metadata
        .packages
        .iter()
        .filter(|package| is_library(package))
    {
        for flags in combinations(package) {
            let mut command = run::cargo();
            command
                .args(["check", "--quiet", "--locked", "--package", &package.name])
                .args(*flags);
            println!("{} {}", package.name, flags.join(" "));
            if !command.status()?.success() {
                eprintln!("{} does not build with {flags:?}", package.name);
                all_pass = false;
            }
        }
    }
    Ok(all_pass)
}

fn is_library(package: &Package) -> bool {
    package
        .targets
        .iter()
        .any(|target| target.kind.contains(&TargetKind::Lib))
        && package
            .publish
            .as_ref()
            .is_none_or(|registries| !registries.is_empty())
}

/// Without features of its own, a crate has one way to be built.
fn combinations(package: &Package) -> &'static [&'static [&'static str]] {
    if package.features.is_empty() {
        &[&[]]
    } else {
        &[&["--no-default-features"], &[], &["--all-features"]]
    }
}

/// Checks the workspace with the oldest Rust that it promises to build with, where rustup has that
/// one installed; the workflow installs it.
fn oldest_rust() -> Result<bool> {
    let metadata = MetadataCommand::new()
        .current_dir(run::root())
        .no_deps()
        .exec()?;
    let Some(version) = metadata
        .packages
        .iter()
        .find_map(|package| package.rust_version.as_ref())
    else {
        return Ok(true);
    };
    // Rustup names toolchains by their first two numbers, as the manifests do.
    let version = format!("{}.{}", version.major, version.minor);
    let cargo = || {
        let mut command = run::cargo_on_path();
        command.arg(format!("+{version}"));
        command
    };
    let mut asked = cargo();
    asked
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if !succeeds(&mut asked) {
        println!("\n== Rust {version}: left out, because it is not on this machine");
        return Ok(true);
    }
    let step = format!("check with Rust {version}");
    run::passes(&step, cargo().args(["check", "--workspace", "--locked"]))
}

/// The program first: it has the name of the library `hyperdrive`, whose pages are to stay.
fn docs() -> Result<bool> {
    let doc = |step, packages: &[&str]| {
        let mut command = run::cargo();
        command.args(["doc", "--no-deps", "--locked", "--document-private-items"]);
        command.args(packages).env("RUSTDOCFLAGS", "-D warnings");
        run::passes(step, &mut command)
    };
    let program = doc("docs of the program", &["--package", "hyperdrive-cli"])?;
    Ok(doc("docs", &["--workspace", "--exclude", "hyperdrive-cli"])? && program)
}

/// `cargo deny` is a tool of its own; the workflow installs it, a developer's machine may not
/// have it.
fn deny() -> Result<bool> {
    let mut command = run::cargo();
    command
        .args(["deny", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if !succeeds(&mut command) {
        println!("\n== cargo deny: left out, because cargo-deny is not on this machine");
        return Ok(true);
    }
    run::passes("cargo deny", run::cargo().args(["deny", "check"]))
}

fn succeeds(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}
