//! In which order facts are told: each turn once, after the one that it builds on, and nothing
//! of instances that may have been deleted, but to the one oracle that is for them. Not here:
//! the calls that facts are made of (`ledger`).

use super::fact::{Accepted, Fact, Handed, Instance, Oracle, Span, Stored};
use super::gone::Gone;
use super::managed::Managed;
use super::resident::Resident;
use crate::wrong::{Verdict, Wrong};
use duroxide_core::End;
use duroxide_provider::{
    Applied, CommitId, CommitTurn, CompleteActivity, Held, Incarnation, InstanceKey, LeaseId,
    LeaseOrchestrations, LeasedOrchestrations, Release,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What was seen so far, and those who are told.
#[derive(Default)]
pub(super) struct Sequence {
    oracles: Vec<Box<dyn Oracle>>,
    pub(super) resident: Resident,
    pub(super) managed: Managed,
    /// What was found wrong first.
    pub(super) problem: Option<Wrong>,
    gone: Gone,
    /// Calls so far.
    tick: u64,
    names: BTreeMap<Incarnation, InstanceKey>,
    /// Turns that may have been applied.
    in_flight: BTreeMap<CommitId, InFlight>,
    accepted: BTreeSet<CommitId>,
    /// What accepted turns build on: no other turn can be applied there any more.
    built_on: BTreeSet<(Incarnation, Option<CommitId>)>,
    /// Which lease on an instance was granted and not given back.
    open: BTreeMap<Incarnation, LeaseId>,
    /// By which leases something was taken that others had not given back.
    pub(super) took_over: BTreeSet<LeaseId>,
}

#[derive(Clone)]
struct InFlight {
    began: u64,
    request: Arc<CommitTurn>,
}

impl Sequence {
    /// Nothing seen yet.
    pub(super) fn new(oracles: Vec<Box<dyn Oracle>>) -> Self {
        Self { oracles, ..Self::default() }
    }

    /// Another moment.
    pub(super) fn next(&mut self) -> u64 {
        self.tick += 1;
        self.tick
    }

    /// The instance of an incarnation that was leased before.
    pub(super) fn name(&self, incarnation: Incarnation) -> Option<InstanceKey> {
        self.names.get(&incarnation).cloned()
    }

    pub(super) fn note(&mut self, verdict: Verdict) {
        if let Err(problem) = verdict {
            self.problem.get_or_insert(problem);
        }
    }

    /// Tell of a call that began then and has ended now.
    pub(super) fn tell(&mut self, fact: &Fact<'_>, began: u64) {
        let span = Span { began, ended: self.next() };
        let verdict = self.gone.see(fact, span);
        self.note(verdict);
        if fact.key().is_some_and(|key| self.managed.contains(key)) {
            return;
        }
        if let Fact::Leased(request, leased) = fact
            && leased.instances.iter().any(|one| self.managed.contains(&one.key))
        {
            let mut left = (*leased).clone();
            left.instances.retain(|one| !self.managed.contains(&one.key));
            return self.give(&Fact::Leased(request, &left), span);
        }
        if let Fact::ActivitiesLeased(request, leased) = fact
            && leased.activities.iter().any(|one| self.managed.contains(&one.key))
        {
            let mut left = (*leased).clone();
            left.activities.retain(|one| !self.managed.contains(&one.key));
            return self.give(&Fact::ActivitiesLeased(request, &left), span);
        }
        self.give(fact, span);
    }

    fn give(&mut self, fact: &Fact<'_>, span: Span) {
        for oracle in &mut self.oracles {
            if let Err(problem) = oracle.see(fact, span) {
                self.problem.get_or_insert(problem);
            }
        }
    }

    /// Whether no other turn can have been applied on top of this one.
    pub(super) fn is_last(&self, incarnation: Incarnation, commit: CommitId) -> bool {
        let base = Some(commit);
        let follows = |other: &InFlight| {
            (other.request.incarnation, other.request.base) == (incarnation, base)
        };
        !self.built_on.contains(&(incarnation, base)) && !self.in_flight.values().any(follows)
    }

    /// A turn has reached the store.
    pub(super) fn committing(&mut self, request: &CommitTurn) -> u64 {
        let began = self.next();
        let known = self.in_flight.contains_key(&request.commit_id);
        if known || self.built_on.contains(&(request.incarnation, request.base)) {
            return began;
        }
        let request = Arc::new(request.clone());
        let flight = InFlight { began, request: Arc::clone(&request) };
        self.in_flight.insert(request.commit_id, flight);
        if let Some(key) = self.name(request.incarnation) {
            self.manages(&key, &request);
            self.tell(&Fact::Committing(&key, &request), began);
        }
        began
    }

    /// Instances are to be deleted (`None`: any).
    pub(super) fn deleting(&mut self, keys: Option<&[InstanceKey]>, force: bool) {
        self.managed.deleting(keys, force);
        self.leave();
    }

    fn leave(&mut self) {
        for oracle in &mut self.oracles {
            oracle.leave(&self.managed);
        }
    }

    /// What of a turn decides what a deletion may delete.
    fn manages(&mut self, key: &InstanceKey, request: &CommitTurn) {
        for start in request.turn.starts.iter().filter(|start| !start.detached) {
            let namespace = key.namespace.clone();
            self.managed.starts(key, InstanceKey { namespace, id: start.instance.clone() });
        }
        let ends = |end: &End| !matches!(end, End::ContinuedAsNew { .. });
        if request.turn.end.as_ref().is_some_and(ends) {
            self.managed.ends(key);
            self.leave();
        }
    }

    /// An activity's end has reached the store.
    pub(super) fn completing(&mut self, request: &CompleteActivity) -> (u64, Option<InstanceKey>) {
        let (began, key) = (self.next(), self.name(request.activity.incarnation));
        if let Some(key) = &key {
            self.tell(&Fact::Completing(key, request), began);
        }
        (began, key)
    }

    /// Leases were granted.
    pub(super) fn leased(
        &mut self,
        began: u64,
        request: &LeaseOrchestrations,
        granted: &LeasedOrchestrations,
    ) {
        for leased in &granted.instances {
            let before = self.open.insert(leased.incarnation, leased.lease);
            if before.is_some_and(|before| before != leased.lease) {
                self.took_over.insert(leased.lease);
            }
            self.names.insert(leased.incarnation, leased.key.clone());
            self.reach(leased.last_commit);
        }
        self.tell(&Fact::Leased(request, granted), began);
        for leased in &granted.instances {
            let handed = Handed {
                key: &leased.key,
                execution: leased.execution,
                arrivals: &leased.arrivals,
                more: leased.more_arrivals,
                store_now: granted.store_now,
            };
            self.tell(&Fact::Handed(handed), began);
        }
    }

    /// Leases were given back.
    pub(super) fn released(&mut self, request: &Release) {
        for held in &request.held {
            if let Held::Instance { incarnation, lease } = held
                && self.open.get(incarnation) == Some(lease)
            {
                self.open.remove(incarnation);
            }
        }
    }

    /// A turn was applied. Gives whether that is news.
    pub(super) fn committed(
        &mut self,
        began: u64,
        request: &CommitTurn,
        applied: &Applied,
    ) -> bool {
        if !applied.held && self.open.get(&request.incarnation) == Some(&request.lease) {
            self.open.remove(&request.incarnation);
        }
        self.reach(request.base);
        let is_new = !self.accepted.contains(&request.commit_id);
        if is_new {
            let known = self.in_flight.get(&request.commit_id).cloned();
            let flight =
                known.unwrap_or_else(|| InFlight { began, request: Arc::new(request.clone()) });
            self.accept(&flight, Some(applied));
        }
        if let Some(key) = self.name(request.incarnation).filter(|_| applied.held) {
            let goes_on = matches!(request.turn.end, Some(End::ContinuedAsNew { .. }));
            let execution = request.turn.execution;
            let handed = Handed {
                key: &key,
                execution: if goes_on { execution.next() } else { execution },
                arrivals: &applied.arrivals,
                more: applied.more_arrivals,
                store_now: applied.store_now,
            };
            self.tell(&Fact::Handed(handed), began);
        }
        is_new
    }

    /// The turns up to this one were accepted, whoever heard of it.
    fn reach(&mut self, commit: Option<CommitId>) {
        let (mut path, mut at) = (Vec::new(), commit);
        while let Some(flight) = at.and_then(|commit| self.in_flight.get(&commit)) {
            path.push(flight.clone());
            at = flight.request.base;
        }
        for flight in path.iter().rev() {
            self.accept(flight, None);
        }
    }

    fn accept(&mut self, flight: &InFlight, applied: Option<&Applied>) {
        let request = &flight.request;
        let (incarnation, base) = (request.incarnation, request.base);
        // Of the turns on one base one is accepted.
        self.in_flight.retain(|_, other| {
            (other.request.incarnation, other.request.base) != (incarnation, base)
        });
        self.accepted.insert(request.commit_id);
        self.built_on.insert((incarnation, base));
        if let Some(key) = self.name(incarnation) {
            self.resident.committed(&key, request);
            let accepted = Accepted { key: &key, request, applied };
            self.tell(&Fact::Committed(accepted), flight.began);
        }
    }

    /// Turns that were applied last of all, and nobody heard of: what is stored tells.
    pub(super) fn settle(&mut self, stored: &[Instance]) {
        for instance in stored {
            while let Some(flight) = self.applied_to(instance) {
                self.accept(&flight, None);
            }
        }
    }

    fn applied_to(&self, instance: &Instance) -> Option<InFlight> {
        let is_stored = |flight: &&InFlight| {
            let turn = &flight.request.turn;
            let follows = flight.request.base.is_none_or(|base| self.accepted.contains(&base));
            let of = instance.executions.iter().find(|(of, _)| *of == turn.execution);
            let events = of.map_or(&[][..], |(_, events)| events);
            let from = turn.expect_event.0.saturating_sub(1) as usize;
            follows
                && self.names.get(&flight.request.incarnation) == Some(&instance.key)
                && !turn.events.is_empty()
                && events.get(from..from + turn.events.len()) == Some(&turn.events[..])
        };
        self.in_flight.values().find(is_stored).cloned()
    }

    /// Nothing happens any more: all that is stored, but for what may have been deleted.
    pub(super) fn end(&mut self, stored: &[Instance]) -> Verdict<Vec<Instance>> {
        self.settle(stored);
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        let managed = &self.managed;
        let left: Vec<_> =
            stored.iter().filter(|one| !managed.contains(&one.key)).cloned().collect();
        let stored = Stored { instances: &left, managed };
        self.oracles.iter_mut().try_for_each(|oracle| oracle.end(&stored))?;
        Ok(left)
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::{Leased, Turn, activity, key, leased, started, stored, turn};
    use super::*;
    use std::sync::Mutex;

    /// Which turns were told, in their order.
    #[derive(Clone, Default)]
    struct Told(Arc<Mutex<Vec<u128>>>);

    impl Oracle for Told {
        fn see(&mut self, fact: &Fact<'_>, _: Span) -> Verdict {
            if let Fact::Committed(accepted) = fact {
                self.0.lock().unwrap().push(accepted.request.commit_id.0);
            }
            Ok(())
        }
    }

    /// An instance that was leased.
    fn sequence() -> (Sequence, Told) {
        let told = Told::default();
        let mut sequence = Sequence::new(vec![Box::new(told.clone())]);
        lease(&mut sequence, &leased(7, None, 1));
        (sequence, told)
    }

    fn lease(sequence: &mut Sequence, leased: &Leased) {
        let began = sequence.next();
        sequence.leased(began, &leased.request, &leased.leased);
    }

    fn commit(sequence: &mut Sequence, turn: &Turn) -> bool {
        let began = sequence.committing(turn);
        sequence.committed(began, turn, turn.applied())
    }

    #[test]
    fn a_turn_that_nobody_heard_of_is_told_before_the_one_that_builds_on_it() {
        let (mut sequence, told) = sequence();
        sequence.committing(&turn(None, 1, vec![started()]));
        sequence.committing(&turn(Some(1), 2, Vec::new()).at(2));
        assert!(commit(&mut sequence, &turn(Some(2), 3, Vec::new()).at(2)));
        assert_eq!(*told.0.lock().unwrap(), [1, 2, 3]);
    }

    #[test]
    fn a_turn_that_nobody_heard_of_is_told_when_a_lease_names_it_or_it_is_found_stored() {
        let (mut sequence, told) = sequence();
        sequence.committing(&turn(None, 1, vec![started()]));
        lease(&mut sequence, &leased(8, Some(1), 2));
        assert_eq!(*told.0.lock().unwrap(), [1]);
        let second = turn(Some(1), 2, vec![activity(2)]).at(2);
        sequence.committing(&second);
        sequence.committing(&turn(Some(1), 3, vec![started()]).at(2));
        sequence.settle(&[stored(vec![started()])]);
        assert_eq!(*told.0.lock().unwrap(), [1]);
        sequence.settle(&[stored(vec![started(), second.turn.events[0].clone()])]);
        assert_eq!(*told.0.lock().unwrap(), [1, 2]);
    }

    #[test]
    fn a_turn_is_told_once_however_often_it_is_answered_and_a_rival_all_the_same() {
        let (mut sequence, told) = sequence();
        assert!(commit(&mut sequence, &turn(None, 1, vec![started()])));
        assert!(!commit(&mut sequence, &turn(None, 1, vec![started()])));
        assert!(commit(&mut sequence, &turn(None, 2, vec![started()])));
        assert_eq!(*told.0.lock().unwrap(), [1, 2]);
    }

    #[test]
    fn nothing_is_told_of_an_instance_that_may_have_been_deleted() {
        let (mut sequence, told) = sequence();
        sequence.managed.deleting(Some(&[key()]), true);
        commit(&mut sequence, &turn(None, 1, vec![started()]));
        assert_eq!(*told.0.lock().unwrap(), Vec::<u128>::new());
    }
}
