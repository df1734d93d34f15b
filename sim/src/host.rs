//! One life of a host, from its start to its end: whether it still lives, runs or is
//! stopped, and what work it has in flight, as seen from outside. Not here: what the host
//! runs, or how faults of the network are carried out (`world`).

use crate::clock::HostTime;
use crate::counts::{IDLE, sometimes};
use crate::dice::{Dice, Yield};
use crate::fault::{Shutdown, Then};
use crate::point::{Boundary, Op};
use crate::stage::{Order, Stage};
use crate::sync::lock;
use duroxide_provider::{CommitId, Held};
use futures_util::task::AtomicWaker;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

/// One life of a host.
pub(crate) struct Host {
    stage: Arc<Stage>,
    name: String,
    life: u32,
    /// The build of the workload's code that it runs.
    build: u32,
    pub(crate) time: HostTime,
    silent: AtomicBool,
    yields: Mutex<Dice>,
    work: Mutex<Work>,
    /// Until when it is stopped, and until when it is slow.
    thaws: Mutex<Duration>,
    slow: Mutex<(Duration, Duration)>,
    connections: Connections,
    /// How it was told to stop, and who waits for that.
    stop: Mutex<Option<Shutdown>>,
    stopping: AtomicWaker,
    /// What else has to go when it dies: the files it had open.
    at_death: Mutex<Option<AtDeath>>,
}

/// What is done the moment a host dies; told whether the power went.
pub(crate) type AtDeath = Box<dyn Fn(bool) + Send + Sync>;

/// How a host dies.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Death {
    /// The fault that it died of.
    pub(crate) name: &'static str,
    /// How long it stays down.
    pub(crate) down_ms: u64,
    /// The machine has gone too: nobody hears anything.
    pub(crate) silent: bool,
    /// Its disk has lost power.
    pub(crate) power: bool,
}

/// Work in flight, as an observer of calls and answers sees it.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Leases granted to this life and not given back.
    pub(crate) held: BTreeSet<Held>,
    /// Calls without an answer, by number.
    calls: BTreeMap<u64, Op>,
    /// Commits that are durable and whose answer has not come.
    pub(crate) unanswered: BTreeSet<CommitId>,
}

/// Open connections, and how often they all have been broken.
#[derive(Default)]
struct Connections {
    resets: AtomicU64,
    next: AtomicU64,
    open: Mutex<BTreeMap<u64, Arc<AtomicWaker>>>,
}

/// A connection's place among those of its host.
pub(crate) struct Connected {
    number: u64,
    since: u64,
    pub(crate) waker: Arc<AtomicWaker>,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (life {})", self.name, self.life)
    }
}

impl Host {
    /// A host begins its so-manieth life.
    pub(crate) fn start(stage: &Arc<Stage>, name: &str, life: u32) -> Arc<Self> {
        let yields = Dice::new(stage.plan.seed, &format!("yields of {name} {life}"));
        let host = Arc::new(Self {
            stage: Arc::clone(stage),
            name: name.to_owned(),
            life,
            build: stage.build_of(name),
            time: stage.time_of(name),
            silent: AtomicBool::new(false),
            yields: Mutex::new(yields),
            work: Mutex::default(),
            thaws: Mutex::default(),
            slow: Mutex::default(),
            connections: Connections::default(),
            stop: Mutex::default(),
            stopping: AtomicWaker::new(),
            at_death: Mutex::default(),
        });
        stage.enter(&host);
        stage.record(name, "starts", &life.to_le_bytes());
        host
    }

    /// What it shares with the others.
    pub(crate) fn stage(&self) -> &Arc<Stage> {
        &self.stage
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Which life this is, from 1.
    pub(crate) fn life(&self) -> u32 {
        self.life
    }

    /// The build of the workload's code that it runs.
    pub(crate) fn build(&self) -> u32 {
        self.build
    }

    /// Whether it still lives. What is dead does nothing more: its tasks stop at the next
    /// point at which they touch the world, and nothing they send arrives.
    pub(crate) fn is_alive(&self) -> bool {
        !self.silent.load(Ordering::Relaxed)
    }

    /// Let a seeded number of other tasks go first, and as much time pass as the host is
    /// slow; for ever, if this life is over.
    pub(crate) async fn pass(&self) {
        let turns = lock(&self.yields).within(0..=2);
        Yield(turns).await;
        let (until, step) = *lock(&self.slow);
        if self.stage.timeline.now() < until {
            self.stage.timeline.sleep(step).await;
        }
        self.gate().await;
    }

    /// Go on when the host runs: not while it is stopped, and never when it is dead.
    pub(crate) async fn gate(&self) {
        while self.is_alive() {
            let thaws = self.thaws_at();
            if self.stage.timeline.now() >= thaws {
                return;
            }
            self.stage.timeline.sleep_until(thaws).await;
        }
        pending::<()>().await;
    }

    /// When it runs again, if it is stopped; else a time that has passed.
    pub(crate) fn thaws_at(&self) -> Duration {
        *lock(&self.thaws)
    }

    /// Do nothing more.
    pub(crate) fn silence(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }

    /// Work in flight.
    pub(crate) fn work<T>(&self, look: impl FnOnce(&mut Work) -> T) -> T {
        look(&mut lock(&self.work))
    }

    /// A call begins; gives its number.
    pub(crate) fn call_begins(&self, op: Op) -> u64 {
        self.work(|work| {
            let number = work.calls.last_key_value().map_or(1, |(last, _)| last + 1);
            work.calls.insert(number, op);
            number
        })
    }

    /// A call was answered, or given up.
    pub(crate) fn call_ends(&self, number: u64) {
        self.work(|work| work.calls.remove(&number));
    }

    /// Whether something would suffer from a disturbance now.
    pub(crate) fn is_busy(&self) -> bool {
        self.is_alive()
            && self
                .work(|work| !work.held.is_empty() || work.calls.values().any(|op| !op.is_idle()))
    }

    /// A connection opens.
    pub(crate) fn connected(&self) -> Connected {
        let number = self.connections.next.fetch_add(1, Ordering::Relaxed);
        let waker = Arc::new(AtomicWaker::new());
        lock(&self.connections.open).insert(number, Arc::clone(&waker));
        Connected { number, since: self.connections.resets.load(Ordering::Relaxed), waker }
    }

    /// A connection closes.
    pub(crate) fn disconnected(&self, connected: &Connected) {
        lock(&self.connections.open).remove(&connected.number);
    }

    /// Whether a connection was broken since it was opened.
    pub(crate) fn is_broken(&self, connected: &Connected) -> bool {
        connected.since != self.connections.resets.load(Ordering::Relaxed)
    }

    /// It has come to a point: whatever is planned there happens. Gives what only the
    /// caller can carry out.
    pub(crate) fn strike(&self, boundary: Boundary) -> Vec<Then> {
        if !self.is_alive() {
            return Vec::new();
        }
        let mut rest = Vec::new();
        for fault in self.stage.reach(&self.name, boundary) {
            if boundary == Boundary::TookOver {
                self.stage.count(&self.name, sometimes::BROKEN_TAKE_OVER);
            }
            let then = fault.strike(self);
            if !matches!(then, Then::Nothing) {
                rest.push(then);
            }
        }
        rest
    }

    /// Count a fault that befalls the host as a whole, if it meets work.
    fn suffers(&self, name: &str) {
        self.stage.count(&self.name, if self.is_busy() { name } else { IDLE });
    }

    /// Its processes stop for so long.
    pub(crate) fn freeze(&self, name: &str, lasting: Duration) {
        self.suffers(name);
        let mut thaws = lock(&self.thaws);
        *thaws = (*thaws).max(self.stage.timeline.now() + lasting);
    }

    /// Each step takes so much longer for a while.
    pub(crate) fn slow_down(&self, name: &str, lasting: Duration, step: Duration) {
        self.suffers(name);
        *lock(&self.slow) = (self.stage.timeline.now() + lasting, step);
    }

    /// Its wall clock is set forward or back.
    pub(crate) fn jump(&self, name: &str, by_ms: i64) {
        self.suffers(name);
        self.stage.jump(&self.name, by_ms);
    }

    /// All its connections break.
    pub(crate) fn reset_connections(&self, name: &str) {
        self.suffers(name);
        self.connections.resets.fetch_add(1, Ordering::Relaxed);
        self.stage.stir();
        for waker in lock(&self.connections.open).values() {
            waker.wake();
        }
    }

    /// It is told to stop in an orderly way; the first word counts.
    pub(crate) fn shut_down(&self, name: &str, how: Shutdown) {
        let mut stop = lock(&self.stop);
        if stop.is_none() {
            self.suffers(name);
            *stop = Some(how);
            self.stopping.wake();
        }
    }

    /// Wait until it is told to stop.
    pub(crate) async fn told_to_stop(&self) -> Shutdown {
        poll_fn(|context| {
            self.stopping.register(context.waker());
            lock(&self.stop).map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// What has to go with it.
    pub(crate) fn at_death(&self, action: AtDeath) {
        *lock(&self.at_death) = Some(action);
    }

    /// It dies, here and now.
    pub(crate) fn die(&self, death: &Death) {
        if self.silent.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Some(action) = &*lock(&self.at_death) {
            action(death.power);
        }
        let (holding, unanswered, calling) = self.work(|work| {
            let calling = work.calls.values().any(|op| !op.is_idle());
            (!work.held.is_empty(), !work.unanswered.is_empty(), calling)
        });
        // The store's host always has work: others' calls.
        let counts = holding || calling || self.stage.is_store(&self.name);
        self.stage.count(&self.name, if counts { death.name } else { IDLE });
        if holding {
            self.stage.count(&self.name, sometimes::DEATH_HOLDING_LEASE);
        }
        if unanswered {
            self.stage.count(&self.name, sometimes::DEATH_BEFORE_ANSWER);
        }
        self.stage.order(Order::Crash {
            host: self.name.clone(),
            down: Duration::from_millis(death.down_ms),
            silent: death.silent,
            counts,
        });
    }
}
