//! Row locks: who holds which, who waits for which, who waits in a circle. All locks are
//! exclusive. Not here: which rows a call locks (`rows`).

use duroxide_provider::{ActivityKey, Incarnation, InstanceKey, Namespace, RequestId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tokio::sync::oneshot;

/// Something that one session at a time may hold: a row, the place of one in a unique index,
/// or an advisory lock of the provider.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Row {
    /// A client's request (advisory).
    Request(RequestId),
    /// An instance.
    Instance(Incarnation),
    /// The name of an instance that is being made.
    Name(InstanceKey),
    /// An activity.
    Activity(ActivityKey),
    /// The claim of sessions for a node (advisory).
    SessionsOf(String),
    /// A session of activities.
    Session(Namespace, String),
}

/// Number of a database session.
pub(crate) type Id = u64;

/// The table of locks.
#[derive(Default)]
pub(crate) struct Locks {
    rows: BTreeMap<Row, Lock>,
    /// What each session holds.
    held: BTreeMap<Id, BTreeSet<Row>>,
    /// The one row that a session waits for.
    waits: BTreeMap<Id, Row>,
}

struct Lock {
    holder: Id,
    /// In the order in which they came.
    queue: VecDeque<(Id, oneshot::Sender<()>)>,
}

impl Locks {
    /// Take the row, or queue for it: then what resolves when it was handed over.
    pub(crate) fn lock(&mut self, row: &Row, id: Id) -> Option<oneshot::Receiver<()>> {
        if self.try_lock(row, id) {
            return None;
        }
        let (granted, grant) = oneshot::channel();
        if let Some(lock) = self.rows.get_mut(row) {
            lock.queue.push_back((id, granted));
            self.waits.insert(id, row.clone());
        }
        Some(grant)
    }

    /// Take the row unless another holds it.
    pub(crate) fn try_lock(&mut self, row: &Row, id: Id) -> bool {
        if let Some(lock) = self.rows.get(row) {
            return lock.holder == id;
        }
        self.rows.insert(row.clone(), Lock { holder: id, queue: VecDeque::new() });
        self.held.entry(id).or_default().insert(row.clone());
        true
    }

    /// Whether the session holds the row.
    pub(crate) fn holds(&self, id: Id, row: &Row) -> bool {
        self.held.get(&id).is_some_and(|rows| rows.contains(row))
    }

    /// The session lets go of one row.
    pub(crate) fn unlock(&mut self, row: &Row, id: Id) {
        if self.held.get_mut(&id).is_some_and(|rows| rows.remove(row)) {
            self.hand_over(row);
        }
    }

    /// The session is over: it lets go of all its rows, and waits for none.
    pub(crate) fn release(&mut self, id: Id) {
        if let Some(lock) = self.waits.remove(&id).and_then(|row| self.rows.get_mut(&row)) {
            lock.queue.retain(|(waiting, _)| *waiting != id);
        }
        for row in self.held.remove(&id).unwrap_or_default() {
            self.hand_over(&row);
        }
    }

    /// To the first in the queue who is still there.
    fn hand_over(&mut self, row: &Row) {
        let Some(lock) = self.rows.get_mut(row) else { return };
        while let Some((next, granted)) = lock.queue.pop_front() {
            self.waits.remove(&next);
            if granted.send(()).is_ok() {
                lock.holder = next;
                self.held.entry(next).or_default().insert(row.clone());
                return;
            }
        }
        self.rows.remove(row);
    }

    /// Whether the session waits for one that waits for it, over however many others.
    pub(crate) fn is_deadlocked(&self, id: Id) -> bool {
        let mut seen = BTreeSet::new();
        let mut next = id;
        while let Some(lock) = self.waits.get(&next).and_then(|row| self.rows.get(row)) {
            next = lock.holder;
            if next == id {
                return true;
            }
            // A circle that it is not part of is for those in it to find.
            if !seen.insert(next) {
                return false;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u64) -> Row {
        Row::Instance(Incarnation(number))
    }

    #[test]
    fn a_lock_goes_to_those_who_wait_in_their_order() {
        let mut locks = Locks::default();
        assert!(locks.lock(&row(1), 1).is_none());
        let mut second = locks.lock(&row(1), 2).unwrap();
        let mut third = locks.lock(&row(1), 3).unwrap();
        assert!(!locks.try_lock(&row(1), 4));
        locks.release(1);
        assert!(second.try_recv().is_ok() && third.try_recv().is_err());
        assert!(locks.holds(2, &row(1)));
        locks.release(2);
        assert!(third.try_recv().is_ok());
    }

    #[test]
    fn who_no_longer_waits_is_passed_over() {
        let mut locks = Locks::default();
        assert!(locks.lock(&row(1), 1).is_none());
        drop(locks.lock(&row(1), 2));
        let left = locks.lock(&row(1), 3).unwrap();
        locks.release(3);
        locks.release(1);
        assert!(locks.try_lock(&row(1), 4));
        drop(left);
    }

    #[test]
    fn only_who_is_part_of_a_circle_waits_in_one() {
        let mut locks = Locks::default();
        for number in 1..=3 {
            assert!(locks.lock(&row(number), number).is_none());
        }
        let _grants = [(2, 1), (3, 2)].map(|(wanted, by)| locks.lock(&row(wanted), by).unwrap());
        assert!(!locks.is_deadlocked(1) && !locks.is_deadlocked(2));
        let _closing = locks.lock(&row(1), 3).unwrap();
        let _outside = locks.lock(&row(1), 4).unwrap();
        assert!(locks.is_deadlocked(1) && locks.is_deadlocked(2) && locks.is_deadlocked(3));
        assert!(!locks.is_deadlocked(4));
        locks.release(3);
        assert!(!locks.is_deadlocked(1));
    }
}
