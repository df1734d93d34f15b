//! What the driver and the futures of one execution share: the core's state machine,
//! behind a lock that is never held while user code runs.
//!
//! Calls reach the core only while the driver polls. At any other time (the coroutine
//! was dropped, or a future strayed to another task) they have no effect, so that
//! nothing durable ever happens in a `Drop`.

use duroxide_core::{
    EventId, Execution, Failure, FailureKind, Leaf, Refused, RetryCall, RetryPolicy, Scheduled,
    Settled,
};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// The state of one execution, as its futures see it.
pub(crate) struct Shared(Mutex<State>);

struct State {
    execution: Execution,
    /// Whether the driver is polling user code right now.
    polling: bool,
    /// How many combinators are being polled, one within the other.
    groups: usize,
    /// How many leaves futures wait for.
    open: usize,
    /// The waker that the driver polls with.
    root: Waker,
    /// Those of the open leaves that were last polled with another waker than the root's.
    foreign: BTreeMap<EventId, Waker>,
}

impl Shared {
    pub(crate) fn new(execution: Execution, root: Waker) -> Self {
        let foreign = BTreeMap::new();
        Self(Mutex::new(State { execution, polling: false, groups: 0, open: 0, root, foreign }))
    }

    /// The core, for the driver between polls.
    pub(crate) fn drive<R>(&self, step: impl FnOnce(&mut Execution) -> R) -> R {
        step(&mut self.lock().execution)
    }

    /// Facts of the execution; allowed at any time.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&Execution) -> R) -> R {
        look(&self.lock().execution)
    }

    /// A call of user code.
    pub(crate) fn call<R>(
        &self,
        step: impl FnOnce(&mut Execution) -> Result<R, Refused>,
    ) -> Result<R, Refused> {
        let mut state = self.lock();
        if state.polling { step(&mut state.execution) } else { Err(Refused::Stopped) }
    }

    /// A leaf's first poll.
    pub(crate) fn schedule(&self, leaf: Leaf, waker: &Waker) -> Result<Scheduled, Refused> {
        let mut state = self.lock();
        if !state.polling {
            return Err(Refused::Stopped);
        }
        if state.groups > 0 && matches!(leaf, Leaf::ContinueAsNew { .. }) {
            let message = "continue_as_new cannot stand inside join or select; await it by itself";
            return Err(Refused::Failed(Failure::new(FailureKind::Invalid, message)));
        }
        let scheduled = state.execution.schedule(leaf)?;
        if let Scheduled::Pending(event) = &scheduled {
            state.open += 1;
            state.keep_waker(*event, waker);
        }
        Ok(scheduled)
    }

    /// A leaf's later polls.
    pub(crate) fn settled(&self, leaf: EventId, waker: &Waker) -> Option<Settled> {
        let mut state = self.lock();
        if !state.polling {
            return None;
        }
        let settled = state.execution.settled(leaf);
        if settled.is_some() {
            state.close(leaf);
        } else {
            state.keep_waker(leaf, waker);
        }
        settled
    }

    /// The first poll of a retried call.
    pub(crate) fn retry(
        &self,
        activity: Leaf,
        policy: RetryPolicy,
        waker: &Waker,
    ) -> Result<RetryCall, Refused> {
        let mut state = self.lock();
        if !state.polling {
            return Err(Refused::Stopped);
        }
        let call = state.execution.retry(activity, policy)?;
        state.open(&call, waker);
        Ok(call)
    }

    /// Its later polls: `None` while it goes on.
    pub(crate) fn retried(
        &self,
        call: &mut RetryCall,
        waker: &Waker,
    ) -> Result<Option<Settled>, Refused> {
        let mut state = self.lock();
        if !state.polling {
            return Ok(None);
        }
        let mut leaves = call.leaves();
        let settled =
            leaves.find_map(|leaf| state.execution.settled(leaf).map(|outcome| (leaf, outcome)));
        let Some((leaf, outcome)) = settled else {
            for leaf in call.leaves() {
                state.keep_waker(leaf, waker);
            }
            return Ok(None);
        };
        for leaf in call.leaves() {
            state.close(leaf);
        }
        let settled = state.execution.retry_settled(call, leaf, outcome)?;
        if settled.is_none() {
            state.open(call, waker);
        }
        Ok(settled)
    }

    /// An open leaf was dropped before it gave its outcome.
    pub(crate) fn cancel(&self, leaf: EventId) {
        let mut state = self.lock();
        if state.polling {
            state.close(leaf);
            state.execution.cancel(leaf);
        }
    }

    /// Polls branches as one: what they cancel is recorded when the outermost group ends.
    pub(crate) fn group(&self) -> Group<'_> {
        let mut state = self.lock();
        let entered = state.polling;
        if entered {
            state.groups += 1;
            state.execution.enter_group();
        }
        Group { shared: self, entered }
    }

    /// Opens the core to user code until the guard is dropped.
    pub(crate) fn polling(&self) -> Polling<'_> {
        self.lock().polling = true;
        Polling(self)
    }

    /// Whether some future waits for a leaf of this execution.
    pub(crate) fn has_open(&self) -> bool {
        self.lock().open > 0
    }

    /// Wakes what waits for leaves with a waker of its own, in leaf order. Our combinators
    /// poll all their branches and need no waking; others (`FuturesUnordered`) poll what was
    /// woken.
    pub(crate) fn wake_foreign(&self) {
        let wakers = std::mem::take(&mut self.lock().foreign);
        wakers.into_values().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic of user code is caught by the driver and never happens under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn keep_waker(&mut self, leaf: EventId, waker: &Waker) {
        if !waker.will_wake(&self.root) {
            self.foreign.insert(leaf, waker.clone());
        }
    }

    fn open(&mut self, call: &RetryCall, waker: &Waker) {
        for leaf in call.leaves() {
            self.open += 1;
            self.keep_waker(leaf, waker);
        }
    }

    fn close(&mut self, leaf: EventId) {
        self.open -= 1;
        self.foreign.remove(&leaf);
    }
}

/// While it lives, cancels are gathered.
pub(crate) struct Group<'a> {
    shared: &'a Shared,
    entered: bool,
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        if self.entered {
            let mut state = self.shared.lock();
            state.groups -= 1;
            state.execution.leave_group();
        }
    }
}

/// While it lives, user code reaches the core.
pub(crate) struct Polling<'a>(&'a Shared);

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        self.0.lock().polling = false;
    }
}
