use std::cell::Cell;
use std::future::Future;
use std::io;
use std::process;
use std::time::Duration;

use tokio::sync::watch;

use crate::exit::Exit;
use crate::failure::Failure;

/// Tells when the user or the system asks the program to end.
///
/// The first request resolves [`asked`](Self::asked) everywhere; the command then ends in its own
/// time. A second request, or [`GRACE`] without an end, ends the process at once.
#[derive(Clone, Debug)]
pub(crate) struct Signals {
    asked: watch::Receiver<Option<Exit>>,
}

impl Signals {
    /// Starts to listen. Must be called inside the runtime.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut source = Source::new()?;
        let (tell, asked) = watch::channel(None);
        tokio::spawn(async move {
            let first = source.next().await;
            let _ = tell.send(Some(first));
            // What takes longer than this hangs: a full pipe perhaps, or a dead disk.
            let last = tokio::time::timeout(GRACE, source.next())
                .await
                .unwrap_or(first);
            process::exit(i32::from(last.code()));
        });
        Ok(Self { asked })
    }

    /// Runs some work, and drops it when the request to end comes first.
    pub(crate) async fn unless_asked<T>(
        &mut self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            exit = self.asked() => Err(Failure::asked(exit)),
            done = work => done,
        }
    }

    /// As [`unless_asked`](Self::unless_asked), for work that goes on after each round until it is
    /// asked to end. `round` is how its last round ended: if that left something out, so does the
    /// program, whatever ended it.
    pub(crate) async fn between_rounds<T>(
        &mut self,
        round: &Cell<Exit>,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let done = self.unless_asked(work).await;
        done.map_err(|failure| match (failure.exit(), round.get()) {
            (Exit::Interrupted | Exit::Terminated, Exit::Partial) => Failure::asked(Exit::Partial),
            _ => failure,
        })
    }

    /// Waits for the request to end, for ever if there is none. Cancel-safe.
    async fn asked(&mut self) -> Exit {
        loop {
            if let Some(exit) = *self.asked.borrow_and_update() {
                return exit;
            }
            if self.asked.changed().await.is_err() {
                // The listening task is gone with its runtime: nothing will ever be asked.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Time for a clean end.
const GRACE: Duration = Duration::from_secs(8);

#[cfg(unix)]
struct Source {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Source {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
            // The terminal is gone: end as cleanly as on SIGTERM.
            _ = self.hangup.recv() => Exit::Terminated,
        }
    }
}

#[cfg(windows)]
struct Source {
    interrupt: tokio::signal::windows::CtrlC,
    close: tokio::signal::windows::CtrlClose,
    stop: tokio::signal::windows::CtrlBreak,
}

#[cfg(windows)]
impl Source {
    fn new() -> io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close};
        Ok(Self {
            interrupt: ctrl_c()?,
            close: ctrl_close()?,
            stop: ctrl_break()?,
        })
    }

    async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.close.recv() => Exit::Terminated,
            _ = self.stop.recv() => Exit::Terminated,
        }
    }
}
