//! What nodes hold under leases, from the grant to its end, as the store sees it: a node
//! that is dead holds on until another takes over.

use super::story::{Bar, Us};
use duroxide_provider::{ActivityKey, Held, Incarnation, LeaseId};
use std::collections::BTreeMap;

/// What can be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    Instance(Incarnation),
    Activity(ActivityKey),
}

impl Target {
    /// What is held, and under which lease.
    pub(crate) fn of(held: &Held) -> (Self, LeaseId) {
        match *held {
            Held::Instance { incarnation, lease } => (Self::Instance(incarnation), lease),
            Held::Activity { activity, lease } => (Self::Activity(activity), lease),
        }
    }

    /// The instance that it belongs to.
    pub(crate) fn incarnation(self) -> Incarnation {
        match self {
            Self::Instance(incarnation) => incarnation,
            Self::Activity(activity) => activity.incarnation,
        }
    }
}

/// What came of a grant.
pub(crate) enum Granted {
    /// It was held under this lease already.
    Before,
    /// Nobody held it.
    Free,
    /// This host held it.
    From(usize),
}

/// All that was held so far.
#[derive(Default)]
pub(crate) struct Bars {
    pub(crate) list: Vec<Bar>,
    open: BTreeMap<Target, (LeaseId, usize)>,
}

impl Bars {
    /// The store grants something to a host; `bar` says what from now on.
    pub(crate) fn granted(&mut self, target: Target, lease: LeaseId, bar: Bar) -> Granted {
        let before = self.open.get(&target).copied();
        if before.is_some_and(|(held, _)| held == lease) {
            return Granted::Before;
        }
        let from = before.map_or(Granted::Free, |(_, place)| {
            self.close(place, bar.from, "taken over");
            Granted::From(self.list[place].host)
        });
        self.open.insert(target, (lease, self.list.len()));
        self.list.push(bar);
        from
    }

    /// It is held no longer under this lease, or under whichever.
    pub(crate) fn ends(&mut self, target: Target, lease: Option<LeaseId>, at: Us, how: &str) {
        let of_it = |(held, _): &(LeaseId, usize)| lease.is_none_or(|lease| lease == *held);
        if let Some((_, place)) = self.open.get(&target).copied().filter(of_it) {
            self.open.remove(&target);
            self.close(place, at, how);
        }
    }

    /// An instance has ended, and what it had going with it.
    pub(crate) fn end_of(&mut self, incarnation: Incarnation, at: Us) {
        let its = |target: &&Target| target.incarnation() == incarnation;
        let all: Vec<_> = self.open.keys().filter(its).copied().collect();
        for target in all {
            self.ends(target, None, at, "ended with the instance");
        }
    }

    /// The run is over.
    pub(crate) fn finish(&mut self, end: Us) {
        for (_, place) in std::mem::take(&mut self.open).into_values() {
            self.close(place, end, "held to the end of the run");
        }
    }

    fn close(&mut self, place: usize, at: Us, how: &str) {
        self.list[place].to = at;
        how.clone_into(&mut self.list[place].ended);
    }
}
