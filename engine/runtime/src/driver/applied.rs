//! What follows from a turn that became durable.

use super::commit::Sent;
use super::turn::QUARANTINE;
use super::{Driver, Flow, ToDo};
use crate::options::CommittedTurn;
use crate::residents::Place;
use crate::workers;
use duroxide_core::{ArrivalId, Commit, CompatFlags, End, EventId, MailName, NewActivity};
use duroxide_provider::{
    ActivityKey, Applied, ClaimedActivity, CommitTurn, LeasedActivity, ProviderError, ReadMail,
};
use tokio::sync::OwnedSemaphorePermit;

/// How many messages of one name are read at once.
const MAIL_WINDOW: usize = 100;

impl Driver {
    pub(super) async fn applied(&mut self, mut sent: Sent, applied: Applied) -> Flow {
        self.node.clock.observe(applied.store_now);
        let permits = std::mem::take(&mut sent.permits);
        self.moved_on(&sent.request);
        self.settle_results(&mut sent);
        self.start_claimed(&sent.request, &applied.claimed, permits);
        self.observe(&mut sent);
        let commit = &sent.request.turn;
        self.node.metrics.committed(commit);
        self.node.stranded.scheduled(&self.node.registry, &self.key, commit);
        self.take_away_cancelled(commit);
        self.forget_dealt_with(commit);
        match &commit.end {
            Some(End::ContinuedAsNew { version, .. }) => self.continue_as_new(version.clone()),
            Some(End::Completed { .. } | End::Failed { .. } | End::Terminated { .. }) => {
                return Flow::End;
            }
            None => self.todo.turn = commit.split,
        }
        if !applied.held {
            self.check_in();
            return Flow::End;
        }
        if !applied.more_arrivals {
            self.asked = sent.asked;
        }
        self.todo.more_arrivals = false;
        self.expect(applied.arrivals, applied.more_arrivals);
        self.read_wanted_mail(sent.wants_mail).await
    }

    fn moved_on(&mut self, request: &CommitTurn) {
        let turn = &request.turn;
        self.place = Place {
            execution: turn.execution,
            next_event: EventId(turn.expect_event.0 + turn.events.len() as u64),
            last_commit: Some(request.commit_id),
        };
        self.attempt = 1;
        self.flags = request.flags;
        if request.version.is_some() {
            self.version.clone_from(&request.version);
        }
    }

    /// Fused results are acknowledged by the commit; the others are for the next turn, or
    /// were late.
    fn settle_results(&mut self, sent: &mut Sent) {
        let mut others = Vec::new();
        for finished in std::mem::take(&mut sent.given) {
            let event = finished.held.activity.event;
            if sent.request.turn.fused.contains(&event) {
                self.node.metrics.activity_done(&finished.outcome);
                self.node.running.settle(finished.held);
            } else {
                others.push(finished);
            }
        }
        self.keep_unadmitted(others, &sent.unadmitted);
    }

    fn start_claimed(
        &self,
        request: &CommitTurn,
        claimed: &[ClaimedActivity],
        permits: Vec<OwnedSemaphorePermit>,
    ) {
        self.node.metrics.activities_claimed.add(claimed.len() as u64);
        for (claimed, permit) in claimed.iter().zip(permits) {
            let scheduled = &request.turn.activities;
            let Some(new) = scheduled.iter().find(|new| new.event == claimed.event) else {
                continue;
            };
            let activity = self.claimed_activity(new, claimed.attempt);
            workers::start_claimed(&self.node, activity, request.commit_id.claim_lease(), permit);
        }
    }

    fn claimed_activity(&self, new: &NewActivity, attempt: u32) -> LeasedActivity {
        LeasedActivity {
            activity: ActivityKey {
                incarnation: self.incarnation,
                execution: self.place.execution,
                event: new.event,
            },
            key: self.key.clone(),
            orchestration: self.name.clone(),
            version: self.version.clone().unwrap_or_default(),
            name: new.name.clone(),
            input: new.input.clone(),
            session: new.session.clone(),
            tag: new.tag.clone(),
            headers: new.headers.clone(),
            attempt,
            ready_at: self.node.clock.now(),
        }
    }

    fn observe(&self, sent: &mut Sent) {
        let Some(observer) = &self.node.options.observer else { return };
        observer.turn_committed(&CommittedTurn {
            key: self.key.clone(),
            resident: self.place.resident(self.incarnation),
            turn: sent.request.turn.turn,
            commit: sent.request.commit_id,
            base: sent.request.base,
            next_event: self.place.next_event,
            fingerprint: sent.fingerprint.take(),
            cold: sent.cold,
            handled: sent.handled,
        });
    }

    /// Activities that run here and that this turn cancelled learn of it at once.
    fn take_away_cancelled(&self, commit: &Commit) {
        let (incarnation, execution) = (self.incarnation, commit.execution);
        for &event in &commit.cancelled_activities {
            let activity = ActivityKey { incarnation, execution, event };
            self.node.running.take_away_activity(activity);
        }
        if commit.end.is_some() {
            self.node.running.take_away_execution(incarnation, execution);
        }
    }

    fn forget_dealt_with(&mut self, commit: &Commit) {
        for id in commit.consumed.iter().chain(&commit.seen) {
            self.todo.arrivals.remove(id);
            self.dealt_with.insert(*id);
        }
    }

    /// The commit has begun the next execution; its start comes with what has arrived.
    fn continue_as_new(&mut self, version: Option<String>) {
        self.place.execution = self.place.execution.next();
        self.place.next_event = EventId::FIRST;
        self.version = version;
        self.flags = CompatFlags::NONE;
        self.todo = ToDo::default();
    }

    /// Read the mail that open waits want, for another turn.
    pub(super) async fn read_wanted_mail(
        &mut self,
        wanted: Vec<(MailName, Option<ArrivalId>)>,
    ) -> Flow {
        if wanted.is_empty() {
            return Flow::Continue;
        }
        let names = wanted.iter().map(|(name, _)| name.clone()).collect();
        let request = ReadMail {
            incarnation: self.incarnation,
            lease: self.lease,
            names: wanted,
            max: MAIL_WINDOW,
        };
        self.node.metrics.fetches.one();
        match self.node.insist(|| self.node.store.read_mail(request.clone())).await {
            Ok(page) => {
                self.todo.mail = Some((names, page));
                Flow::Continue
            }
            Err(ProviderError::NotFound { .. }) => {
                self.lost = true;
                Flow::Continue
            }
            Err(_) => {
                self.abandon(None, QUARANTINE).await;
                Flow::End
            }
        }
    }
}
