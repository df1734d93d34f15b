//! One life of a host, from its start to its end: whether it still lives, and what work
//! it has in flight, as seen from outside. Not here: what the host runs.

use crate::dice::Dice;
use crate::fault::{Boundary, Fault, Met, Op};
use crate::stage::{Order, Stage};
use crate::sync::{Yield, lock};
use duroxide_provider::{CommitId, Held};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One life of a host.
pub(crate) struct Host {
    stage: Arc<Stage>,
    name: String,
    life: u32,
    silent: AtomicBool,
    yields: Mutex<Dice>,
    work: Mutex<Work>,
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

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (life {})", self.name, self.life)
    }
}

impl Host {
    /// A host begins its so-manieth life.
    pub(crate) fn start(stage: &Arc<Stage>, name: &str, life: u32) -> Arc<Self> {
        let host = Arc::new(Self {
            stage: Arc::clone(stage),
            name: name.to_owned(),
            life,
            silent: AtomicBool::new(false),
            yields: Mutex::new(Dice::new(stage.plan.seed, &format!("yields of {name} {life}"))),
            work: Mutex::default(),
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

    /// Whether it still lives. What is dead does nothing more: its tasks stop at the next
    /// point at which they touch the world, and nothing they send arrives.
    pub(crate) fn is_alive(&self) -> bool {
        !self.silent.load(Ordering::Relaxed)
    }

    /// Let a seeded number of other tasks go first; for ever, if this life is over.
    pub(crate) async fn pass(&self) {
        let turns = lock(&self.yields).within(0..=2);
        Yield(turns).await;
        if !self.is_alive() {
            pending::<()>().await;
        }
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
        self.is_alive() && self.work(|work| work.calls.values().any(|op| !is_idle(*op)))
    }

    /// It has come to a point: whatever is planned there happens. Gives what only the
    /// caller can carry out (lost answers, duplicates).
    pub(crate) fn strike(&self, boundary: Boundary) -> Vec<Fault> {
        self.stage.stir();
        if !self.is_alive() {
            return Vec::new();
        }
        let mut rest = Vec::new();
        for fault in self.stage.reach(&self.name, boundary) {
            if boundary == Boundary::TookOver {
                self.stage.count(&self.name, Met::BrokenTakeOver);
            }
            let host = self.name.clone();
            match fault {
                Fault::Kill { down_ms } => self.die(down_ms, false),
                Fault::HostLoss { down_ms } => self.die(down_ms, true),
                Fault::Partition { for_ms } => {
                    self.stage.order(Order::Cut { host, lasting: Duration::from_millis(for_ms) });
                }
                Fault::Hold { for_ms } => {
                    self.stage.order(Order::Hold { host, lasting: Duration::from_millis(for_ms) });
                }
                Fault::LoseAnswer { .. } | Fault::Duplicate { .. } => rest.push(fault),
            }
        }
        rest
    }

    fn die(&self, down_ms: u64, silent: bool) {
        if self.silent.swap(true, Ordering::Relaxed) {
            return;
        }
        let (holding, unanswered, calling) = self.work(|work| {
            let calling = work.calls.values().any(|op| !is_idle(*op));
            (!work.held.is_empty(), !work.unanswered.is_empty(), calling)
        });
        let counts = holding || calling;
        if counts {
            self.stage.count(&self.name, if silent { Met::HostLoss } else { Met::Kill });
        } else {
            self.stage.count(&self.name, Met::Idle);
        }
        if holding {
            self.stage.count(&self.name, Met::DeathHoldingLease);
        }
        if unanswered {
            self.stage.count(&self.name, Met::DeathBetweenCommitAndAnswer);
        }
        self.stage.order(Order::Crash {
            host: self.name.clone(),
            down: Duration::from_millis(down_ms),
            silent,
            counts,
        });
    }
}

/// A call that only waits for others' work.
fn is_idle(op: Op) -> bool {
    matches!(op, Op::WaitForWork | Op::Watch)
}
