//! Makes a turn durable: the request, the retries, and what a refusal means.

use super::turn::{QUARANTINE, REST, Ran};
use super::{Driver, Flow, Verdict};
use crate::marks::MarkSeq;
use crate::node::reserve;
use crate::options::Determinism;
use crate::workers::{Finished, complete_soon};
use duroxide_core::{
    Arrival, ArrivalId, Commit, CompatFlags, End, EventId, EventKind, Failure, FailureKind,
    Fingerprint, InputChange, MailName, NewActivity, Origin, TurnOutcome,
};
use duroxide_provider::{
    ActivityKey, Claim, CommitId, CommitOutcome, CommitRefusal, CommitTurn, LeaseId, ProviderError,
    Release,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// How long an instance rests after a refusal, so that nodes that fight over one do so
/// at leisure.
const AFTER_REFUSAL: Duration = Duration::from_millis(20);

/// So many turns without a pause, then an instance that could go on for ever makes room.
const TURNS_IN_HAND: u32 = 100;

/// A turn on its way to the store, and what is needed when it has arrived.
pub(super) struct Sent {
    pub(super) request: CommitTurn,
    /// Reserved for what the commit claims.
    pub(super) permits: Vec<OwnedSemaphorePermit>,
    /// Marks up to here are covered by the answer.
    pub(super) asked: MarkSeq,
    pub(super) given: Vec<Finished>,
    pub(super) unadmitted: Vec<Arrival>,
    pub(super) wants_mail: Vec<(MailName, Option<ArrivalId>)>,
    pub(super) fingerprint: Option<Fingerprint>,
    pub(super) cold: bool,
    pub(super) handled: usize,
}

impl Driver {
    pub(super) async fn commit(&mut self, ran: Ran) -> Flow {
        self.read_mailbox();
        if let Some(verdict) = self.judge(&ran.outcome.input_changes) {
            self.todo.results.extend(ran.given);
            self.todo.verdict = Some(verdict);
            return Flow::Continue;
        }
        if ran.outcome.commit.is_empty() {
            return self.nothing_to_commit(ran).await;
        }
        let sent = self.prepare(ran);
        let commit_id = sent.request.commit_id;
        let node = Arc::clone(&self.node);
        node.drivers.committing(self.incarnation, Some(commit_id));
        let answer = node.insist(|| node.store.commit_turn(sent.request.clone())).await;
        let flow = match answer {
            Ok(CommitOutcome::Applied(applied)) => self.applied(sent, *applied).await,
            Ok(CommitOutcome::Refused(refusal)) => self.refused(sent, &refusal).await,
            Err(error) => self.not_taken(sent, error).await,
        };
        node.drivers.committing(self.incarnation, None);
        flow
    }

    /// What to do about inputs that differ from the recorded ones.
    fn judge(&self, changes: &[InputChange]) -> Option<Verdict> {
        let first = changes.first()?;
        match self.node.options.determinism {
            Determinism::Off => None,
            Determinism::Warn => {
                for InputChange { event, message } in changes {
                    tracing::warn!(target: "duroxide::runtime", instance = %self.key, %event, "{message}");
                }
                None
            }
            Determinism::Fail => {
                let message = format!("nondeterministic: {}", first.message);
                Some(Verdict::Failed(Failure::new(FailureKind::Nondeterminism, message)))
            }
        }
    }

    /// The turn changed nothing: there may be mail to read, or nothing to do.
    async fn nothing_to_commit(&mut self, ran: Ran) -> Flow {
        let outcome = *ran.outcome;
        self.todo.take_back(&ran.offered, &outcome.unadmitted);
        self.keep_unadmitted(ran.given, &outcome.unadmitted);
        self.read_wanted_mail(outcome.wants_mail).await
    }

    /// Results that the turn did not look at are for the next one; give the others back.
    pub(super) fn keep_unadmitted(&mut self, given: Vec<Finished>, unadmitted: &[Arrival]) {
        for finished in given {
            let origin = Origin::Fused(finished.held.activity.event);
            if unadmitted.iter().any(|arrival| arrival.origin == origin) {
                self.todo.results.push(finished);
            } else {
                complete_soon(&self.node, finished);
            }
        }
    }

    fn prepare(&mut self, ran: Ran) -> Sent {
        let Ran { outcome, fingerprint, resolved, given, offered, cold, handled } = ran;
        let TurnOutcome { commit: turn, unadmitted, wants_mail, .. } = *outcome;
        let permits = self.reserve(&turn);
        let unread = offered.more || !unadmitted.is_empty() || !wants_mail.is_empty();
        let more = unread || !permits.is_empty();
        let keep = self.keeps(&turn, &given, more).then_some(self.node.options.turn_lease);
        let claim = (!permits.is_empty()).then(|| self.claim(&turn, permits.len()));
        let request = CommitTurn {
            incarnation: self.incarnation,
            lease: self.lease,
            node: self.node.id.clone(),
            commit_id: CommitId::draw(&*self.node.env.entropy),
            base: self.place.last_commit,
            version: resolved,
            flags: flags_after(self.flags, &turn),
            completed: leases_of(&turn, &given),
            keep,
            claim,
            turn,
        };
        let asked = self.node.marks.now();
        Sent { request, permits, asked, given, unadmitted, wants_mail, fingerprint, cold, handled }
    }

    /// Permits for the activities that the turn schedules and this node can run. None if all
    /// its workers are busy: another node may have some that are not.
    fn reserve(&self, turn: &Commit) -> Vec<OwnedSemaphorePermit> {
        let node = &self.node;
        let idle = node.permits.workers.available_permits() == 0 || node.stopping();
        if idle || node.is_full() || node.has_backlog() {
            return Vec::new();
        }
        reserve(&node.permits.claims, self.claimable(turn).count())
    }

    fn claimable<'a>(&'a self, turn: &'a Commit) -> impl Iterator<Item = &'a NewActivity> {
        let node = &self.node;
        turn.activities.iter().filter(|activity| {
            node.registry.activities.contains(&activity.name)
                && node.options.tags.admits(activity.tag.as_deref())
        })
    }

    fn claim(&self, turn: &Commit, max: usize) -> Claim {
        let names = self.claimable(turn).map(|activity| activity.name.clone()).collect();
        let duration = self.node.options.worker_lease;
        Claim { max, filter: self.node.activity_filter(names), duration }
    }

    /// Whether there is anything left to do here, so that the lease is worth keeping.
    fn keeps(&self, turn: &Commit, given: &[Finished], more: bool) -> bool {
        let goes_on = match &turn.end {
            Some(End::ContinuedAsNew { version, .. }) => {
                return !self.must_let_go()
                    && self.node.registry.resolve(&self.name, version.as_deref()).is_some();
            }
            Some(End::Completed { .. } | End::Failed { .. } | End::Terminated { .. }) => {
                return false;
            }
            None => more || turn.split || self.expects_more(turn),
        };
        let still_running = |event: &EventId| {
            !turn.cancelled_activities.contains(event)
                && !given.iter().any(|finished| finished.held.activity.event == *event)
        };
        let running = self.node.running.in_flight(self.incarnation, self.place.execution);
        (goes_on && !self.must_let_go()) || running.iter().any(still_running)
    }

    /// Whether another is to have a go: the node stops, or this instance has been in hand
    /// for so long that it is to go to the back of the queue.
    fn must_let_go(&self) -> bool {
        self.node.stopping() || self.turns_in_hand >= TURNS_IN_HAND
    }

    /// Whether something reached the driver that this turn does not deal with.
    fn expects_more(&self, turn: &Commit) -> bool {
        let dealt_with = |id| turn.consumed.contains(id) || turn.seen.contains(id);
        self.todo.more_arrivals
            || !self.todo.results.is_empty()
            || self.todo.arrivals.keys().any(|id| !dealt_with(id))
    }

    /// The instance is someone else's, or has moved on. Nothing of this turn counts.
    async fn refused(&mut self, sent: Sent, refusal: &CommitRefusal) -> Flow {
        self.node.metrics.commits_refused.one();
        tracing::info!(target: "duroxide::runtime", instance = %self.key, %refusal, "a turn was refused and is redone");
        self.give_up(sent, true, AFTER_REFUSAL).await
    }

    /// An error that no retry mends.
    async fn not_taken(&mut self, sent: Sent, error: ProviderError) -> Flow {
        tracing::error!(target: "duroxide::runtime", instance = %self.key, %error, "a turn could not be committed");
        let corrupt = matches!(error, ProviderError::Corrupt { .. });
        let rest = if corrupt { QUARANTINE } else { REST * self.attempt };
        self.give_up(sent, corrupt, rest).await
    }

    async fn give_up(&mut self, sent: Sent, refund: bool, delay: Duration) -> Flow {
        let commit = Some((self.incarnation, sent.request.commit_id));
        self.todo.results.extend(sent.given);
        drop(sent.permits);
        let release = Release { held: vec![self.held()], commit, refund, delay };
        self.abandon(Some(release), delay).await;
        Flow::End
    }
}

fn leases_of(turn: &Commit, given: &[Finished]) -> Vec<(ActivityKey, LeaseId)> {
    let fused = given.iter().filter(|given| turn.fused.contains(&given.held.activity.event));
    fused.map(|given| (given.held.activity, given.held.lease)).collect()
}

fn flags_after(before: CompatFlags, turn: &Commit) -> CompatFlags {
    let mut flags = before;
    for event in &turn.events {
        if let EventKind::OrchestrationStarted { flags: started, .. } = &event.kind {
            flags = *started;
        }
        if let EventKind::CompatFlagsAdded { flags: added } = &event.kind {
            flags = flags.union(*added);
        }
    }
    flags
}
