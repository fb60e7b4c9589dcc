//! Node and the packages that the interop tests run against.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::packages::{self, answers};
use crate::run;

/// Makes the Node packages ready. `Err` says why they cannot be, in words for the closing lines.
pub(crate) fn prepare() -> Result<()> {
    if !(answers("node") && answers(NPM)) {
        packages::install(&["nodejs", "npm"]);
    }
    if !answers("node") {
        bail!("`node` is not on this machine");
    }
    if !answers(NPM) {
        bail!("`npm` is not on this machine");
    }
    install_packages(&run::root().join("crates/interop/node"))
}

/// `npm` is a batch file on Windows, which only a shell finds by its bare name.
const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

/// Installs what the lock file names, unless that is what is installed already.
fn install_packages(dir: &Path) -> Result<()> {
    let lock = fs::read_to_string(dir.join("package-lock.json"))
        .context("the lock file of the Node packages cannot be read")?;
    let marker = marker(dir);
    if fs::read_to_string(&marker).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    let passed = run::passes("npm ci", Command::new(NPM).arg("ci").current_dir(dir))?;
    if !passed {
        bail!("`npm ci` in crates/interop/node failed; its words stand above");
    }
    fs::write(&marker, lock).context("cannot note which Node packages are installed")
}

/// Holds a copy of the lock file that the installed packages come from.
fn marker(dir: &Path) -> PathBuf {
    dir.join("node_modules").join(".installed-lock.json")
}
