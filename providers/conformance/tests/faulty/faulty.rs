//! A store with one fault: the reference model, and in front of it what goes wrong. Requests
//! are twisted on their way in, answers on their way out, and what is stored is changed behind
//! the model's back. Which fault does what stands in the files named after the methods.

use crate::fault::Fault;
use duroxide_conformance::{MovedClock, Trouble};
use duroxide_core::{EventId, InstanceId, TimeMs};
use duroxide_model::{Instance, ModelProvider, State};
use duroxide_provider::{
    ActivityKey, CommitId, Incarnation, InstanceKey, LeaseId, LeasedActivity, LeasedInstance,
    ProviderError, RequestId, Submit,
};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

pub(crate) type Answer<T> = Result<T, ProviderError>;

/// As good as for ever.
pub(crate) const FOR_EVER: Duration = Duration::from_hours(1_000);

/// No check makes so many calls on a store that works.
const CALLS: u64 = 4_000;

/// What a fault has to remember to do its wrong.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) applied: BTreeSet<CommitId>,
    pub(crate) holder: BTreeMap<Incarnation, LeaseId>,
    pub(crate) worker: BTreeMap<ActivityKey, LeaseId>,
    pub(crate) leases: BTreeSet<LeaseId>,
    pub(crate) released: BTreeSet<LeaseId>,
    pub(crate) requests: Vec<RequestId>,
    pub(crate) unwritten: Vec<Submit>,
    pub(crate) for_nobody: Vec<Submit>,
    pub(crate) last_leased: Vec<LeasedInstance>,
    pub(crate) last_tasks: Vec<LeasedActivity>,
    pub(crate) left_behind: Vec<LeasedActivity>,
    pub(crate) position: BTreeMap<Incarnation, (Option<CommitId>, EventId)>,
    pub(crate) cancelled: BTreeSet<InstanceKey>,
    pub(crate) first_of: BTreeMap<InstanceKey, Incarnation>,
    pub(crate) deleted: BTreeMap<Incarnation, Instance>,
    pub(crate) pruned: BTreeSet<InstanceId>,
    pub(crate) first_now: Option<TimeMs>,
    pub(crate) under_way: usize,
    pub(crate) waiting: usize,
    pub(crate) closed: bool,
    /// Something was done; whoever waits is not told if the fault says so.
    pub(crate) done: u64,
    pub(crate) muted: bool,
}

/// What all handles on one store share.
pub(crate) struct Shared {
    clock: MovedClock,
    a_call_takes: Duration,
    memory: Mutex<Memory>,
    trouble: Mutex<Option<Trouble>>,
    set_back_ms: AtomicU64,
    reopened: AtomicU64,
    calls: AtomicU64,
    drawn: AtomicU64,
}

impl Shared {
    pub(crate) fn new(clock: MovedClock, a_call_takes: Duration) -> Self {
        Self {
            clock,
            a_call_takes,
            memory: Mutex::default(),
            trouble: Mutex::default(),
            set_back_ms: AtomicU64::new(0),
            reopened: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            drawn: AtomicU64::new(1),
        }
    }

    pub(crate) fn set_back(&self, by: Duration) {
        self.set_back_ms.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn reopened(&self) {
        self.reopened.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn expect_trouble(&self, next: Trouble) {
        *self.trouble.lock().unwrap() = Some(next);
    }
}

/// One handle on the store with its fault.
pub(crate) struct Faulty {
    pub(crate) inner: Arc<ModelProvider>,
    pub(crate) fault: Option<Fault>,
    pub(crate) handle: u32,
    shared: Arc<Shared>,
}

impl Faulty {
    pub(crate) fn new(
        fault: Option<Fault>,
        handle: u32,
        inner: Arc<ModelProvider>,
        shared: Arc<Shared>,
    ) -> Self {
        Self { inner, fault, handle, shared }
    }

    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    pub(crate) fn is_any_of(&self, faults: &[Fault]) -> bool {
        self.fault.is_some_and(|fault| faults.contains(&fault))
    }

    /// What is stored now, for these faults: it takes its time.
    pub(crate) fn state_for(&self, faults: &[Fault]) -> State {
        if self.is_any_of(faults) { self.inner.state() } else { State::default() }
    }

    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.shared.memory.lock().unwrap()
    }

    /// A number that no other call got.
    pub(crate) fn draw(&self) -> u64 {
        self.shared.drawn.fetch_add(1, Ordering::SeqCst)
    }

    /// A store beside this one, where what is tried has no consequence.
    pub(crate) fn aside(&self) -> ModelProvider {
        ModelProvider::with_state(crate::world::env(&self.shared.clock), self.inner.state())
    }

    /// The store's time.
    pub(crate) fn now(&self) -> TimeMs {
        self.inner.edit(|state| state.now)
    }

    pub(crate) fn edit(&self, change: impl FnOnce(&mut State)) {
        self.inner.edit(change);
    }

    /// How far the wall clock was set back.
    pub(crate) fn set_back_ms(&self) -> u64 {
        self.shared.set_back_ms.load(Ordering::SeqCst)
    }

    pub(crate) fn was_reopened(&self) -> bool {
        self.shared.reopened.load(Ordering::SeqCst) > 0
    }

    /// Every call begins here: others may come between, and a check that asks without end
    /// is given an end.
    pub(crate) async fn begin(&self, operation: &str) -> Answer<()> {
        tokio::task::yield_now().await;
        self.count(operation)
    }

    /// Waits begin here: they begin at once.
    pub(crate) fn count(&self, operation: &str) -> Answer<()> {
        if !self.shared.a_call_takes.is_zero() {
            self.shared.clock.advance(self.shared.a_call_takes);
        }
        if self.shared.calls.fetch_add(1, Ordering::SeqCst) < CALLS {
            return Ok(());
        }
        let (operation, message) = (operation.to_owned(), "this goes on without end".to_owned());
        Err(ProviderError::Unusable { operation, message })
    }

    /// A call that changes something, with the trouble that was asked for.
    pub(crate) async fn change<T: Send>(
        &self,
        operation: &str,
        call: impl Future<Output = Answer<T>> + Send,
    ) -> Answer<T> {
        self.begin(operation).await?;
        self.write_what_is_left().await?;
        let trouble = self.shared.trouble.lock().unwrap().take();
        let operation = operation.to_owned();
        let message = "as the check has asked for".to_owned();
        match trouble {
            None => {
                self.memory().done += 1;
                call.await
            }
            Some(Trouble::Busy) => {
                if self.has(Fault::AppliesThoughBusy) {
                    call.await?;
                }
                Err(ProviderError::Busy { operation, message })
            }
            Some(Trouble::Full) => {
                if self.has(Fault::AppliesThoughFull) {
                    call.await?;
                }
                Err(ProviderError::Full { operation, message })
            }
            Some(Trouble::LostAnswer) => {
                call.await?;
                Err(if self.has(Fault::SaysBusyForALostAnswer) {
                    ProviderError::Busy { operation, message }
                } else if self.has(Fault::SaysInvalidForALostAnswer) {
                    ProviderError::Invalid { operation, message }
                } else {
                    ProviderError::Unknown { operation, message }
                })
            }
        }
    }

    /// The store's time as the fault tells it.
    pub(crate) fn told(&self, now: TimeMs) -> TimeMs {
        if self.has(Fault::TellsEarlierTimes) {
            TimeMs(now.0.saturating_sub(self.draw() * 1_000))
        } else if self.has(Fault::FollowsTheWallClock) {
            TimeMs(now.0.saturating_sub(self.set_back_ms()))
        } else if self.has(Fault::StandsStill) {
            *self.memory().first_now.get_or_insert(now)
        } else {
            now
        }
    }

    /// An incarnation as the caller knows it.
    pub(crate) fn known(&self, key: &InstanceKey, incarnation: Incarnation) -> Incarnation {
        if self.has(Fault::UsesIncarnationsAgain) {
            *self.memory().first_of.entry(key.clone()).or_insert(incarnation)
        } else if self.has(Fault::ContinuesAsAnotherIncarnation) {
            let state = self.inner.state();
            let execution = state.instances.get(&incarnation).map_or(1, |row| row.execution.0);
            Incarnation(incarnation.0 + (execution - 1) * CONTINUED)
        } else {
            incarnation
        }
    }

    /// The incarnation that the caller means.
    pub(crate) fn meant(&self, incarnation: Incarnation) -> Incarnation {
        if self.has(Fault::UsesIncarnationsAgain) {
            let memory = self.memory();
            let known = memory.first_of.iter().find(|(_, first)| **first == incarnation);
            let Some((key, _)) = known else { return incarnation };
            let state = self.inner.state();
            let found = state.instances.iter().find(|(_, row)| row.key == *key);
            found.map_or(incarnation, |(incarnation, _)| *incarnation)
        } else if self.has(Fault::ContinuesAsAnotherIncarnation) {
            Incarnation(incarnation.0 % CONTINUED)
        } else {
            incarnation
        }
    }

    /// The activity that the caller means.
    pub(crate) fn meant_activity(&self, activity: ActivityKey) -> ActivityKey {
        ActivityKey { incarnation: self.meant(activity.incarnation), ..activity }
    }
}

const CONTINUED: u64 = 1_000_000_000;
