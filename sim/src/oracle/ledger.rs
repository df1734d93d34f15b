//! The ledger: makes facts of the calls that the store carries out, in an order in which each
//! turn comes after the one that it builds on, and gives them to the oracles. The taps tell
//! it; it decides nothing about runs.
//!
//! A turn that was applied without an answer is known by what follows: a turn that builds on
//! it, a lease that names it, a history that holds it.

use super::cold::{Cold, Replay};
use super::fact::{Fact, Instance, Oracle};
use super::sequence::Sequence;
use crate::stage::Stage;
use crate::sync::lock;
use crate::tap::Witness;
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

    /// The store granted leases.
    pub(crate) async fn leased(
        &self,
        witness: &Witness,
        began: u64,
        request: &LeaseOrchestrations,
        granted: &LeasedOrchestrations,
    ) {
        lock(&self.state).leased(began, request, granted);
        for leased in &granted.instances {
            if let Some(commit) = leased.last_commit {
                let at = Position {
                    incarnation: leased.incarnation,
                    execution: leased.execution,
                    lease: leased.lease,
                    commit,
                    next_event: leased.next_event,
                };
                self.replay(witness, at).await;
            }
        }
        self.report(&witness.stage);
    }

    /// Whether by this lease something was taken that others had not given back; said once.
    pub(crate) fn took_over(&self, lease: LeaseId) -> bool {
        lock(&self.state).took_over.remove(&lease)
    }

    /// Instances are to be deleted (`None`: any of them), those that run only by force.
    pub(crate) fn deleting(&self, keys: Option<&[InstanceKey]>, force: bool) -> u64 {
        let mut state = lock(&self.state);
        state.deleting(keys, force);
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
        witness: &Witness,
        began: u64,
        request: &CommitTurn,
        applied: &Applied,
    ) {
        let is_new = lock(&self.state).committed(began, request, applied);
        let goes_on = is_new && applied.held && request.turn.end.is_none();
        if goes_on && request.commit_id.0.is_multiple_of(ONE_OF) {
            let at = Position {
                incarnation: request.incarnation,
                execution: request.turn.execution,
                lease: request.lease,
                commit: request.commit_id,
                next_event: EventId(request.turn.expect_event.0 + request.turn.events.len() as u64),
            };
            self.replay(witness, at).await;
        }
        self.report(&witness.stage);
    }

    /// A node tells in which state a commit left its copy.
    pub(crate) fn resident(&self, key: &InstanceKey, at: CommitId, is: &Fingerprint) {
        let mut state = lock(&self.state);
        let verdict = state.resident.resident(key.clone(), at, is.clone());
        state.note(verdict);
    }

    /// What is wrong so far fails the run.
    pub(crate) fn report(&self, stage: &Stage) {
        if let Some(problem) = &lock(&self.state).problem {
            stage.fail(problem);
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
    async fn replay(&self, witness: &Witness, at: Position) {
        if lock(&self.state).resident.knows(at.commit) {
            return;
        }
        let read = self.read(witness, at).await;
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

    async fn read(&self, witness: &Witness, at: Position) -> Verdict<Option<Fingerprint>> {
        let Position { incarnation, execution, lease, commit, next_event } = at;
        let mut replay = Replay::default();
        let mut from = EventId::FIRST;
        loop {
            let max_bytes = PAGE_BYTES;
            let request = ReadHistory { incarnation, execution, lease, from, max_bytes };
            // The lease is gone, or the store dies: those who need it will see.
            let Ok(page) = witness.store.read_history(request).await else { return Ok(None) };
            let next = page.next;
            replay.add(page);
            match next {
                Some(next) => from = next,
                None => break,
            }
        }
        let Some(key) = self.name(incarnation) else { return Ok(None) };
        // A turn that was cut short goes on by itself: with its commands, or with mail.
        let takes_mail = {
            let mut state = lock(&self.state);
            state.resident.began(&key, execution, &replay);
            state.resident.goes_on(commit)
        };
        // The holder may have gone on in the meantime.
        let goes_on = replay.events.last().is_none_or(|last| last.id >= next_event || last.split);
        if goes_on {
            return Ok(None);
        }
        let replay = if takes_mail { replay.without_mail() } else { replay };
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

#[cfg(test)]
mod tests {
    use super::super::build::start;
    use super::super::fact::Span;
    use super::*;
    use crate::plan::Plan;
    use crate::swarm::Swarm;
    use crate::workload::{Orders, Workload as _};
    use duroxide_core::Limits;
    use duroxide_provider::Provider as _;
    use duroxide_sim_postgres::{Kind, ModelledPostgres, Options, Verdict as Then};
    use std::sync::Arc;
    use std::time::Duration;

    /// What happened, in its order.
    #[derive(Clone, Default)]
    struct Told(Arc<Mutex<Vec<&'static str>>>);

    impl Oracle for Told {
        fn see(&mut self, fact: &Fact<'_>, _: Span) -> Verdict {
            if let Fact::Submitted(..) = fact {
                lock(&self.0).push("told");
            }
            Ok(())
        }
    }

    #[tokio::test]
    async fn what_postgres_commits_is_told_at_the_commit_and_not_when_it_is_answered() {
        let told = Told::default();
        let cold = Cold::new(Orders.registry(0).unwrap(), Limits::default());
        let ledger = Arc::new(Ledger::new(cold, vec![Box::new(told.clone())]));
        let stage = Stage::new(Plan::draw(1, &Orders, &Swarm::calm()), false);
        let options = Options { latency: Duration::ZERO, ..Options::seeded(1) };
        let server = ModelledPostgres::open(duroxide_runtime::system_env(), options);
        let happened = Arc::clone(&told.0);
        server.on_statement(Box::new(move |statement| {
            if statement.kind == Kind::Committed {
                lock(&happened).push("committed");
            }
            Then::Go
        }));
        let store = server.watched(|store| Arc::new(Witness { store, ledger, stage }));
        store.submit(start(1)).await.unwrap();
        assert_eq!(*lock(&told.0), ["told", "committed"]);
    }
}
