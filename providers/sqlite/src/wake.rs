//! Who waits for what happens in the store, and how they hear of it. Nothing here polls:
//! commits ring, and waiters sleep until something is due.

use crate::clock::StoreClock;
use crate::store::Effects;
use duroxide_core::TimeMs;
use duroxide_provider::{InstanceKey, WakeSeq};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Not known: to be read from the store.
const UNKNOWN: u64 = 0;
/// Nothing is due.
const NEVER: u64 = u64::MAX;

/// The bell of one open store.
#[derive(Debug)]
pub(crate) struct Wake {
    /// Rises with every announcement.
    seq: AtomicU64,
    /// When something is due next, at the latest; [`UNKNOWN`] after a foreign change.
    due: AtomicU64,
    /// What was due up to here has been announced.
    swept: AtomicU64,
    bell: Notify,
    watches: Mutex<BTreeMap<InstanceKey, (Arc<Notify>, usize)>>,
    waiting: AtomicUsize,
    first_waiter: Notify,
}

impl Wake {
    /// Sequences of different openings of one store are unlikely to meet: they begin with
    /// the time.
    pub(crate) fn new(now: TimeMs) -> Self {
        Self {
            seq: AtomicU64::new(now.0),
            due: AtomicU64::new(UNKNOWN),
            swept: AtomicU64::new(now.0),
            bell: Notify::new(),
            watches: Mutex::default(),
            waiting: AtomicUsize::new(0),
            first_waiter: Notify::new(),
        }
    }

    /// What has happened so far.
    pub(crate) fn seq(&self) -> WakeSeq {
        WakeSeq(self.seq.load(Ordering::SeqCst))
    }

    /// Rung by whatever may concern a node.
    pub(crate) fn bell(&self) -> &Notify {
        &self.bell
    }

    /// There is work, or news for a holder.
    pub(crate) fn announce(&self) {
        self.seq.fetch_add(1, Ordering::SeqCst);
        self.bell.notify_waiters();
    }

    /// A batch is durable.
    pub(crate) fn publish(&self, effects: &Effects, clock: &StoreClock) {
        // What fell due while the batch was being made durable may have been swept past.
        let overdue = effects.due.is_some_and(|due| due <= clock.now());
        if effects.announce || overdue {
            self.announce();
        }
        if let Some(due) = effects.due {
            self.due_at_latest(due.0);
        }
        let watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        for key in &effects.touched {
            if let Some((watch, _)) = watches.get(key) {
                watch.notify_waiters();
            }
        }
    }

    /// Another process changed something: anything may have.
    pub(crate) fn foreign_change(&self) {
        self.due.store(UNKNOWN, Ordering::SeqCst);
        self.announce();
        let watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        for (watch, _) in watches.values() {
            watch.notify_waiters();
        }
    }

    /// When something is due next, as far as is known.
    pub(crate) fn due(&self) -> TimeMs {
        TimeMs(self.due.load(Ordering::SeqCst))
    }

    /// From here on the caller finds out what is due next, and says it by [`Sweep::made`].
    pub(crate) fn begin_sweep(&self) -> Sweep<'_> {
        self.due.store(NEVER, Ordering::SeqCst);
        Sweep { wake: self, after: self.swept.load(Ordering::SeqCst), made: false }
    }

    /// Announce what was due up to now.
    pub(crate) fn sweep(&self, now: TimeMs) {
        self.swept.fetch_max(now.0, Ordering::SeqCst);
        self.announce();
    }

    /// The sweep was not made: the next waiter tries again.
    fn sweep_failed(&self) {
        self.due.store(UNKNOWN, Ordering::SeqCst);
        self.bell.notify_waiters();
    }

    /// Something is due at this time, if not before.
    pub(crate) fn due_at_latest(&self, at: u64) {
        if self.due.fetch_min(at, Ordering::SeqCst) > at {
            self.bell.notify_waiters();
        }
    }

    /// Watch one instance while the guard lives.
    pub(crate) fn watch(self: &Arc<Self>, key: InstanceKey) -> Watch {
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let (notify, count) = watches.entry(key.clone()).or_default();
        *count += 1;
        Watch { wake: Arc::clone(self), key, notify: Arc::clone(notify) }
    }

    /// Counts as a waiter while the guard lives.
    pub(crate) fn waiter(self: &Arc<Self>) -> Waiter {
        if self.waiting.fetch_add(1, Ordering::SeqCst) == 0 {
            self.first_waiter.notify_one();
        }
        Waiter(Arc::clone(self))
    }

    /// Resolves while someone waits.
    pub(crate) async fn until_someone_waits(&self) {
        while self.waiting.load(Ordering::SeqCst) == 0 {
            self.first_waiter.notified().await;
        }
    }
}

/// A sweep. Whoever makes it may fail, or be dropped (a node that stops): then the others
/// must not wait for what it was to find out.
#[derive(Debug)]
pub(crate) struct Sweep<'a> {
    wake: &'a Wake,
    /// Up to when what was due has been announced.
    pub(crate) after: u64,
    made: bool,
}

impl Sweep<'_> {
    /// It was made: something is due next at this time, if at all.
    pub(crate) fn made(mut self, next: Option<u64>) {
        self.made = true;
        if let Some(next) = next {
            self.wake.due_at_latest(next);
        }
    }
}

impl Drop for Sweep<'_> {
    fn drop(&mut self) {
        if !self.made {
            self.wake.sweep_failed();
        }
    }
}

/// See [`Wake::waiter`].
#[derive(Debug)]
pub(crate) struct Waiter(Arc<Wake>);

impl Drop for Waiter {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

/// See [`Wake::watch`].
#[derive(Debug)]
pub(crate) struct Watch {
    wake: Arc<Wake>,
    key: InstanceKey,
    notify: Arc<Notify>,
}

impl Watch {
    /// Rung when the instance's revision changes.
    pub(crate) fn bell(&self) -> &Notify {
        &self.notify
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watches = self.wake.watches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, count)) = watches.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                watches.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_that_is_broken_off_is_left_to_the_next_waiter() {
        let wake = Wake::new(TimeMs(1_000));
        wake.begin_sweep().made(Some(5_000));
        assert_eq!(wake.due(), TimeMs(5_000));
        drop(wake.begin_sweep());
        assert_eq!(wake.due(), TimeMs(UNKNOWN), "what is due was not found out");
    }
}
