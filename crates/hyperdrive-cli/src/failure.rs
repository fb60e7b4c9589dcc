use std::fmt;
use std::io;

use crate::exit::Exit;

/// Why a command ended early: the exit status, what happened, and what to do next.
///
/// Prints as one line, whatever characters a path or a peer put into it.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
    hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hint: None,
        }
    }

    /// Adds what the user can do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Standard output could not be written. A reader that went away (`| head`) is no failure.
    pub(crate) fn stdout(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Ok, "");
        }
        Self::new(
            Exit::Other,
            format!("cannot write to standard output: {error}"),
        )
    }

    /// The user or the system asked for the end, and knows why.
    pub(crate) fn asked(exit: Exit) -> Self {
        Self::new(exit, "")
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// Whether there is nothing to tell the user.
    pub(crate) fn is_quiet(&self) -> bool {
        self.message.is_empty()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::output::printable(&self.message))?;
        if let Some(hint) = &self.hint {
            write!(f, "; {}", crate::output::printable(hint))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_line_with_its_hint() {
        let failure = Failure::new(Exit::NotFound, "no such file: /a\nb").hint("try `ls`");
        assert_eq!(failure.to_string(), "no such file: /a\\nb; try `ls`");
    }

    #[test]
    fn a_reader_that_went_away_is_quiet() {
        let failure = Failure::stdout(&io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(failure.is_quiet());
    }
}
