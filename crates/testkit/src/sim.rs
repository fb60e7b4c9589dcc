use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use hypercore_runtime::{BoxFuture, Runtime, TcpListener, TcpStream, UdpPort, UdpSocket};

use crate::Rng;

mod net;

pub use net::Link;
use net::Net;

/// Hosts on one virtual clock, with a network between them, in one thread.
///
/// Time passes only in [`run`](Self::run), and there only when no task has anything to do. What is
/// left to chance (which of several tasks runs first, how long each connection's delay is) follows
/// from the seed.
///
/// ```
/// use std::time::Duration;
///
/// use hypercore_runtime::Runtime;
/// use testkit::Sim;
///
/// let sim = Sim::new(1);
/// let host = sim.host([10, 0, 0, 1]);
/// let day = Duration::from_secs(86_400);
/// sim.run(2 * day, host.sleep(day)).expect("a day passes in no time");
/// assert_eq!(sim.now(), day);
/// ```
#[derive(Clone)]
pub struct Sim(Arc<Shared>);

/// One host of a [`Sim`], as a [`Runtime`]. Clones are the same host.
///
/// A panic in a spawned task ends the test, not only the task. Datagrams are not simulated.
#[derive(Clone)]
pub struct SimRuntime {
    sim: Sim,
    ip: IpAddr,
}

struct Shared {
    state: Mutex<State>,
    /// Tasks that were woken. A lock of its own, and the last one taken: wakers run anywhere.
    ready: Mutex<BTreeSet<u64>>,
}

struct State {
    now: Duration,
    timers: BTreeMap<(Duration, u64), Waker>,
    tasks: BTreeMap<u64, BoxFuture<'static, ()>>,
    net: Net,
    rng: Rng,
    next_id: u64,
}

impl Sim {
    /// A world at time zero.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                now: Duration::ZERO,
                timers: BTreeMap::new(),
                tasks: BTreeMap::new(),
                net: Net::default(),
                rng: Rng::new(seed),
                next_id: 0,
            }),
            ready: Mutex::default(),
        }))
    }

    /// A host with this address.
    pub fn host(&self, ip: impl Into<IpAddr>) -> Arc<SimRuntime> {
        Arc::new(SimRuntime {
            sim: self.clone(),
            ip: ip.into(),
        })
    }

    /// The time that has passed.
    pub fn now(&self) -> Duration {
        self.state().now
    }

    /// Lets tasks run and time pass until the future is done. `None` if it is not after `limit`.
    pub fn run<T>(&self, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
        let end = self.now() + limit;
        let mut future = pin!(future);
        let woken = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        loop {
            if woken.0.swap(false, Ordering::AcqRel)
                && let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker))
            {
                return Some(output);
            }
            if self.run_task() || woken.0.load(Ordering::Acquire) {
                continue;
            }
            if !self.pass_time(end) {
                return None;
            }
        }
    }

    /// Lets this much time pass.
    pub fn pass(&self, time: Duration) {
        assert!(self.run(time, std::future::pending::<()>()).is_none());
    }

    /// Moves the clock while everything stands still, as when a machine sleeps.
    pub fn jump(&self, time: Duration) {
        self.state().now += time;
    }

    /// From now on connections are made like this.
    pub fn set_link(&self, link: Link) {
        self.state().net.link = link;
    }

    /// Breaks every connection of a host; both ends see an error.
    pub fn cut(&self, ip: impl Into<IpAddr>) {
        let ends = self.state().net.connections_of(ip.into());
        ends.iter().for_each(|pipe| net::reset(pipe));
    }

    /// Drops every task, and with them what they hold: tasks hold their hosts, and hosts the world.
    pub fn end(&self) {
        let tasks = std::mem::take(&mut self.state().tasks);
        drop(tasks);
    }

    /// Runs one task that was woken. False if there is none.
    fn run_task(&self) -> bool {
        let mut state = self.state();
        let id = {
            let mut ready = lock(&self.0.ready);
            let Some(nth) = (ready.len() as u64).checked_sub(1) else {
                return false;
            };
            let nth = usize::try_from(state.rng.below(nth + 1)).unwrap_or(0);
            let id = ready.iter().nth(nth).copied().unwrap_or(0);
            ready.remove(&id);
            id
        };
        let Some(mut task) = state.tasks.remove(&id) else {
            return true;
        };
        drop(state);
        let waker = Waker::from(Arc::new(Task {
            shared: self.0.clone(),
            id,
        }));
        if task
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
        {
            self.state().tasks.insert(id, task);
        }
        true
    }

    /// Moves the clock to the next timer. False if there is none until `end`.
    fn pass_time(&self, end: Duration) -> bool {
        let due = {
            let mut state = self.state();
            let next = state.timers.first_key_value().map(|(key, _)| key.0);
            let Some(next) = next.filter(|next| *next <= end) else {
                state.now = state.now.max(end);
                return false;
            };
            state.now = state.now.max(next);
            let now = state.now;
            let later = state.timers.split_off(&(now, u64::MAX));
            std::mem::replace(&mut state.timers, later)
        };
        due.into_values().for_each(Waker::wake);
        true
    }

    /// Has the waker woken at a time.
    fn wake_at(&self, at: Duration, waker: &Waker) -> (Duration, u64) {
        let mut state = self.state();
        let key = (at, state.id());
        state.timers.insert(key, waker.clone());
        key
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }
}

impl State {
    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Sim")
            .field("now", &state.now)
            .field("tasks", &state.tasks.len())
            .field("timers", &state.timers.len())
            .finish_non_exhaustive()
    }
}

impl SimRuntime {
    /// The world that the host is in.
    pub fn sim(&self) -> &Sim {
        &self.sim
    }

    /// The host's address.
    pub fn ip(&self) -> IpAddr {
        self.ip
    }
}

impl Runtime for SimRuntime {
    fn now(&self) -> Duration {
        self.sim.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(Sleep {
            at: self.sim.now() + duration,
            sim: self.sim.clone(),
            timer: None,
        })
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        let id = {
            let mut state = self.sim.state();
            let id = state.id();
            state.tasks.insert(id, task);
            id
        };
        lock(&self.sim.0.ready).insert(id);
    }

    fn connect_tcp(&self, to: SocketAddr) -> BoxFuture<'static, io::Result<TcpStream>> {
        Box::pin(net::connect(self.clone(), to))
    }

    fn listen_tcp(&self, on: SocketAddr) -> BoxFuture<'static, io::Result<TcpListener>> {
        let listener = net::listen(self, on.port());
        Box::pin(async move { listener })
    }

    fn bind_udp(&self, _on: SocketAddr, _port: UdpPort) -> io::Result<UdpSocket> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl fmt::Debug for SimRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimRuntime({})", self.ip)
    }
}

/// Completes at a time.
struct Sleep {
    sim: Sim,
    at: Duration,
    timer: Option<(Duration, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.sim.now() >= self.at {
            return Poll::Ready(());
        }
        let timer = self.sim.wake_at(self.at, cx.waker());
        if let Some(old) = self.timer.replace(timer) {
            self.sim.state().timers.remove(&old);
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = &self.timer {
            self.sim.state().timers.remove(timer);
        }
    }
}

/// Wakes a task.
struct Task {
    shared: Arc<Shared>,
    id: u64,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        lock(&self.shared.ready).insert(self.id);
    }
}

/// Wakes whoever runs the world.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
