//! Whom to wake. What calls for a node is a set; when something new is in it, by what was
//! done or because time has passed, the wake sequence rises. Cancels are not in the set,
//! they are what is no longer there, and announce themselves.

use crate::rows::holds;
use crate::state::{Instance, Session, State};
use duroxide_core::{ArrivalId, TimeMs};
use duroxide_provider::{ActivityKey, Incarnation, Namespace};
use std::collections::BTreeSet;

/// Something that calls for a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// An instance is ready and nobody holds it.
    Turn(Incarnation),
    /// A message for one that nobody holds, or that its holder was not given.
    Message(ArrivalId),
    /// An activity can be taken.
    Activity(ActivityKey),
    /// A session can be owned by another node, which has room for another one.
    Session(Namespace, String),
}

impl State {
    /// Announce what calls for a node and did not before.
    pub(crate) fn look(&mut self) {
        let calls = self.calling();
        if !calls.is_subset(&self.calls) {
            self.announce();
        }
        self.calls = calls;
        self.looked_at = Some(self.now);
    }

    /// The same, if time has passed since the last look; for when nothing else has happened.
    pub(crate) fn look_at_the_time(&mut self) {
        if self.looked_at != Some(self.now) {
            self.look();
        }
    }

    /// There is something for some node.
    pub(crate) fn announce(&mut self) {
        self.wake_seq.0 += 1;
    }

    fn calling(&self) -> BTreeSet<Call> {
        let now = self.now;
        let mut calls = BTreeSet::new();
        for (incarnation, row) in self.instances.iter().filter(|(_, row)| row.is_ready(now)) {
            let held = holds(row.lease.as_ref(), now);
            if !held {
                calls.insert(Call::Turn(*incarnation));
            }
            let news = row.unseen(now).filter(|(_, message)| !(held && message.told));
            calls.extend(news.map(|(id, _)| Call::Message(*id)));
        }
        for (key, row, activity) in self.activities() {
            if activity.is_free(row, now) {
                calls.insert(Call::Activity(key));
            }
        }
        for ((namespace, name), session) in &self.sessions {
            if session.idle_until <= now {
                calls.insert(Call::Session(namespace.clone(), name.clone()));
            }
        }
        calls
    }

    /// When time, if nothing else, next changes what calls for a node.
    pub fn next_due(&self) -> Option<TimeMs> {
        let instances = self.instances.values().flat_map(due);
        let sessions = self.sessions.values().map(|Session { idle_until, .. }| *idle_until);
        instances.chain(sessions).filter(|at| *at > self.now).min()
    }
}

/// The times that matter to an instance.
fn due(row: &Instance) -> impl Iterator<Item = TimeMs> {
    let its_own = row.ready_at().into_iter().chain(row.lease.as_ref().map(|lease| lease.until));
    let messages = row.inbox.values().map(|message| message.visible_at);
    let activities = row
        .activities
        .values()
        .map(|activity| activity.lease.as_ref().map_or(activity.visible_at, |lease| lease.until));
    its_own.chain(messages).chain(activities)
}
