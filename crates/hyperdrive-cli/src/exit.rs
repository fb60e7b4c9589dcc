use std::fmt::Write;
use std::process::ExitCode;

/// How the program ended, as its exit status. This is the only table of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Exit {
    Ok = 0,
    Other = 1,
    Usage = 2,
    Partial = 3,
    NotFound = 4,
    TryAgain = 5,
    NotWritable = 6,
    Corrupt = 7,
    NoStorage = 10,
    Locked = 11,
    Interrupted = 130,
    Terminated = 143,
}

impl Exit {
    /// Every status and what it tells a caller, in the order of the help text.
    pub(crate) const TABLE: [(Self, &'static str); 12] = [
        (Self::Ok, "done"),
        (Self::Other, "failed in a way that no other status names"),
        (Self::Usage, "the command line is wrong"),
        (Self::Partial, "done, except for what the warnings name"),
        (
            Self::NotFound,
            "no such file, folder, version or byte range",
        ),
        (Self::TryAgain, "nobody answered in time, or no peer has it"),
        (
            Self::NotWritable,
            "the drive, or a file in the way, must not be written",
        ),
        (
            Self::Corrupt,
            "data failed its verification, or is damaged on disk",
        ),
        (
            Self::NoStorage,
            "the storage cannot be created or written, or is full",
        ),
        (Self::Locked, "another process holds the storage"),
        (Self::Interrupted, "ended by SIGINT"),
        (Self::Terminated, "ended by SIGTERM"),
    ];

    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    /// The table as it stands below `hyperdrive --help`.
    pub(crate) fn help() -> String {
        let mut text = String::from("Exit status:\n");
        for (exit, meaning) in Self::TABLE {
            let _ = writeln!(text, "  {:>3}  {meaning}", exit.code());
        }
        text
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_listed_once_and_in_order() {
        let codes: Vec<u8> = Exit::TABLE.iter().map(|(exit, _)| exit.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 130, 143]);
    }

    #[test]
    fn the_help_shows_code_and_meaning() {
        assert!(Exit::help().contains("\n   11  another process holds the storage\n"));
    }
}
