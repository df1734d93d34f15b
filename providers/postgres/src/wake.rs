//! Who waits for what happens in the store, and how they hear of it: this handle's waiters at
//! once, those of other handles by what [`Wake`] collects for the session to send them.

use crate::clock::HeardClock;
use crate::notice::Notice;
use duroxide_core::TimeMs;
use duroxide_provider::env::Clock;
use duroxide_provider::{InstanceKey, WakeSeq};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Not known: to be read from the store.
const UNKNOWN: u64 = 0;
/// Nothing is due.
const NEVER: u64 = u64::MAX;

/// What a call that changed something means for those who wait.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    /// There is work, or something for a holder, that was not there before.
    pub(crate) announce: bool,
    /// The earliest later time at which there will be.
    pub(crate) due: Option<TimeMs>,
    /// Instances whose revision changed.
    pub(crate) touched: Vec<InstanceKey>,
    /// Messages that nobody will ever take.
    pub(crate) dropped: u64,
    /// Instances that were quarantined.
    pub(crate) quarantined: u64,
}

/// The bell of one open store.
#[derive(Debug)]
pub(crate) struct Wake {
    pub(crate) clock: HeardClock,
    /// Rises with every announcement.
    seq: AtomicU64,
    /// When something is due next, at the latest; [`UNKNOWN`] when anything may have happened.
    due: AtomicU64,
    /// What was due up to here has been announced.
    swept: AtomicU64,
    bell: Notify,
    /// By the hash that notices carry.
    watches: Mutex<BTreeMap<u64, (Arc<Notify>, usize)>>,
    /// Whether anybody is there to be told.
    others: AtomicBool,
    outgoing: Mutex<Notice>,
    to_send: Notify,
}

impl Wake {
    /// Sequences of different openings of one store are unlikely to meet: they begin with
    /// this node's time.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            seq: AtomicU64::new(clock.wall_ms()),
            clock: HeardClock::new(clock),
            due: AtomicU64::new(UNKNOWN),
            swept: AtomicU64::new(0),
            bell: Notify::new(),
            watches: Mutex::default(),
            others: AtomicBool::new(true),
            outgoing: Mutex::default(),
            to_send: Notify::new(),
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

    /// A call of this handle has changed something; the store's clock stood at `now`.
    pub(crate) fn publish(&self, effects: &Effects, now: TimeMs) {
        let notice = Notice::of(effects, now);
        if notice.is_empty() {
            return;
        }
        self.take_in(&notice);
        if self.others.load(Ordering::SeqCst) {
            self.outgoing.lock().unwrap_or_else(PoisonError::into_inner).add(notice);
            self.to_send.notify_one();
        }
    }

    /// Something happened, here or elsewhere.
    pub(crate) fn take_in(&self, notice: &Notice) {
        // What became visible only after a sweep had passed its time, no sweep will find.
        let swept = self.swept.load(Ordering::SeqCst);
        if notice.announce || notice.due.is_some_and(|due| due <= swept) {
            self.announce();
        }
        if let Some(due) = notice.due {
            self.due_at_latest(due);
        }
        let watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        for hash in &notice.touched {
            if let Some((watch, _)) = watches.get(hash) {
                watch.notify_waiters();
            }
        }
        if notice.touched_all {
            for (watch, _) in watches.values() {
                watch.notify_waiters();
            }
        }
    }

    /// Anything may have happened.
    pub(crate) fn foreign_change(&self) {
        self.due.store(UNKNOWN, Ordering::SeqCst);
        self.take_in(&Notice::anything());
    }

    /// There may be work; of instances nothing new is known.
    pub(crate) fn foreign_work(&self) {
        self.due.store(UNKNOWN, Ordering::SeqCst);
        self.announce();
    }

    /// The others are to be told that anything may have happened.
    pub(crate) fn tell_all(&self) {
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner).add(Notice::anything());
        self.to_send.notify_one();
    }

    /// Whether other handles are there.
    pub(crate) fn set_others(&self, others: bool) {
        self.others.store(others, Ordering::SeqCst);
    }

    /// Resolves when there is something to send.
    pub(crate) async fn to_send(&self) {
        self.to_send.notified().await;
    }

    /// What is to be sent, no longer kept here.
    pub(crate) fn take_outgoing(&self) -> Notice {
        std::mem::take(&mut *self.outgoing.lock().unwrap_or_else(PoisonError::into_inner))
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
    fn due_at_latest(&self, at: u64) {
        if self.due.fetch_min(at, Ordering::SeqCst) > at {
            self.bell.notify_waiters();
        }
    }

    /// Watch one instance while the guard lives.
    pub(crate) fn watch(self: &Arc<Self>, key: &InstanceKey) -> Watch {
        let hash = Notice::hash(key);
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let (notify, count) = watches.entry(hash).or_default();
        *count += 1;
        Watch { wake: Arc::clone(self), hash, notify: Arc::clone(notify) }
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

/// See [`Wake::watch`].
#[derive(Debug)]
pub(crate) struct Watch {
    wake: Arc<Wake>,
    hash: u64,
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
        if let Some((_, count)) = watches.get_mut(&self.hash) {
            *count -= 1;
            if *count == 0 {
                watches.remove(&self.hash);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_told_after_a_sweep_has_passed_its_time_is_announced() {
        let wake = Wake::new(duroxide_runtime::system_env().clock);
        wake.sweep(TimeMs(100));
        let seen = wake.seq();
        // The commit took so long that its timer was due before anybody could see it.
        let late = Effects { due: Some(TimeMs(50)), ..Effects::default() };
        wake.publish(&late, TimeMs(40));
        assert_ne!(wake.seq(), seen);
        let seen = wake.seq();
        let later = Effects { due: Some(TimeMs(150)), ..Effects::default() };
        wake.publish(&later, TimeMs(140));
        assert_eq!(wake.seq(), seen, "a sweep will find it");
    }
}
