//! Running other programs, with their output passed on as it comes.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The workspace's root directory.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace")
        .to_path_buf()
}

/// The one target directory that every part of a run builds into.
pub(crate) fn target_dir() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// A program that a build leaves behind in the folder of its profile.
pub(crate) fn built(profile: &str, name: &str) -> PathBuf {
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    target_dir().join(profile).join(file)
}

/// The cargo that runs this program, or the one on the path, started in the workspace's root.
pub(crate) fn cargo() -> Command {
    cargo_called(&env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

/// Rustup's cargo, which takes `+toolchain`.
pub(crate) fn cargo_on_path() -> Command {
    let mut command = cargo_called(OsStr::new("cargo"));
    // Set by the cargo that runs this program, for its own toolchain.
    command
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO")
        .env_remove("RUSTC");
    command
}

fn cargo_called(program: &OsStr) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(root())
        .env("CARGO_TARGET_DIR", target_dir());
    if io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    command
}

/// Whether this is continuous integration, where nothing may be left out.
pub(crate) fn in_ci() -> bool {
    env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}

/// Prints what is about to run.
pub(crate) fn announce(step: &str) {
    println!("\n== {step}");
}

/// Runs a command and shows its output. `false` when it fails.
pub(crate) fn passes(step: &str, command: &mut Command) -> Result<bool> {
    announce(step);
    let status = command
        .status()
        .with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        eprintln!("{step}: failed ({status})");
    }
    Ok(status.success())
}

/// Runs a command, passes each line of its output (both streams, in order) on, and shows it to
/// `see` without colours. Returns whether it ended well.
pub(crate) fn watch(command: &mut Command, mut see: impl FnMut(&str)) -> Result<bool> {
    let (reader, writer) = io::pipe()?;
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    // The command holds our ends of the pipe; while it does, the reader would never see an end.
    command.stdout(Stdio::null()).stderr(Stdio::null());

    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    let mut out = io::stdout();
    while reader.read_until(b'\n', &mut line)? > 0 {
        out.write_all(&line)?;
        out.flush()?;
        see(&plain(&String::from_utf8_lossy(&line)));
        line.clear();
    }
    Ok(child.wait()?.success())
}

/// The standard output of a command that has to succeed.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed ({})", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A line without its terminal colours and line end.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut chars = line.trim_end().chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn colours_and_line_ends_are_taken_off() {
        assert_eq!(
            plain("\u{1b}[0m\u{1b}[32m    Running\u{1b}[0m x\r\n"),
            "    Running x"
        );
    }
}
