//! The activities this node holds: those that run, and those whose result is not yet
//! acknowledged by the store. Their leases are renewed as long as they stand here. Not
//! here: running them (`workers`), renewing (`keeper`).

use duroxide_core::{EventId, ExecutionId};
use duroxide_provider::{ActivityKey, Held, Incarnation, LeaseId};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// An activity as it is held: which one, and under which lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HeldActivity {
    pub(crate) activity: ActivityKey,
    pub(crate) lease: LeaseId,
}

impl HeldActivity {
    /// As requests name it.
    pub(crate) fn held(self) -> Held {
        Held::Activity { activity: self.activity, lease: self.lease }
    }
}

/// Everything held.
#[derive(Debug, Default)]
pub(crate) struct Running {
    held: Mutex<BTreeMap<HeldActivity, Entry>>,
}

#[derive(Debug)]
struct Entry {
    cancelled: CancellationToken,
    /// Its result may be fused with a turn; so a driver of its instance waits for it.
    fusable: bool,
}

impl Running {
    fn held(&self) -> MutexGuard<'_, BTreeMap<HeldActivity, Entry>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hold an activity. Gives the token that its code is told by, or `None` if it is held
    /// already (an answer that came twice).
    pub(crate) fn hold(&self, held: HeldActivity, fusable: bool) -> Option<CancellationToken> {
        let cancelled = CancellationToken::new();
        let mut all = self.held();
        if all.contains_key(&held) {
            return None;
        }
        all.insert(held, Entry { cancelled: cancelled.clone(), fusable });
        Some(cancelled)
    }

    /// Whether it is still held: neither acknowledged nor taken away.
    pub(crate) fn holds(&self, held: HeldActivity) -> bool {
        self.held().contains_key(&held)
    }

    /// Its result is acknowledged.
    pub(crate) fn settle(&self, held: HeldActivity) {
        self.held().remove(&held);
    }

    /// It was cancelled, or its lease lost: its code is told, its result has no taker.
    pub(crate) fn take_away(&self, held: HeldActivity) {
        let entry = self.held().remove(&held);
        if let Some(entry) = entry {
            entry.cancelled.cancel();
        }
    }

    /// The same for an activity under whatever lease.
    pub(crate) fn take_away_activity(&self, activity: ActivityKey) {
        self.take_away_range(activity, activity);
    }

    /// The same for every activity of an execution.
    pub(crate) fn take_away_execution(&self, incarnation: Incarnation, execution: ExecutionId) {
        let (first, last) = bounds(incarnation, execution);
        self.take_away_range(first, last);
    }

    /// A turn is about to take everything of an execution away: its code is told, and it stays
    /// held until that turn is durable. The turn may need the thread on which that code runs.
    pub(crate) fn tell_execution(&self, incarnation: Incarnation, execution: ExecutionId) {
        let (first, last) = bounds(incarnation, execution);
        for (_, entry) in self.held().range(span(first, last)) {
            entry.cancelled.cancel();
        }
    }

    fn take_away_range(&self, first: ActivityKey, last: ActivityKey) {
        let range: Vec<HeldActivity> =
            self.held().range(span(first, last)).map(|(held, _)| *held).collect();
        for held in range {
            self.take_away(held);
        }
    }

    /// The activities of an execution that a driver may wait for.
    pub(crate) fn in_flight(
        &self,
        incarnation: Incarnation,
        execution: ExecutionId,
    ) -> Vec<EventId> {
        let (first, last) = bounds(incarnation, execution);
        self.held()
            .range(span(first, last))
            .filter(|(_, entry)| entry.fusable)
            .map(|(held, _)| held.activity.event)
            .collect()
    }

    /// Everything held, in order.
    pub(crate) fn all(&self) -> Vec<HeldActivity> {
        self.held().keys().copied().collect()
    }

    /// What tells the code of everything held to stop.
    pub(crate) fn tokens(&self) -> Vec<CancellationToken> {
        self.held().values().map(|entry| entry.cancelled.clone()).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held().is_empty()
    }
}

fn bounds(incarnation: Incarnation, execution: ExecutionId) -> (ActivityKey, ActivityKey) {
    let at = |event| ActivityKey { incarnation, execution, event: EventId(event) };
    (at(0), at(u64::MAX))
}

fn span(first: ActivityKey, last: ActivityKey) -> std::ops::RangeInclusive<HeldActivity> {
    let from = HeldActivity { activity: first, lease: LeaseId(0) };
    let to = HeldActivity { activity: last, lease: LeaseId(u128::MAX) };
    from..=to
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(incarnation: u64, execution: u64, event: u64) -> HeldActivity {
        let activity = ActivityKey {
            incarnation: Incarnation(incarnation),
            execution: ExecutionId(execution),
            event: EventId(event),
        };
        HeldActivity { activity, lease: LeaseId(7) }
    }

    #[test]
    fn what_is_taken_away_is_told_and_no_longer_held() {
        let running = Running::default();
        let token = running.hold(held(1, 1, 2), true).unwrap();
        running.take_away_activity(held(1, 1, 2).activity);
        assert!(token.is_cancelled());
        assert!(!running.holds(held(1, 1, 2)));
    }

    #[test]
    fn an_ended_execution_takes_its_own_activities_away_and_no_others() {
        let running = Running::default();
        let ours = running.hold(held(1, 1, 2), true).unwrap();
        let next_execution = running.hold(held(1, 2, 2), true).unwrap();
        let other_instance = running.hold(held(2, 1, 2), true).unwrap();
        running.take_away_execution(Incarnation(1), ExecutionId(1));
        assert!(ours.is_cancelled());
        assert!(!next_execution.is_cancelled() && !other_instance.is_cancelled());
        assert_eq!(running.all(), vec![held(1, 2, 2), held(2, 1, 2)]);
    }

    #[test]
    fn what_is_only_told_is_still_held() {
        let running = Running::default();
        let ours = running.hold(held(1, 1, 2), true).unwrap();
        let next_execution = running.hold(held(1, 2, 2), true).unwrap();
        running.tell_execution(Incarnation(1), ExecutionId(1));
        assert!(ours.is_cancelled() && !next_execution.is_cancelled());
        assert!(running.holds(held(1, 1, 2)));
    }

    #[test]
    fn a_driver_waits_only_for_what_can_be_fused() {
        let running = Running::default();
        running.hold(held(1, 1, 2), true).unwrap();
        running.hold(held(1, 1, 3), false).unwrap();
        assert_eq!(running.in_flight(Incarnation(1), ExecutionId(1)), vec![EventId(2)]);
    }

    #[test]
    fn the_same_lease_is_held_once() {
        let running = Running::default();
        assert!(running.hold(held(1, 1, 2), true).is_some());
        assert!(running.hold(held(1, 1, 2), true).is_none());
    }
}
