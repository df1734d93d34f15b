//! Leases that a crash of the server forgets. The real provider does not wait for the disk
//! when it leases or renews (`synchronous_commit` is off): a lease is on the disk with the
//! next commit that does wait, or a moment later. A lease that was forgotten is harmless, its
//! id is random; but who held it finds out only when its commit is refused.

use crate::locks::Row;
use duroxide_core::ArrivalId;
use duroxide_model::{Lease, Session, State};
use duroxide_provider::{ActivityKey, Incarnation, LeaseId, Namespace};
use std::collections::BTreeSet;
use std::time::Duration;

/// The log is on the disk after this at the latest: three times `wal_writer_delay`.
const FLUSHED: Duration = Duration::from_millis(600);

/// Commits that may be forgotten, in their order.
#[derive(Default)]
pub(crate) struct Unflushed(Vec<(Duration, Before)>);

impl Unflushed {
    /// A leasing call was committed at this time; how its rows were before.
    pub(crate) fn add(&mut self, now: Duration, before: Before) {
        self.0.retain(|(at, _)| now.saturating_sub(*at) < FLUSHED);
        self.0.push((now, before));
    }

    /// A commit waited for the disk: what came before it is there too.
    pub(crate) fn flush(&mut self) {
        self.0.clear();
    }

    /// What is not on the disk now, the last first, as far as `lost` says how many of at most
    /// so many.
    pub(crate) fn lose(&mut self, now: Duration, lost: impl FnOnce(u64) -> u64) -> Vec<Before> {
        self.0.retain(|(at, _)| now.saturating_sub(*at) < FLUSHED);
        let mut forgotten: Vec<_> = self.0.drain(..).map(|(_, before)| before).collect();
        forgotten.reverse();
        forgotten.truncate(lost(forgotten.len() as u64) as usize);
        forgotten
    }
}

/// What leasing and renewing change of rows, as it was.
pub(crate) struct Before {
    instances: Vec<(Incarnation, Held)>,
    activities: Vec<(ActivityKey, Option<Lease>, u32)>,
    sessions: Vec<((Namespace, String), Option<Session>)>,
}

struct Held {
    lease: Option<Lease>,
    kept: bool,
    offer: Option<LeaseId>,
    attempt: u32,
    told: BTreeSet<ArrivalId>,
}

impl Before {
    /// Of the rows that a call has locked.
    pub(crate) fn of(state: &State, rows: &BTreeSet<Row>) -> Self {
        let mut before =
            Self { instances: Vec::new(), activities: Vec::new(), sessions: Vec::new() };
        for row in rows {
            match row {
                Row::Instance(id) => {
                    before.instances.extend(state.instances.get(id).map(|row| {
                        let told = row.inbox.iter().filter(|(_, message)| message.told);
                        let told = told.map(|(id, _)| *id).collect();
                        let (lease, kept) = (row.lease.clone(), row.kept);
                        (*id, Held { lease, kept, offer: row.offer, attempt: row.attempt, told })
                    }));
                }
                Row::Activity(key) => {
                    let row = state.instances.get(&key.incarnation);
                    let activity = row.and_then(|row| row.activities.get(&key.event));
                    let was = activity.map(|one| (*key, one.lease.clone(), one.attempt));
                    before.activities.extend(was);
                }
                Row::Session(namespace, name) => {
                    let key = (namespace.clone(), name.clone());
                    let was = state.sessions.get(&key).cloned();
                    before.sessions.push((key, was));
                }
                Row::Request(_) | Row::Name(_) | Row::SessionsOf(_) => {}
            }
        }
        before
    }

    /// Make it so again, but for what was set aside meanwhile.
    pub(crate) fn restore(self, state: &mut State) {
        for (id, was) in self.instances {
            let row = state.instances.get_mut(&id).filter(|row| row.quarantine.is_none());
            if let Some(row) = row {
                (row.lease, row.kept) = (was.lease, was.kept);
                (row.offer, row.attempt) = (was.offer, was.attempt);
                for (id, message) in &mut row.inbox {
                    message.told &= was.told.contains(id);
                }
            }
        }
        for (key, lease, attempt) in self.activities {
            let row = state.instances.get_mut(&key.incarnation);
            if let Some(activity) = row.and_then(|row| row.activities.get_mut(&key.event)) {
                (activity.lease, activity.attempt) = (lease, attempt);
            }
        }
        for (key, was) in self.sessions {
            match was {
                Some(session) => state.sessions.insert(key, session),
                None => state.sessions.remove(&key),
            };
        }
    }
}
