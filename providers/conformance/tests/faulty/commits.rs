//! Commits as a store with a fault takes them. Not here: what it does to the stored state
//! afterwards (`effects`).

#![expect(clippy::wildcard_enum_match_arm, reason = "each step has its few faults of many")]

use crate::fault::Fault;
use crate::faulty::{Answer, FOR_EVER, Faulty};
use duroxide_core::{ArrivalBody, ArrivalId, CompatFlags, End, EventId, KvChange, StatusChange};
use duroxide_model::{Instance, State};
use duroxide_provider::*;
use std::collections::BTreeSet;

/// Every activity that checks run, for everybody.
fn any_activity() -> ActivityFilter {
    let names = ["Greet", "Work", "Unknown"].map(ToOwned::to_owned).into();
    let sessions = SessionLimits { max: 100, idle: FOR_EVER };
    ActivityFilter { names, tags: TagFilter::Any, sessions }
}

impl Faulty {
    pub(crate) async fn commit(&self, mut request: CommitTurn) -> Answer<CommitOutcome> {
        request.incarnation = self.meant(request.incarnation);
        for (activity, _) in &mut request.completed {
            *activity = self.meant_activity(*activity);
        }
        let again = self.memory().applied.contains(&request.commit_id);
        let before = self.inner.state();
        let row = before.instances.get(&request.incarnation);
        if let Some(why) = self.refuses_first(&request, &before, again) {
            return Ok(CommitOutcome::Refused(why));
        }
        let request = self.twist_commit(request, row, again);
        if self.has(Fault::DeadlocksOnCrossingCommits) {
            self.one_at_a_time().await;
        }
        if self.has(Fault::LooksThenCommits) {
            tokio::task::yield_now().await;
        }
        self.before_a_commit(&request);
        let mut outcome = self.inner.commit_turn(request.clone()).await?;
        outcome = self.try_once_more(&request, row, outcome).await?;
        let applied = matches!(outcome, CommitOutcome::Applied(_));
        if applied {
            let mut memory = self.memory();
            memory.applied.insert(request.commit_id);
            let next = request.turn.expect_event.0 + request.turn.events.len() as u64;
            let next = (Some(request.commit_id), EventId(next));
            memory.position.insert(request.incarnation, next);
        }
        self.after_a_commit(&request, row, applied && !again, again);
        self.memory().muted |= self.has(Fault::WakesNotForCommits);
        Ok(self.twist_outcome(&request, outcome, again))
    }

    /// Crossing commits wait for each other without end.
    async fn one_at_a_time(&self) {
        self.memory().under_way += 1;
        tokio::task::yield_now().await;
        if self.memory().under_way > 1 {
            std::future::pending::<()>().await;
        }
        self.memory().under_way -= 1;
    }

    /// A refusal that does not wait for its turn.
    fn refuses_first(
        &self,
        request: &CommitTurn,
        state: &State,
        again: bool,
    ) -> Option<CommitRefusal> {
        let row = state.instances.get(&request.incarnation);
        let lease = row.and_then(|row| row.lease.as_ref());
        let is_holder = lease.is_some_and(|lease| lease.id == request.lease);
        let expired = lease.is_some_and(|lease| lease.until <= self.now());
        let has = |event: &EventId| row.is_some_and(|row| row.activities.contains_key(event));
        match self.fault? {
            Fault::ForgetsCommitIds if again => Some(CommitRefusal::Conflict),
            Fault::LooksAtTheLeaseFirst if !is_holder => Some(CommitRefusal::LeaseLost),
            Fault::ExpiryLosesTheInstance if expired => Some(CommitRefusal::LeaseLost),
            Fault::LooksAtActivitiesFirst => request
                .completed
                .iter()
                .find(|(activity, lease)| {
                    let found = row.and_then(|row| row.activities.get(&activity.event));
                    let held = found.and_then(|activity| activity.lease.as_ref());
                    held.is_none_or(|held| held.id != *lease)
                })
                .map(|(activity, _)| CommitRefusal::ActivityLost { activity: *activity }),
            Fault::RefusesLateCancels => {
                let late = request.turn.cancelled_activities.iter().any(|event| !has(event));
                late.then_some(CommitRefusal::Conflict)
            }
            _ => None,
        }
    }

    /// The request as the fault passes it on.
    fn twist_commit(&self, request: CommitTurn, row: Option<&Instance>, again: bool) -> CommitTurn {
        let Some(fault) = self.fault else { return request };
        let mut request = self.twist_frame(fault, request, row);
        twist_records(fault, &mut request);
        twist_work(fault, &mut request, row);
        if let (Fault::PutsThePlainIntoSessions, Some((_, session))) =
            (fault, self.inner.state().sessions.into_keys().next())
        {
            let plain = request.turn.activities.iter_mut().filter(|one| one.session.is_none());
            plain.for_each(|one| one.session = Some(session.clone()));
        }
        twist_family(fault, &mut request);
        if let Some(row) = row {
            twist_inbox(fault, &mut request, row);
        }
        if fault == Fault::AppliesARepeatedCommitAgain && again {
            self.as_new(&mut request);
        }
        request
    }

    /// Under which lease, on what, for how long; what is claimed.
    fn twist_frame(
        &self,
        fault: Fault,
        mut request: CommitTurn,
        row: Option<&Instance>,
    ) -> CommitTurn {
        let work_waits = || {
            let state = self.inner.state();
            state.instances.values().any(|row| !row.activities.is_empty())
        };
        let any = Claim { max: 100, filter: any_activity(), duration: FOR_EVER };
        match (fault, &mut request.claim) {
            (Fault::IgnoresTheFence, _) => {
                if let Some(lease) = row.and_then(|row| row.lease.as_ref()) {
                    request.lease = lease.id;
                }
            }
            (Fault::ReleasesWithEveryCommit, _) => request.keep = None,
            (Fault::LeaksTheLease, _) => request.keep = request.keep.or(Some(FOR_EVER)),
            (Fault::NeverExpires, _) if request.keep.is_some() => request.keep = Some(FOR_EVER),
            (Fault::IgnoresFlags, _) => request.flags = CompatFlags::NONE,
            (Fault::KeepsTheFirstFlags, _) => {
                let first = row.filter(|row| row.last_commit.is_some());
                request.flags = first.map_or(request.flags, |row| row.flags);
            }
            (Fault::ForgetsTheVersionItRuns, _) => request.version = None,
            (Fault::ClaimsNothing, claim) => *claim = None,
            (Fault::ClaimsUnasked, claim) => *claim = claim.take().or(Some(any)),
            (Fault::ClaimsBeyondPermits, Some(claim)) => claim.max = 1_000,
            (Fault::ClaimsAnyName, Some(claim)) => claim.filter.names = any.filter.names,
            (Fault::ClaimsAnyTag, Some(claim)) => claim.filter.tags = TagFilter::Any,
            (Fault::ClaimsForEver, Some(claim)) => claim.duration = FOR_EVER,
            (Fault::AnyWorkHindersAClaim, claim) if work_waits() => *claim = None,
            _ => {}
        }
        request
    }

    /// The same turn once more, behind what it had appended.
    fn as_new(&self, request: &mut CommitTurn) {
        let Some((base, next)) = self.memory().position.get(&request.incarnation).copied() else {
            return;
        };
        let behind = next.0 - request.turn.expect_event.0;
        request.base = base;
        request.commit_id.0 ^= u128::from(self.draw()) << 64;
        let turn = &mut request.turn;
        turn.expect_event = next;
        turn.events.iter_mut().for_each(|event| event.id.0 += behind);
        turn.activities.iter_mut().for_each(|activity| activity.event.0 += behind);
        turn.timers.iter_mut().for_each(|timer| timer.event.0 += behind);
        turn.starts.iter_mut().for_each(|start| start.event.0 += behind);
    }

    /// What a store with a fault does where a right one refuses.
    async fn try_once_more(
        &self,
        request: &CommitTurn,
        row: Option<&Instance>,
        outcome: CommitOutcome,
    ) -> Answer<CommitOutcome> {
        let CommitOutcome::Refused(why) = &outcome else { return Ok(outcome) };
        let position = self.memory().position.get(&request.incarnation).copied();
        let deleted = self.memory().deleted.get(&request.incarnation).cloned();
        let stood = row.is_some_and(|row| {
            row.last_commit == request.base && row.next_event == request.turn.expect_event
        });
        let mut forced = request.clone();
        match (self.fault, why) {
            (Some(Fault::AppliesWhatItCanOfACommit), CommitRefusal::ActivityLost { .. }) => {
                forced.completed.clear();
                forced.turn.fused.clear();
            }
            (Some(Fault::AppliesConflictingCommits), CommitRefusal::Conflict) => {
                (forced.base, forced.turn.expect_event) =
                    position.unwrap_or((forced.base, forced.turn.expect_event));
            }
            (Some(Fault::LooksThenCommits), CommitRefusal::Conflict) if stood => {
                (forced.base, forced.turn.expect_event) =
                    position.unwrap_or((forced.base, forced.turn.expect_event));
            }
            (Some(Fault::BringsTheDeletedBack), CommitRefusal::Gone) => {
                let Some(row) = deleted else { return Ok(outcome) };
                self.edit(|state| {
                    state.instances.insert(request.incarnation, row);
                });
            }
            _ => return Ok(outcome),
        }
        self.inner.commit_turn(forced).await
    }

    /// The answer as the fault gives it.
    fn twist_outcome(
        &self,
        request: &CommitTurn,
        outcome: CommitOutcome,
        again: bool,
    ) -> CommitOutcome {
        let (Some(fault), CommitOutcome::Applied(mut applied)) = (self.fault, outcome.clone())
        else {
            return match (self.fault, outcome) {
                (Some(Fault::SaysConflictForEverything), CommitOutcome::Refused(_)) => {
                    CommitOutcome::Refused(CommitRefusal::Conflict)
                }
                (_, outcome) => outcome,
            };
        };
        match fault {
            Fault::StampsTimersAnew => {
                applied.timers.iter_mut().for_each(|(_, due)| *due = due.plus(1));
            }
            Fault::ReordersArrivals => applied.arrivals.reverse(),
            Fault::GivesMailBeforeTimers => {
                let is_timer = |body: &ArrivalBody| matches!(body, ArrivalBody::TimerDue { .. });
                applied.arrivals.sort_by_key(|arrival| is_timer(&arrival.body));
            }
            Fault::ForgetsTheParentOnContinue => {
                for arrival in &mut applied.arrivals {
                    if let ArrivalBody::Start { parent, .. } = &mut arrival.body {
                        *parent = None;
                    }
                }
            }
            Fault::RefusesChildrenQuietly if !request.turn.starts.is_empty() => {
                applied.arrivals.retain(|arrival| {
                    !matches!(arrival.body, ArrivalBody::ChildDone { outcome: Err(_), .. })
                });
            }
            Fault::HoldsTheEnded => applied.held |= request.keep.is_some(),
            Fault::ForgetsClaimsOfARepeatedCommit if again => applied.claimed.clear(),
            Fault::ForgetsArrivalsOfARepeatedCommit if again => applied.arrivals.clear(),
            Fault::TellsByARepeatedCommit if again => self.inner.edit(|state| {
                let row = state.instances.get_mut(&request.incarnation);
                for message in row.into_iter().flat_map(|row| row.inbox.values_mut()) {
                    message.told = true;
                }
            }),
            Fault::SaysHeldToARepeatedCommit if again => applied.held = true,
            _ => {}
        }
        applied.store_now = self.told(applied.store_now);
        CommitOutcome::Applied(applied)
    }
}

/// Status, keys, phrases, the end.
fn twist_records(fault: Fault, request: &mut CommitTurn) {
    let turn = &mut request.turn;
    match (fault, &mut turn.end) {
        (Fault::IgnoresStatusResets, _) => {
            turn.status = turn.status.take().filter(|change| change.status.is_some());
        }
        (Fault::ClearsTheStatusEachTurn, _) => {
            turn.status.get_or_insert(StatusChange { status: None });
        }
        (Fault::KeepsClearedKeys, _) => {
            turn.kv.retain(|change| matches!(change, KvChange::Set { .. }));
        }
        (Fault::ClearsBeforeItSets, _) => {
            turn.kv.sort_by_key(|change| matches!(change, KvChange::Set { .. }));
        }
        (Fault::CutsValuesAtAZeroByte, _) => {
            for change in &mut turn.kv {
                if let KvChange::Set { value, .. } = change
                    && let Some(end) = value.find('\0')
                {
                    value.truncate(end);
                }
            }
        }
        (Fault::ClearsKeysOnContinue, Some(End::ContinuedAsNew { .. })) => {
            turn.kv.push(KvChange::ClearAll);
        }
        (Fault::KeepsTheVersionOnContinue, Some(End::ContinuedAsNew { version, .. })) => {
            version.get_or_insert_with(|| "1.0.0".to_owned());
        }
        (Fault::DropsHeaders, Some(End::ContinuedAsNew { headers, .. })) => headers.clear(),
        (Fault::KeepsNoPhrases, _) => turn.waiting = None,
        _ => {}
    }
}

/// Activities and timers.
fn twist_work(fault: Fault, request: &mut CommitTurn, row: Option<&Instance>) {
    let turn = &mut request.turn;
    match fault {
        Fault::FiresTimersEarly => turn.timers.iter_mut().for_each(|timer| timer.delay_ms = 0),
        Fault::CutsFarTimers => {
            for timer in turn.timers.iter_mut().filter(|t| t.delay_ms > u64::from(u32::MAX)) {
                timer.delay_ms = 0;
            }
        }
        Fault::LosesTimers => turn.timers.clear(),
        Fault::KeepsCancelledTimers => turn.cancelled_timers.clear(),
        Fault::CancelsAllTimers if !turn.cancelled_timers.is_empty() => {
            let inbox = row.iter().flat_map(|row| row.inbox.values());
            turn.cancelled_timers.extend(inbox.filter_map(|message| match message.body {
                ArrivalBody::TimerDue { source } => Some(source),
                _ => None,
            }));
        }
        Fault::KeepsCancelledActivities => turn.cancelled_activities.clear(),
        Fault::CancelsAllActivities if !turn.cancelled_activities.is_empty() => {
            let all = row.iter().flat_map(|row| row.activities.keys().copied());
            turn.cancelled_activities.extend(all);
        }
        Fault::IgnoresSessions => turn.activities.iter_mut().for_each(|one| one.session = None),
        Fault::KeepsSessionsPerInstance => {
            for session in turn.activities.iter_mut().filter_map(|one| one.session.as_mut()) {
                *session = format!("{}-{session}", request.incarnation.0);
            }
        }
        Fault::ForgetsSplits => turn.split = false,
        _ => {}
    }
}

/// Children, detached starts, messages to them.
fn twist_family(fault: Fault, request: &mut CommitTurn) {
    let turn = &mut request.turn;
    match (fault, &turn.end) {
        (Fault::ForgetsTheParent, _) => turn.starts.iter_mut().for_each(|s| s.detached = true),
        (Fault::TakesTheDetachedForChildren, _) => {
            turn.starts.iter_mut().for_each(|start| start.detached = false);
        }
        (Fault::StartsChildrenAtLatest, _) => {
            turn.starts.iter_mut().for_each(|start| start.version = None);
        }
        (Fault::DropsHeaders, _) => turn.starts.iter_mut().for_each(|s| s.headers.clear()),
        (Fault::DropsStartsOfAFinalCommit, Some(_)) => turn.starts.clear(),
        (Fault::ForgetsToTellChildren, _) => turn.sends.clear(),
        (Fault::TellsOneChildPerEvent, _) => {
            let mut told = BTreeSet::new();
            turn.sends.retain(|send| told.insert(send.event));
        }
        _ => {}
    }
}

/// What is consumed and seen.
fn twist_inbox(fault: Fault, request: &mut CommitTurn, row: &Instance) {
    let turn = &mut request.turn;
    let is = |id: &ArrivalId, of: fn(&ArrivalBody) -> bool| {
        row.inbox.get(id).is_some_and(|message| of(&message.body))
    };
    let all = || row.inbox.keys().copied();
    match fault {
        Fault::TakesSeenMail => turn.consumed.append(&mut turn.seen),
        Fault::SeenMailStaysReady => turn.seen.clear(),
        Fault::SeesUpToTheNewest => {
            let newest = turn.seen.iter().max().copied();
            turn.seen.extend(all().filter(|id| Some(*id) < newest));
        }
        Fault::ConsumesWhateverIsThere if !turn.consumed.is_empty() => {
            turn.consumed.extend(all());
        }
        Fault::GivesConsumedMailAgain => {
            let (mail, rest): (Vec<_>, Vec<_>) = turn
                .consumed
                .drain(..)
                .partition(|id| is(id, |body| matches!(body, ArrivalBody::Mail { .. })));
            turn.consumed = rest;
            turn.seen.extend(mail);
        }
        Fault::FiresTimersAgain => {
            turn.consumed.retain(|id| !is(id, |body| matches!(body, ArrivalBody::TimerDue { .. })));
        }
        Fault::DropsUnseenMailOnContinue
            if matches!(turn.end, Some(End::ContinuedAsNew { .. })) =>
        {
            turn.consumed.extend(all());
        }
        _ => {}
    }
}
