//! Counts what test programs say about themselves, and closes a run with it.

use std::fmt;
use std::ops::AddAssign;

/// Tests that passed and failed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Counts {
    /// Reads the closing line of one test program:
    /// `test result: ok. 3 passed; 0 failed; 0 ignored; ...`.
    fn parse(line: &str) -> Option<Self> {
        let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let mut parts = counts.split("; ");
        let passed = parts.next()?.strip_suffix(" passed")?.parse().ok()?;
        let failed = parts.next()?.strip_suffix(" failed")?.parse().ok()?;
        Some(Self { passed, failed })
    }

    /// A program that broke off before it could count is one failure.
    pub(crate) fn with_outcome(self, ended_well: bool) -> Self {
        let failed = if ended_well {
            self.failed
        } else {
            self.failed.max(1)
        };
        Self { failed, ..self }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Follows the output of `cargo test` and counts its tests in two heaps: those of the test
/// programs named at the start, and all others.
#[derive(Debug)]
pub(crate) struct Tally {
    named: Vec<String>,
    in_named: bool,
    pub(crate) of_named: Counts,
    pub(crate) of_others: Counts,
}

impl Tally {
    /// Counts apart the test targets called `named`.
    pub(crate) fn apart(named: Vec<String>) -> Self {
        Self {
            named,
            in_named: false,
            of_named: Counts::default(),
            of_others: Counts::default(),
        }
    }

    /// Takes in one line of output.
    pub(crate) fn see(&mut self, line: &str) {
        if let Some(program) = program_of(line) {
            self.in_named = self.named.iter().any(|name| name == program);
        } else if line.trim_start().starts_with("Doc-tests ") {
            self.in_named = false;
        } else if let Some(counts) = Counts::parse(line) {
            if self.in_named {
                self.of_named += counts;
            } else {
                self.of_others += counts;
            }
        }
    }
}

/// The test target in `Running tests/reads.rs (target/debug/deps/reads-0123456789abcdef)`.
fn program_of(line: &str) -> Option<&str> {
    let (_, path) = line
        .trim_start()
        .strip_prefix("Running ")?
        .rsplit_once('(')?;
    let file = path.trim_end_matches(')').rsplit(['/', '\\']).next()?;
    let (name, _hash) = file.rsplit_once('-')?;
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::{Counts, Tally, program_of};

    #[test]
    fn a_closing_line_is_read() {
        let line = "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered \
                    out; finished in 0.01s";
        assert_eq!(
            Counts::parse(line),
            Some(Counts {
                passed: 12,
                failed: 3
            })
        );
        assert_eq!(Counts::parse("test counts ... ok"), None);
    }

    #[test]
    fn a_program_is_known_by_its_name() {
        let line = "     Running tests/share.rs (target/debug/deps/share_to_node-27b1d2bfc6d7)";
        assert_eq!(program_of(line), Some("share_to_node"));
        let line = r"     Running unittests src\lib.rs (target\debug\deps\drive-27b1.exe)";
        assert_eq!(program_of(line), Some("drive"));
    }

    #[test]
    fn named_programs_are_counted_apart() {
        let mut tally = Tally::apart(vec!["peer".into()]);
        for line in [
            "     Running unittests src/lib.rs (target/debug/deps/core-00)",
            "test result: ok. 2 passed; 0 failed; 0 ignored",
            "     Running tests/peer.rs (target/debug/deps/peer-00)",
            "test result: FAILED. 4 passed; 1 failed; 0 ignored",
            "   Doc-tests core",
            "test result: ok. 1 passed; 0 failed; 0 ignored",
        ] {
            tally.see(line);
        }
        assert_eq!(
            tally.of_named,
            Counts {
                passed: 4,
                failed: 1
            }
        );
        assert_eq!(
            tally.of_others,
            Counts {
                passed: 3,
                failed: 0
            }
        );
    }

    #[test]
    fn a_program_that_broke_off_is_a_failure() {
        let counts = Counts {
            passed: 5,
            failed: 0,
        };
        assert_eq!(counts.with_outcome(false).to_string(), "5 passed, 1 failed");
        assert_eq!(counts.with_outcome(true), counts);
    }
}
