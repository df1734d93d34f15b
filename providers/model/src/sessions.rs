//! Sessions: which node the activities of a session run on, until it dies or they idle.

use crate::state::{Lease, Session, State, later};
use duroxide_core::TimeMs;
use duroxide_provider::{Namespace, NodeId, SessionLimits};
use std::collections::BTreeSet;

/// Who wants an activity of a session.
pub(crate) struct Claimant<'a> {
    pub(crate) node: &'a NodeId,
    pub(crate) limits: &'a SessionLimits,
    /// Until when the activity would be held.
    pub(crate) lease_until: TimeMs,
}

impl State {
    /// Make the node the owner of the session, or leave it so. Gives the term of the ownership,
    /// which what is leased now belongs to. `None`: it may not be.
    pub(crate) fn claim_session(
        &mut self,
        key: (Namespace, String),
        who: &Claimant<'_>,
    ) -> Option<u64> {
        let mut idle = who.limits.idle;
        let mut term = 1;
        let mut idle_until = later(self.now, idle).max(who.lease_until);
        let mut is_mine = false;
        if let Some(session) = self.sessions.get(&key) {
            let is_owned = session.idle_until > self.now;
            term = session.term + 1;
            if session.node.name != who.node.name {
                if is_owned && !self.is_bereft(&key, session.term) {
                    return None;
                }
            } else if is_owned && session.node.run > who.node.run {
                // Of two runs of one node the newer wins; the older one keeps out.
                return None;
            } else if is_owned {
                is_mine = true;
                idle_until = idle_until.max(session.idle_until);
                if session.node.run == who.node.run {
                    idle = idle.max(session.idle);
                    term = session.term;
                }
            }
        }
        if !is_mine {
            self.forget_sessions();
            if self.owned(&who.node.name) >= who.limits.max {
                return None;
            }
        }
        let (node, handle, node_max) = (who.node.clone(), self.handle, who.limits.max);
        self.sessions.insert(key, Session { node, handle, idle, idle_until, node_max, term });
        Some(term)
    }

    /// Whether the owner let the lease of one of its activities run out: it is dead, or as
    /// good as. Leases of owners before it, of other terms, say nothing about it.
    fn is_bereft(&self, (namespace, name): &(Namespace, String), term: u64) -> bool {
        let ran_out = |lease: &Lease| lease.until <= self.now && lease.term == term;
        self.queue().iter().any(|(_, row, activity)| {
            row.key.namespace == *namespace
                && activity.what.session.as_ref() == Some(name)
                && activity.lease.as_ref().is_some_and(ran_out)
        })
    }

    /// Sessions that nobody owns and that have no work are as good as none.
    fn forget_sessions(&mut self) {
        let mut used = BTreeSet::new();
        for row in self.instances.values() {
            let sessions = row.activities.values().filter_map(|one| one.what.session.clone());
            used.extend(sessions.map(|session| (row.key.namespace.clone(), session)));
        }
        let now = self.now;
        self.sessions.retain(|key, session| session.idle_until > now || used.contains(key));
    }

    /// How many sessions the node owns.
    fn owned(&self, node: &str) -> usize {
        let owned = |session: &&Session| session.node.name == node && session.idle_until > self.now;
        self.sessions.values().filter(owned).count()
    }

    /// Whether some node owns as many sessions as it may.
    pub(crate) fn is_some_node_full(&self) -> bool {
        self.sessions.values().filter(|session| session.idle_until > self.now).any(|owner| {
            let name = &owner.node.name;
            let of_node = self
                .sessions
                .values()
                .filter(|session| session.node.name == *name && session.idle_until > self.now);
            let max = of_node.map(|session| session.node_max).min();
            max.is_some_and(|max| self.owned(name) >= max)
        })
    }

    /// An activity of the session ended or was handed back: from here on it idles, unless
    /// another of its activities is held.
    pub(crate) fn session_used(&mut self, key: &(Namespace, String)) {
        let held = self.queue().into_iter().filter(|(_, row, activity)| {
            row.key.namespace == key.0 && activity.what.session.as_ref() == Some(&key.1)
        });
        let held = held.filter_map(|(_, _, activity)| activity.lease.as_ref());
        let held_until = held.map(|lease| lease.until).max().unwrap_or_default();
        if let Some(session) = self.sessions.get_mut(key)
            && session.idle_until > self.now
        {
            session.idle_until = later(self.now, session.idle).max(held_until);
        }
    }

    /// A held activity of the session was prolonged.
    pub(crate) fn prolong_session(&mut self, key: &(Namespace, String), until: TimeMs) {
        if let Some(session) = self.sessions.get_mut(key) {
            let idle_until = later(self.now, session.idle).max(until);
            session.idle_until = session.idle_until.max(idle_until);
        }
    }
}
