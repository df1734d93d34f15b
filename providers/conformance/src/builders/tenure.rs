//! An instance that a node holds, from turn to turn.

use super::task::one;
use super::{Task, TurnBuilder, describe};
use crate::expect::{CheckResult, Stop};
use crate::fixture::Fixture;
use duroxide_core::{
    Arrival, CompatFlags, End, EventId, ExecutionId, MailName, TimeMs, TurnNo, UnreadMail,
};
use duroxide_provider::{
    ActivityKey, Applied, CommitId, CommitOutcome, CommitTurn, Held, HistoryPage, LeaseState,
    LeasedInstance, MailPage, NodeId, ReadHistory, ReadMail, Release, Renew,
};
use std::time::Duration;

/// A held instance: where its history stands and what has arrived. Applied turns move it on.
#[derive(Debug, Clone)]
pub(crate) struct Tenure {
    pub(super) fx: Fixture,
    pub(super) node: NodeId,
    /// The instance as it was leased.
    pub(crate) got: LeasedInstance,
    /// What has arrived and was not seen.
    pub(crate) arrivals: Vec<Arrival>,
    pub(crate) execution: ExecutionId,
    pub(crate) base: Option<CommitId>,
    pub(crate) next_event: EventId,
    pub(super) turn: TurnNo,
    pub(super) now: TimeMs,
    pub(super) flags: CompatFlags,
    /// The events of the last applied turn that scheduled something, in order.
    pub(crate) scheduled: Vec<EventId>,
}

impl Tenure {
    pub(super) fn new(fx: Fixture, node: NodeId, got: LeasedInstance, now: TimeMs) -> Self {
        Self {
            fx,
            node,
            arrivals: got.arrivals.clone(),
            execution: got.execution,
            base: got.last_commit,
            next_event: got.next_event,
            turn: TurnNo(got.next_event.0),
            now,
            flags: got.flags,
            scheduled: Vec::new(),
            got,
        }
    }

    pub(crate) fn id(&self) -> &str {
        self.got.key.id.as_str()
    }

    pub(crate) fn held(&self) -> Held {
        Held::Instance { incarnation: self.got.incarnation, lease: self.got.lease }
    }

    /// What has arrived, in words.
    pub(crate) fn inbox(&self) -> Vec<String> {
        self.arrivals.iter().map(describe).collect()
    }

    /// The activity that an event of this execution scheduled.
    pub(crate) fn activity(&self, event: EventId) -> ActivityKey {
        ActivityKey { incarnation: self.got.incarnation, execution: self.execution, event }
    }

    /// The activities that an applied commit claimed.
    pub(crate) fn claimed(&self, commit: CommitId, applied: &Applied) -> Vec<Task> {
        let lease = commit.claim_lease();
        let task = |c: &duroxide_provider::ClaimedActivity| {
            Task::claimed(self.fx.clone(), self.activity(c.event), lease, c.attempt)
        };
        applied.claimed.iter().map(task).collect()
    }

    /// Begin a turn.
    pub(crate) fn turn(&mut self) -> TurnBuilder<'_> {
        TurnBuilder::new(self)
    }

    /// Send a commit; if it is applied, the tenure moves on.
    pub(crate) async fn send(&mut self, request: &CommitTurn) -> CheckResult<CommitOutcome> {
        let outcome = self.fx.store().commit_turn(request.clone()).await?;
        if let CommitOutcome::Applied(applied) = &outcome {
            self.move_on(request, applied);
        }
        Ok(outcome)
    }

    /// Send a commit that must be applied.
    pub(crate) async fn apply(&mut self, request: &CommitTurn) -> CheckResult<Applied> {
        match self.send(request).await? {
            CommitOutcome::Applied(applied) => Ok(*applied),
            CommitOutcome::Refused(why) => {
                Err(Stop::Failed(format!("a commit that must be applied was refused: {why}")))
            }
        }
    }

    fn move_on(&mut self, request: &CommitTurn, applied: &Applied) {
        let turn = &request.turn;
        self.base = Some(request.commit_id);
        self.arrivals.clone_from(&applied.arrivals);
        self.now = applied.store_now.max(self.now);
        self.flags = request.flags;
        self.scheduled = turn.activities.iter().map(|a| a.event).collect();
        self.scheduled.extend(turn.timers.iter().map(|t| t.event));
        self.scheduled.extend(turn.starts.iter().map(|s| s.event));
        self.scheduled.sort_unstable();
        if let Some(End::ContinuedAsNew { .. }) = turn.end {
            self.execution = turn.execution.next();
            self.next_event = EventId::FIRST;
            self.turn = TurnNo(1);
        } else {
            self.next_event = EventId(turn.expect_event.0 + turn.events.len() as u64);
            self.turn = TurnNo(turn.turn.0 + 1);
        }
    }

    pub(crate) async fn renew(&self, ms: u64) -> CheckResult<LeaseState> {
        let duration = Duration::from_millis(ms);
        let states = self.fx.store().renew(Renew { held: vec![self.held()], duration }).await?;
        one(&states)
    }

    pub(crate) async fn release(&self, refund: bool, delay_ms: u64) -> CheckResult {
        let delay = Duration::from_millis(delay_ms);
        let request = Release { held: vec![self.held()], commit: None, refund, delay };
        Ok(self.fx.store().release(request).await?)
    }

    /// Give up a commit whose answer never came.
    pub(crate) async fn give_up(&self, commit: CommitId) -> CheckResult {
        let commit = Some((self.got.incarnation, commit));
        let request = Release { held: vec![], commit, refund: false, delay: Duration::ZERO };
        Ok(self.fx.store().release(request).await?)
    }

    /// A request for history.
    pub(crate) fn ask_history(&self, from: u64, max_bytes: usize) -> ReadHistory {
        ReadHistory {
            incarnation: self.got.incarnation,
            execution: self.execution,
            lease: self.got.lease,
            from: EventId(from),
            max_bytes,
        }
    }

    /// The first page of history, with base and unread mail.
    pub(crate) async fn history(&self) -> CheckResult<HistoryPage> {
        Ok(self.fx.store().read_history(self.ask_history(1, usize::MAX >> 1)).await?)
    }

    /// Unread mail of one mailbox.
    pub(crate) async fn mail(
        &self,
        name: MailName,
        after: Option<duroxide_core::ArrivalId>,
        max: usize,
    ) -> CheckResult<MailPage> {
        let request = ReadMail {
            incarnation: self.got.incarnation,
            lease: self.got.lease,
            names: vec![(name, after)],
            max,
        };
        Ok(self.fx.store().read_mail(request).await?)
    }
}

/// Unread mail in words, as arrivals are described.
pub(crate) fn letters(unread: &[UnreadMail]) -> Vec<String> {
    unread.iter().map(|m| format!("{} {:?}", m.name, m.data)).collect()
}
