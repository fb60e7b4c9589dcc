//! What must not stand in any file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use ignore::WalkBuilder;

/// A Rust file longer than this holds two ideas.
const MAX_RUST_LINES: usize = 900;

/// The text files of the repository, as paths with `/` below its root.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) root: PathBuf,
    pub(super) texts: Vec<Text>,
}

/// One file that is UTF-8.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) path: String,
    pub(super) content: String,
}

impl Files {
    /// Reads everything that git does not ignore.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut texts = Vec::new();
        let walk = WalkBuilder::new(root)
            .hidden(false)
            .require_git(false)
            .filter_entry(|entry| entry.file_name() != ".git")
            .build();
        for entry in walk {
            let entry = entry.context("the repository cannot be walked")?;
            if !entry.file_type().is_some_and(|kind| kind.is_file()) {
                continue;
            }
            let bytes = fs::read(entry.path())
                .with_context(|| format!("{} cannot be read", entry.path().display()))?;
            if let Ok(content) = String::from_utf8(bytes) {
                let below = entry.path().strip_prefix(root)?;
                let path = below.to_string_lossy().replace('\\', "/");
                texts.push(Text { path, content });
            }
        }
        texts.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self {
            root: root.to_path_buf(),
            texts,
        })
    }
}

pub(super) fn check(files: &Files, complaints: &mut Vec<String>) {
    for text in &files.texts {
        let path = &text.path;
        if path.ends_with(".rs") {
            let lines = text.content.lines().count();
            if lines > MAX_RUST_LINES {
                complaints.push(format!("{path}: {lines} lines; more than {MAX_RUST_LINES}"));
            }
        }
        // This file has to name what it forbids.
        if path == "xtask/src/tidy/files.rs" {
            continue;
        }
        for (number, line) in text.content.lines().enumerate() {
            for forbidden in FORBIDDEN {
                if forbidden.applies_to(path) && forbidden.stands_in(line) {
                    let number = number + 1;
                    complaints.push(format!("{path}:{number}: {}", forbidden.why));
                }
            }
        }
    }
}

/// Words that must not stand in a line, and where they may.
#[derive(Debug)]
struct Forbidden {
    words: &'static [&'static str],
    only_rust: bool,
    except: &'static [&'static str],
    why: &'static str,
}

const FORBIDDEN: &[Forbidden] = &[
    Forbidden {
        words: &["/work/", "/root/", "/home/", "/Users/"],
        only_rust: false,
        except: &[],
        why: "a path of somebody's machine",
    },
    Forbidden {
        words: &["../shared"],
        only_rust: false,
        except: &[],
        why: "a path outside the repository; copy what is needed into it",
    },
    Forbidden {
        words: &[
            "registry.npmjs.org",
            "index.crates.io",
            "static.crates.io",
            "crates.io-index",
        ],
        only_rust: false,
        except: &["Cargo.lock", "fuzz/Cargo.lock"],
        why: "a registry's address; the tools know where their packages are",
    },
    Forbidden {
        words: &["TODO", "FIXME", "todo!(", "unimplemented!("],
        only_rust: true,
        except: &[],
        why: "unfinished work goes to the issue list",
    },
    Forbidden {
        words: &["#[ignore"],
        only_rust: true,
        except: &[],
        why: "a test that never runs",
    },
];

impl Forbidden {
    fn applies_to(&self, path: &str) -> bool {
        (path.ends_with(".rs") || !self.only_rust) && !self.except.contains(&path)
    }

    /// A word counts where it begins one: `/work/` is not in `../network/work/notes`. The home of
    /// `me` is nobody's.
    fn stands_in(&self, line: &str) -> bool {
        self.words.iter().any(|word| {
            line.match_indices(word).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                let after = &line[at + word.len()..];
                !after.starts_with("me")
                    && !before
                        .is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}'))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::FORBIDDEN;

    #[track_caller]
    fn check(path: &str, line: &str, complains: bool) {
        let found = FORBIDDEN
            .iter()
            .any(|rule| rule.applies_to(path) && rule.stands_in(line));
        assert_eq!(found, complains, "{path}: {line}");
    }

    #[test]
    fn paths_of_machines_are_found() {
        check("docs/testing.md", "see `/work/notes`", true);
        check("docs/testing.md", "see /root/.cargo", true);
        check(
            "docs/testing.md",
            "see docs/work/notes and $HOME/home/x",
            false,
        );
        check(
            "crates/x/tests/y.rs",
            r#"include_str!("../shared/x.json")"#,
            true,
        );
    }

    #[test]
    fn unfinished_code_is_found_in_rust_only() {
        check("src/lib.rs", "// TODO: more", true);
        check("src/lib.rs", "    todo!()", true);
        check("src/lib.rs", "    #[ignore = \"slow\"]", true);
        check("docs/contributing.md", "TODO", false);
    }

    #[test]
    fn addresses_stand_in_cargos_lock_only() {
        let line = r#"source = "registry+https://github.com/rust-lang/crates.io-index""#;
        check("Cargo.lock", line, false);
        check("README.md", line, true);
        check(
            "crates/interop/node/package-lock.json",
            "https://registry.npmjs.org/x",
            true,
        );
    }
}
