use std::future::poll_fn;
use std::task::Poll;

/// Waits for nothing, once: whoever polls may do something else in between.
pub(crate) async fn take_turns() {
    let mut waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
