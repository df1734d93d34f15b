//! What the store accepted, seen at the store: who was granted which lease when, which
//! turn was accepted on which base, and that a cold replay of what is stored gives the
//! state that the committing node had. An observer's record, compared; it decides nothing.

use crate::cold::{Cold, Replay};
use crate::sync::lock;
use crate::tap::Inside;
use crate::wrong::{Verdict, Wrong};
use duroxide_core::{EventId, ExecutionId, Fingerprint, TimeMs};
use duroxide_provider::{
    Applied, CommitId, CommitTurn, Held, Incarnation, InstanceKey, LeaseId, LeasedOrchestrations,
    ProviderError, ReadHistory, Release,
};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Pages of history in the checks are small, so that reading on is part of every run.
const PAGE_BYTES: usize = 4_096;

/// What was accepted.
pub(crate) struct Ledger {
    cold: Cold,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By instance: the leases granted, in their order, with the store's time.
    grants: BTreeMap<Incarnation, Vec<(TimeMs, LeaseId)>>,
    /// The turn that was accepted on each base.
    turns: BTreeMap<(Incarnation, ExecutionId, Option<CommitId>), Accepted>,
    /// Which lease on an instance was granted and not given back.
    open: BTreeMap<Incarnation, LeaseId>,
    names: BTreeMap<Incarnation, InstanceKey>,
    /// The state after a commit, as the node had it and as a cold replay gives it.
    resident: BTreeMap<CommitId, Fingerprint>,
    replayed: BTreeMap<CommitId, Fingerprint>,
    compared: u64,
    problem: Option<Wrong>,
}

#[derive(Clone, Copy)]
struct Accepted {
    commit: CommitId,
    lease: LeaseId,
    at: TimeMs,
    next_event: EventId,
}

impl Ledger {
    /// An empty record; replays run with this code.
    pub(crate) fn new(cold: Cold) -> Self {
        Self { cold, state: Mutex::default() }
    }

    /// The store granted leases. Gives how many of them others had not given back.
    pub(crate) async fn leased(&self, inside: &Inside, granted: &LeasedOrchestrations) -> usize {
        let mut taken_over = 0;
        for leased in &granted.instances {
            {
                let mut state = lock(&self.state);
                let before = state.open.insert(leased.incarnation, leased.lease);
                taken_over += usize::from(before.is_some_and(|before| before != leased.lease));
                state.names.insert(leased.incarnation, leased.key.clone());
                let grants = state.grants.entry(leased.incarnation).or_default();
                if grants.last().is_none_or(|(_, last)| *last != leased.lease) {
                    grants.push((granted.store_now, leased.lease));
                }
            }
            if let Some(commit) = leased.last_commit {
                let at = Position {
                    incarnation: leased.incarnation,
                    execution: leased.execution,
                    lease: leased.lease,
                    commit,
                };
                self.replay(inside, at).await;
            }
        }
        self.report(inside);
        taken_over
    }

    /// Leases were given back.
    pub(crate) fn released(&self, request: &Release) {
        let mut state = lock(&self.state);
        for held in &request.held {
            if let Held::Instance { incarnation, lease } = held
                && state.open.get(incarnation) == Some(lease)
            {
                state.open.remove(incarnation);
            }
        }
    }

    /// The store accepted a turn, or says that it had.
    pub(crate) async fn committed(&self, inside: &Inside, request: &CommitTurn, applied: &Applied) {
        let at = (request.incarnation, request.turn.execution, request.base);
        let accepted = Accepted {
            commit: request.commit_id,
            lease: request.lease,
            at: applied.store_now,
            next_event: EventId(request.turn.expect_event.0 + request.turn.events.len() as u64),
        };
        let is_new = {
            let mut state = lock(&self.state);
            let known = *state.turns.entry(at).or_insert(accepted);
            if known.commit != request.commit_id {
                let problem = format!(
                    "two turns of {} were accepted on one base: {} and {}",
                    state.name(request.incarnation),
                    known.commit,
                    request.commit_id
                );
                state.problem.get_or_insert(Wrong::that(problem));
            }
            if !applied.held && state.open.get(&request.incarnation) == Some(&request.lease) {
                state.open.remove(&request.incarnation);
            }
            known.commit == accepted.commit && known.at == accepted.at
        };
        if let Some(caller) = inside.host.stage().host(&request.node.name) {
            caller.work(|work| work.unanswered.insert(request.commit_id));
        }
        if is_new && applied.held && request.turn.end.is_none() {
            let at = Position {
                incarnation: request.incarnation,
                execution: request.turn.execution,
                lease: request.lease,
                commit: request.commit_id,
            };
            self.replay(inside, at).await;
        }
        self.report(inside);
    }

    /// A node tells in which state a commit left its copy.
    pub(crate) fn resident(&self, commit: CommitId, fingerprint: &Fingerprint) {
        let mut state = lock(&self.state);
        state.resident.insert(commit, fingerprint.clone());
        state.compare(commit);
    }

    /// What a node had after the last commit of an execution, to be compared with its end.
    pub(crate) fn last_fingerprint(&self, key: &InstanceKey) -> Option<Fingerprint> {
        let state = lock(&self.state);
        let (incarnation, _) = state.names.iter().find(|(_, name)| *name == key)?;
        let last = state
            .turns
            .iter()
            .filter(|((of, _, _), _)| of == incarnation)
            .max_by_key(|(_, accepted)| accepted.next_event)?
            .1
            .commit;
        state.resident.get(&last).cloned()
    }

    /// Replays with this code.
    pub(crate) fn cold(&self) -> &Cold {
        &self.cold
    }

    /// How many states were compared; or what is wrong with what was accepted.
    pub(crate) fn verdict(&self) -> Verdict<u64> {
        let state = lock(&self.state);
        if let Some(problem) = &state.problem {
            return Err(problem.clone());
        }
        for ((incarnation, _, _), accepted) in &state.turns {
            state.check_fence(*incarnation, *accepted)?;
        }
        Ok(state.compared)
    }

    /// Read what is stored, replay it with nothing resident, and compare.
    async fn replay(&self, inside: &Inside, at: Position) {
        if lock(&self.state).replayed.contains_key(&at.commit) {
            return;
        }
        match self.read(inside, at).await {
            Ok(Some(fingerprint)) => {
                let mut state = lock(&self.state);
                state.replayed.insert(at.commit, fingerprint);
                state.compare(at.commit);
            }
            // The lease is gone already, or nothing has happened yet.
            Ok(None) => {}
            Err(problem) => {
                lock(&self.state).problem.get_or_insert(problem);
            }
        }
    }

    async fn read(&self, inside: &Inside, at: Position) -> Verdict<Option<Fingerprint>> {
        let mut replay = Replay::default();
        let mut from = EventId::FIRST;
        loop {
            let request = ReadHistory {
                incarnation: at.incarnation,
                execution: at.execution,
                lease: at.lease,
                from,
                max_bytes: PAGE_BYTES,
            };
            let page = match inside.store.read_history(request).await {
                Ok(page) => page,
                Err(ProviderError::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let next = page.next;
            replay.add(page);
            match next {
                Some(next) => from = next,
                None => break,
            }
        }
        let key = lock(&self.state).names.get(&at.incarnation).cloned();
        let Some(key) = key.filter(|_| !replay.events.is_empty()) else { return Ok(None) };
        self.cold
            .replay(key.id, at.execution, replay)
            .map(Some)
            .map_err(|problem| problem.about(format_args!("after commit {}", at.commit)))
    }

    fn report(&self, inside: &Inside) {
        if let Some(problem) = &lock(&self.state).problem {
            inside.host.stage().fail(problem);
        }
    }
}

#[derive(Clone, Copy)]
struct Position {
    incarnation: Incarnation,
    execution: ExecutionId,
    lease: LeaseId,
    commit: CommitId,
}

impl State {
    fn name(&self, incarnation: Incarnation) -> String {
        let key = self.names.get(&incarnation);
        key.map_or_else(|| format!("{incarnation:?}"), |key| format!("`{key}`"))
    }

    fn compare(&mut self, commit: CommitId) {
        let (Some(resident), Some(cold)) = (self.resident.get(&commit), self.replayed.get(&commit))
        else {
            return;
        };
        self.compared += 1;
        if resident != cold {
            let problem = format!(
                "after commit {commit} the resident copy and a cold replay differ:\n  \
                 resident {resident:?}\n  cold     {cold:?}"
            );
            self.problem.get_or_insert(Wrong::that(problem));
        }
    }

    /// A turn must not be accepted under a lease after another was granted for the
    /// instance. Within one millisecond of the store's clock the order is not known.
    fn check_fence(&self, incarnation: Incarnation, accepted: Accepted) -> Verdict {
        let grants = self.grants.get(&incarnation).map_or(&[][..], Vec::as_slice);
        let own =
            grants.iter().rposition(|(at, lease)| *lease == accepted.lease && *at <= accepted.at);
        let name = self.name(incarnation);
        let Some(own) = own else {
            let problem = format!("a turn of {name} was accepted under a lease nobody was granted");
            return Err(Wrong::that(problem));
        };
        match grants[own + 1..].iter().find(|(at, _)| *at < accepted.at) {
            Some((at, _)) => Err(Wrong::that(format!(
                "a turn of {name} was accepted at {} under a lease that was taken over at {}",
                accepted.at.0, at.0
            ))),
            None => Ok(()),
        }
    }
}
