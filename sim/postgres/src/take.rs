//! Leasing: which rows a call may take, in which order, and how what it has not locked is
//! kept from it when it is carried out. The look is free of locks; each row is then locked
//! unless another has it (SKIP LOCKED), and looked at once more.

use crate::locks::Row;
use duroxide_core::TimeMs;
use duroxide_model::{Activity, Call, Instance, Lease, State};
use duroxide_provider::{ActivityKey, Incarnation, LeaseActivities, LeaseOrchestrations, NodeId};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Later than any time that matters.
const NEVER: TimeMs = TimeMs(1 << 60);

/// Which rows a call may take, as things stand.
pub(crate) type Candidates = Box<dyn Fn(&State) -> Vec<Candidate> + Send + Sync>;

/// How a leasing call finds its rows.
pub(crate) struct Take {
    /// Who asks.
    pub(crate) node: String,
    /// At most so many.
    pub(crate) max: usize,
    /// Set when something that was taken turned out to be undecodable, and so was set aside: it
    /// leaves room for others.
    pub(crate) set_aside: Arc<AtomicBool>,
    /// What it may take, the first first.
    pub(crate) candidates: Candidates,
}

impl Take {
    /// Look what became of the rows that were taken.
    pub(crate) fn check(&self, state: &State, held: &BTreeSet<Row>) {
        let is_aside = |id| state.instances.get(id).is_some_and(|row| row.quarantine.is_some());
        let some_is = held.iter().any(|row| match row {
            Row::Instance(id) | Row::Activity(ActivityKey { incarnation: id, .. }) => is_aside(id),
            Row::Request(_) | Row::Name(_) | Row::SessionsOf(_) | Row::Session(..) => false,
        });
        self.set_aside.fetch_or(some_is, Ordering::SeqCst);
    }
}

/// A row that may be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) row: Row,
    /// The session that goes with an activity.
    pub(crate) session: Option<Row>,
    /// There is room for its session.
    pub(crate) fits: bool,
}

impl Candidate {
    fn is_held(&self, held: &BTreeSet<Row>) -> bool {
        held.contains(&self.row) && self.session.iter().all(|session| held.contains(session))
    }
}

fn is_held(lease: Option<&Lease>, now: TimeMs) -> bool {
    lease.is_some_and(|lease| lease.until > now)
}

/// Instances for the caller, the longest ready first; none if the call was answered before.
pub(crate) fn instances(state: &State, request: &LeaseOrchestrations) -> Vec<Candidate> {
    let now = state.now;
    let is_given = |row: &Instance| {
        row.lease.as_ref().is_some_and(|lease| lease.id == request.lease)
            || row.offer == Some(request.lease)
    };
    if state.instances.values().any(is_given) {
        return Vec::new();
    }
    let is_for_caller = |row: &Instance| {
        if is_held(row.lease.as_ref(), now) {
            let mut unseen = row.inbox.values().filter(|m| !m.seen && m.visible_at <= now);
            return row.lease.as_ref().is_some_and(|lease| lease.node == request.node)
                && unseen.any(|message| !message.told);
        }
        let runs = request.filter.names.get(&row.name).is_some_and(|versions| {
            row.version.as_ref().is_none_or(|version| versions.contains(version))
        });
        row.stop || (runs && request.filter.flags.contains(row.flags))
    };
    let ready = state.instances.iter().filter_map(|(id, row)| {
        let at = row.ready_at().filter(|at| *at <= now)?;
        is_for_caller(row).then_some((at, *id))
    });
    let mut ready: Vec<_> = ready.collect();
    ready.sort_unstable();
    let candidate = |(_, id)| Candidate { row: Row::Instance(id), session: None, fits: true };
    ready.into_iter().map(candidate).collect()
}

/// Activities for the caller: what nobody holds any longer, then what waits, each the oldest
/// first; none if the call was answered before.
pub(crate) fn activities(state: &State, request: &LeaseActivities) -> Vec<Candidate> {
    let mut free = Vec::new();
    let usable = state.instances.iter().filter(|(_, row)| row.quarantine.is_none());
    for (incarnation, row) in usable {
        for (event, activity) in &row.activities {
            let lease = activity.lease.as_ref();
            if lease.is_some_and(|lease| lease.id == request.lease) {
                return Vec::new();
            }
            let is_free = match lease {
                None => activity.visible_at <= state.now,
                Some(lease) => lease.until <= state.now,
            };
            let what = &activity.what;
            let is_for_caller = request.filter.names.contains(&what.name)
                && request.filter.tags.admits(what.tag.as_deref());
            if is_free && is_for_caller {
                let (incarnation, execution, event) = (*incarnation, row.execution, *event);
                let key = ActivityKey { incarnation, execution, event };
                let order = (lease.is_none(), activity.visible_at, activity.order);
                free.push((order, key, row, activity));
            }
        }
    }
    free.sort_by_key(|(order, ..)| *order);
    let mut room = Room::of(state, &request.node, request.filter.sessions.max);
    let candidate = |(_, key, row, activity): (_, ActivityKey, &Instance, &Activity)| {
        let session = activity.what.session.clone();
        let session = session.map(|name| (row.key.namespace.clone(), name));
        let fits = session.as_ref().is_none_or(|session| room.is_for(state, session));
        let session = session.map(|(namespace, name)| Row::Session(namespace, name));
        Candidate { row: Row::Activity(key), session, fits }
    };
    free.into_iter().map(candidate).collect()
}

/// A session's key.
type SessionKey = (duroxide_provider::Namespace, String);

/// Room of a node for sessions.
struct Room<'a> {
    node: &'a NodeId,
    left: usize,
    /// Sessions that there is room for.
    given: BTreeSet<SessionKey>,
}

impl<'a> Room<'a> {
    fn of(state: &State, node: &'a NodeId, max: usize) -> Self {
        let mut owned = state.sessions.iter().filter(|(_, session)| {
            session.node.name == node.name && session.idle_until > state.now
        });
        let mut given = BTreeSet::new();
        let mut left = max;
        for (key, session) in &mut owned {
            left = left.saturating_sub(1);
            if session.node.run <= node.run {
                given.insert(key.clone());
            }
        }
        Self { node, left, given }
    }

    fn is_for(&mut self, state: &State, key: &SessionKey) -> bool {
        if self.given.contains(key) {
            return true;
        }
        let may_own = state.sessions.get(key).is_none_or(|session| {
            session.idle_until <= state.now
                || if session.node.name == self.node.name {
                    session.node.run <= self.node.run
                } else {
                    is_bereft(state, key, session.term)
                }
        });
        if !may_own || self.left == 0 {
            return false;
        }
        self.left -= 1;
        self.given.insert(key.clone())
    }
}

/// Whether the owner of this term let the lease of one of its activities run out.
fn is_bereft(state: &State, (namespace, name): &SessionKey, term: u64) -> bool {
    let ran_out = |lease: &Lease| lease.until <= state.now && lease.term == term;
    let of_namespace = state.instances.values().filter(|row| row.key.namespace == *namespace);
    of_namespace.flat_map(|row| row.activities.values()).any(|activity| {
        activity.what.session.as_ref() == Some(name) && activity.lease.as_ref().is_some_and(ran_out)
    })
}

/// What a leasing call must leave alone, hidden from it while it is carried out.
pub(crate) struct Hidden {
    calls: BTreeSet<Call>,
    instances: Vec<(Incarnation, TimeMs)>,
    activities: Vec<(ActivityKey, TimeMs)>,
}

impl Hidden {
    /// Make the candidates that are not locked by the caller look as if they were not ready.
    pub(crate) fn of(state: &mut State, take: &Take, held: &BTreeSet<Row>) -> Self {
        let candidates = (take.candidates)(state);
        let calls = state.calls.clone();
        let mut hidden = Self { calls, instances: Vec::new(), activities: Vec::new() };
        for candidate in candidates.iter().filter(|one| !one.is_held(held)) {
            match candidate.row {
                Row::Instance(id) => {
                    if let Some(row) = state.instances.get_mut(&id) {
                        hidden.instances.push((id, std::mem::replace(&mut row.not_before, NEVER)));
                    }
                }
                Row::Activity(key) => {
                    if let Some(free_at) = free_at(state, &key) {
                        hidden.activities.push((key, std::mem::replace(free_at, NEVER)));
                    }
                }
                Row::Request(_) | Row::Name(_) | Row::SessionsOf(_) | Row::Session(..) => {}
            }
        }
        hidden
    }

    /// Put everything back, but for what was changed meanwhile. It calls for nobody anew.
    pub(crate) fn restore(self, state: &mut State) {
        for (id, not_before) in self.instances {
            let row = state.instances.get_mut(&id).map(|row| &mut row.not_before);
            if let Some(hidden) = row.filter(|hidden| **hidden == NEVER) {
                *hidden = not_before;
            }
        }
        for (key, at) in self.activities {
            if let Some(hidden) = free_at(state, &key).filter(|hidden| **hidden == NEVER) {
                *hidden = at;
            }
        }
        state.calls.extend(self.calls);
    }
}

/// When an activity can be taken.
fn free_at<'a>(state: &'a mut State, key: &ActivityKey) -> Option<&'a mut TimeMs> {
    let row = state.instances.get_mut(&key.incarnation)?;
    let activity = row.activities.get_mut(&key.event)?;
    Some(match &mut activity.lease {
        None => &mut activity.visible_at,
        Some(lease) => &mut lease.until,
    })
}
