//! How long a read may take.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use crate::DriveError;

/// Limits for anything that reads a drive: every read waits for as long as it takes until a block
/// arrives from a peer, unless one of these says otherwise.
///
/// They work on every future of this crate that gives a result, and on the `next` of every stream.
pub trait Patience: Future + Sized
where
    Self::Output: Outcome,
{
    /// Takes what is stored here and asks nobody: what would have to be waited for is
    /// [`DriveError::NotHere`]. The reference's options `wait: false` and `cached: true`.
    fn cached(self) -> impl Future<Output = Self::Output> {
        async {
            let mut work = pin!(self);
            poll_fn(|cx| {
                Poll::Ready(match work.as_mut().poll(cx) {
                    Poll::Ready(done) => done,
                    Poll::Pending => Self::Output::failed(DriveError::NotHere),
                })
            })
            .await
        }
    }

    /// Gives up when `timer` ends: then it is [`DriveError::TimedOut`]. The timer is that of
    /// whatever runtime there is. The reference's option `timeout`.
    fn until<T: Future>(self, timer: T) -> impl Future<Output = Self::Output> {
        async {
            let (mut work, mut timer) = (pin!(self), pin!(timer));
            poll_fn(|cx| {
                if let Poll::Ready(done) = work.as_mut().poll(cx) {
                    return Poll::Ready(done);
                }
                let late = timer.as_mut().poll(cx);
                late.map(|_| Self::Output::failed(DriveError::TimedOut))
            })
            .await
        }
    }
}

impl<F: Future> Patience for F where F::Output: Outcome {}

/// What can be a failure.
pub trait Outcome {
    /// The failure.
    fn failed(error: DriveError) -> Self;
}

impl<T> Outcome for Result<T, DriveError> {
    fn failed(error: DriveError) -> Self {
        Err(error)
    }
}

impl<T> Outcome for Option<Result<T, DriveError>> {
    fn failed(error: DriveError) -> Self {
        Some(Err(error))
    }
}
