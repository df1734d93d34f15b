//! The ledger: makes facts of the calls that the store carries out, in an order in which each
//! turn comes after the one that it builds on, and gives them to the oracles. The taps tell
//! it; it decides nothing about runs.
//!
//! A turn that was applied without an answer is known by what follows: a turn that builds on
//! it, a lease that names it, a history that holds it.

use super::cold::{Cold, Replay};
use super::fact::{Fact, Instance, Oracle};
use super::sequence::Sequence;
use crate::sync::lock;
use crate::tap::Inside;
use crate::wrong::{Verdict, Wrong};
use duroxide_core::{EventId, ExecutionId, Fingerprint};
use duroxide_provider::{
    Applied, CommitId, CommitTurn, CompleteActivity, Incarnation, InstanceKey, LeaseId,
    LeaseOrchestrations, LeasedOrchestrations, ReadHistory, Release,
};
use std::sync::Mutex;

/// Pages of history in the checks are small, so that reading on is part of every run.
const PAGE_BYTES: usize = 4_096;
/// Of so many turns one is replayed cold at once; each, when the instance is leased again.
const ONE_OF: u128 = 8;

/// What was accepted, and those who watch.
pub(crate) struct Ledger {
    cold: Cold,
    state: Mutex<Sequence>,
}

impl Ledger {
    /// An empty record; replays run with this code.
    pub(crate) fn new(cold: Cold, oracles: Vec<Box<dyn Oracle>>) -> Self {
        Self { cold, state: Mutex::new(Sequence::new(oracles)) }
    }

    /// The store gets a call: when that is.
    pub(crate) fn begins(&self) -> u64 {
        lock(&self.state).next()
    }

    /// The store gets a call that says this much from now on.
    pub(crate) fn asked(&self, fact: &Fact<'_>) -> u64 {
        let mut state = lock(&self.state);
        let began = state.next();
        state.tell(fact, began);
        began
    }

    /// The answer to a call that began then was seen.
    pub(crate) fn saw(&self, began: u64, fact: &Fact<'_>) {
        lock(&self.state).tell(fact, began);
    }

    /// A turn has reached the store.
    pub(crate) fn committing(&self, request: &CommitTurn) -> u64 {
        lock(&self.state).committing(request)
    }

    /// An activity's end has reached the store.
    pub(crate) fn completing(&self, request: &CompleteActivity) -> (u64, Option<InstanceKey>) {
        lock(&self.state).completing(request)
    }

    /// The instance of an incarnation that was leased before.
    pub(crate) fn name(&self, incarnation: Incarnation) -> Option<InstanceKey> {
        lock(&self.state).name(incarnation)
    }

    /// The store granted leases. Gives how many of them others had not given back.
    pub(crate) async fn leased(
        &self,
        inside: &Inside,
        began: u64,
        request: &LeaseOrchestrations,
        granted: &LeasedOrchestrations,
    ) -> usize {
        let taken_over = lock(&self.state).leased(began, request, granted);
        for leased in &granted.instances {
            if let Some(commit) = leased.last_commit {
                let at = Position {
                    incarnation: leased.incarnation,
                    execution: leased.execution,
                    lease: leased.lease,
                    commit,
                    next_event: leased.next_event,
                };
                self.replay(inside, at).await;
            }
        }
        self.report(inside);
        taken_over
    }

    /// Instances are to be deleted (`None`: any of them), those that run only by force.
    pub(crate) fn deleting(&self, keys: Option<&[InstanceKey]>, force: bool) -> u64 {
        let mut state = lock(&self.state);
        state.managed.deleting(keys, force);
        state.next()
    }

    /// They are, as far as they may be.
    pub(crate) fn deleted(&self, keys: &[InstanceKey]) {
        lock(&self.state).managed.deleted(keys);
    }

    /// Leases are given back.
    pub(crate) fn released(&self, request: &Release) {
        lock(&self.state).released(request);
    }

    /// The store accepted a turn, or says that it had.
    pub(crate) async fn committed(
        &self,
        inside: &Inside,
        began: u64,
        request: &CommitTurn,
        applied: &Applied,
    ) {
        let is_new = lock(&self.state).committed(began, request, applied);
        if let Some(caller) = inside.host.stage().host(&request.node.name) {
            caller.work(|work| work.unanswered.insert(request.commit_id));
        }
        let goes_on = is_new && applied.held && request.turn.end.is_none();
        if goes_on && request.commit_id.0.is_multiple_of(ONE_OF) {
            let at = Position {
                incarnation: request.incarnation,
                execution: request.turn.execution,
                lease: request.lease,
                commit: request.commit_id,
                next_event: EventId(request.turn.expect_event.0 + request.turn.events.len() as u64),
            };
            self.replay(inside, at).await;
        }
        self.report(inside);
    }

    /// A node tells in which state a commit left its copy.
    pub(crate) fn resident(&self, key: &InstanceKey, at: CommitId, is: &Fingerprint) {
        let mut state = lock(&self.state);
        let verdict = state.resident.resident(key.clone(), at, is.clone());
        state.note(verdict);
    }

    /// What is wrong so far fails the run.
    pub(crate) fn report(&self, inside: &Inside) {
        if let Some(problem) = &lock(&self.state).problem {
            inside.host.stage().fail(problem);
        }
    }

    /// Nothing happens any more. Gives how many states were compared.
    pub(crate) fn end(&self, stored: &[Instance]) -> Verdict<u64> {
        let mut state = lock(&self.state);
        let left = state.end(stored)?;
        state.resident.end(&self.cold, &left)?;
        Ok(state.resident.compared())
    }

    /// Read what is stored, replay it with nothing resident, and compare.
    async fn replay(&self, inside: &Inside, at: Position) {
        if lock(&self.state).resident.knows(at.commit) {
            return;
        }
        let read = self.read(inside, at).await;
        let mut state = lock(&self.state);
        if !state.is_last(at.incarnation, at.commit) {
            return; // the holder may have gone on in the meantime
        }
        let verdict = match read {
            Ok(Some(fingerprint)) => state.resident.replayed(at.commit, fingerprint),
            // The lease is gone already, or nothing has happened yet.
            Ok(None) => Ok(()),
            Err(problem) => Err(problem),
        };
        state.note(verdict);
    }

    async fn read(&self, inside: &Inside, at: Position) -> Verdict<Option<Fingerprint>> {
        let Position { incarnation, execution, lease, commit, next_event } = at;
        let mut replay = Replay::default();
        let mut from = EventId::FIRST;
        loop {
            let max_bytes = PAGE_BYTES;
            let request = ReadHistory { incarnation, execution, lease, from, max_bytes };
            // The lease is gone, or the store dies: those who need it will see.
            let Ok(page) = inside.store.read_history(request).await else { return Ok(None) };
            let next = page.next;
            replay.add(page);
            match next {
                Some(next) => from = next,
                None => break,
            }
        }
        let Some(key) = self.name(incarnation) else { return Ok(None) };
        lock(&self.state).resident.began(&key, execution, &replay);
        // The holder may have gone on in the meantime.
        // A turn that was cut short goes on by itself.
        let goes_on = replay.events.last().is_none_or(|last| last.id >= next_event || last.split);
        if goes_on {
            return Ok(None);
        }
        let replayed = self.cold.replay(key.id.clone(), execution, replay);
        let told = |problem: Wrong| problem.about(format_args!("after commit {commit}"));
        replayed.map(Some).map_err(|problem| told(problem).with(key.to_string()))
    }
}

#[derive(Clone, Copy)]
struct Position {
    incarnation: Incarnation,
    execution: ExecutionId,
    lease: LeaseId,
    commit: CommitId,
    next_event: EventId,
}
