//! Lines that another process writes, as they come.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

use crate::LIMIT;

/// The lines of one stream, read by a thread so that waiting for them can end.
#[derive(Debug)]
pub(crate) struct Lines {
    receiver: Receiver<String>,
    seen: Vec<String>,
}

impl Lines {
    pub(crate) fn of(stream: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            receiver,
            seen: Vec::new(),
        }
    }

    /// The next line; `None` when the stream has ended.
    ///
    /// # Panics
    ///
    /// When neither happens before `deadline`.
    #[track_caller]
    pub(crate) fn next(&mut self, deadline: Instant) -> Option<String> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.receiver.recv_timeout(left) {
            Ok(line) => {
                self.seen.push(line.clone());
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                panic!(
                    "no line came in {LIMIT:?}; before it:\n{}",
                    self.seen.join("\n")
                )
            }
        }
    }

    /// Everything until the stream ends, with what has been seen before.
    #[track_caller]
    pub(crate) fn rest(mut self, deadline: Instant) -> String {
        while self.next(deadline).is_some() {}
        self.seen.join("\n")
    }

    /// What has been seen so far.
    pub(crate) fn seen(&self) -> String {
        self.seen.join("\n")
    }
}
