//! Transcripts in the documents, run as they stand there.

use std::fs;
use std::path::Path;

use super::{Background, Place};

/// Runs the commands of a transcript in `docs/cli.md`, a code block that begins with
/// "```console NAME", in one shell, and compares what they print. There `…` stands for anything within
/// a line.
#[track_caller]
pub(crate) fn check(place: &Place, name: &str, env: &[(&str, &str)]) {
    let steps = steps(name);
    let mut script = String::from("exec 2>&1\n");
    for (command, _) in &steps {
        script.push_str(&format!("{command}\nprintf '{END}%d\\n' $?\n"));
    }
    let program = Path::new(env!("CARGO_BIN_EXE_hyperdrive"));
    let folder = program.parent().expect("the binary's folder");
    let path = std::env::var("PATH").expect("a path");
    let mut shell = std::process::Command::new("sh");
    shell
        .arg("-c")
        .arg(script)
        .current_dir(place.folder("work"))
        .env("PATH", format!("{}:{path}", folder.display()))
        .env("HYPERDRIVE_STORAGE", place.path("storage"))
        .env("HYPERDRIVE_NO_SWARM", "true")
        .envs(env.iter().copied())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let printed = Background::spawn(shell).end().expect(0).text();
    let mut printed = printed.lines();
    for (command, expected) in steps {
        let output: Vec<&str> = printed
            .by_ref()
            .take_while(|line| !line.starts_with(END))
            .collect();
        let same = output.len() == expected.len()
            && output
                .iter()
                .zip(&expected)
                .all(|(line, expected)| matches(line, expected));
        assert!(
            same,
            "{command}\nprints\n{}\nand not\n{}",
            output.join("\n"),
            expected.join("\n")
        );
    }
}

/// Marks the end of what a command printed.
const END: &str = "=end=";

/// The commands of a transcript and the lines after each.
#[track_caller]
fn steps(name: &str) -> Vec<(String, Vec<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let page = fs::read_to_string(path).expect("the page is there");
    let start = format!("```console {name}");
    let block = page
        .lines()
        .skip_while(|line| *line != start)
        .skip(1)
        .take_while(|line| *line != "```");
    let mut steps: Vec<(String, Vec<String>)> = Vec::new();
    for line in block {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push((command.to_owned(), Vec::new())),
            (None, Some((_, expected))) => expected.push(line.to_owned()),
            (None, None) => panic!("{name} does not begin with a command"),
        }
    }
    assert!(!steps.is_empty(), "there is no transcript {name}");
    steps
}

/// Whether a line is what was expected, where `…` stands for anything.
fn matches(line: &str, expected: &str) -> bool {
    let mut parts = expected.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}
