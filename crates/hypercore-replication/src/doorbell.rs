use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use hypercore_protocol::Channel;

/// Collects which logs of a connection have something new, and wakes the connection's driver.
#[derive(Debug, Default)]
pub(crate) struct Doorbell(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    rung: BTreeSet<Channel>,
    driver: Option<Waker>,
}

/// One log's button.
#[derive(Debug)]
struct Button {
    doorbell: Arc<Doorbell>,
    channel: Channel,
}

impl Doorbell {
    /// A waker that rings for one log.
    pub(crate) fn button(self: &Arc<Self>, channel: Channel) -> Waker {
        Arc::new(Button {
            doorbell: self.clone(),
            channel,
        })
        .into()
    }

    /// Has `waker` woken at the next ring. True if it has rung already.
    pub(crate) fn register(&self, waker: &Waker) -> bool {
        let mut state = self.lock();
        state.driver = Some(waker.clone());
        !state.rung.is_empty()
    }

    /// Takes the logs that have rung.
    pub(crate) fn take(&self) -> BTreeSet<Channel> {
        std::mem::take(&mut self.lock().rung)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Button {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let driver = {
            let mut state = self.doorbell.lock();
            state.rung.insert(self.channel);
            state.driver.take()
        };
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}
