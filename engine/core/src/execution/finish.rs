//! The end of a turn: what its events make durable. All effects are derived from the
//! events, so that a turn that is computed again has the same ones.

use super::{Current, Execution, OpenLeaf, TurnOutcome};
use crate::event::ATTEMPT_HEADER;
use crate::{
    ChildRequest, Commit, End, Event, EventId, EventKind, Failure, FailureKind, KvChange,
    NewActivity, NewStart, NewTimer, Outgoing, Role, StatusChange, TurnNo,
};

impl Execution {
    /// What to commit, and what is left. The state goes on as if it were committed: when
    /// it is refused, drop the execution.
    pub fn finish_turn(&mut self) -> TurnOutcome {
        self.check_replayed();
        if let Some(divergence) = self.mismatch.take() {
            let failure = Failure::new(FailureKind::Nondeterminism, divergence.to_string());
            self.divergence = Some(divergence);
            for arrival in std::mem::take(&mut self.current.arrivals) {
                self.consume(arrival.origin);
            }
            self.write(EventKind::OrchestrationFailed { failure, by_engine: true });
        }
        let wants_mail = if self.ended { Vec::new() } else { self.mailbox.wants() };
        let current = std::mem::take(&mut self.current);
        let turn = TurnNo(self.turn.0 + 1);
        let (events, split) = self.cut(turn);
        let expect_event = events.first().map_or(self.next_event, |event| event.id);
        if !events.is_empty() {
            self.turn = turn;
        }
        let mut commit = Commit::empty(self.id, expect_event, turn);
        // Also ready without any arrival: mail in the window, or in the store, that a wait takes.
        commit.split = split || !self.ended && self.has_mail_to_deliver();
        commit.waiting = if commit.split { None } else { self.waiting() };
        commit.consumed = current.consumed;
        commit.fused = current.fused;
        commit.seen = current.seen.into_iter().collect();
        for event in &events {
            self.add_effect(&mut commit, event);
        }
        if commit.end.is_some() {
            self.close_children(&mut commit, events.last().map_or(expect_event, |event| event.id));
        }
        commit.events = events;
        let Current { arrivals, input_changes, dropped, .. } = current;
        TurnOutcome { commit, unadmitted: arrivals.into(), wants_mail, input_changes, dropped }
    }

    fn has_mail_to_deliver(&self) -> bool {
        self.mailbox.next_match().is_some() || !self.mailbox.wants().is_empty()
    }

    /// As many events as one turn may hold; the rest waits for the next turn. Only commands
    /// wait: an event that an arrival made goes with what it consumed.
    fn cut(&mut self, turn: TurnNo) -> (Vec<Event>, bool) {
        let mut bytes = 0;
        let fits = self.tail.iter().take(self.limits.turn_events.max(1)).take_while(|event| {
            let room = bytes < self.limits.turn_bytes.max(1);
            bytes += super::record::size(&event.kind);
            room
        });
        let whole = self.tail.iter().rposition(|event| !event.is_command()).map_or(0, |at| at + 1);
        let count = fits.count().max(whole);
        let rest = self.tail.split_off(count);
        let mut events = std::mem::replace(&mut self.tail, rest);
        let split = !self.tail.is_empty();
        self.current.bytes = self.tail.iter().map(|event| super::record::size(&event.kind)).sum();
        for event in &mut events {
            event.turn = turn;
        }
        if let Some(last) = events.last_mut() {
            last.split = split;
        }
        (events, split)
    }

    /// What an event does beyond being recorded. Arrivals do nothing more.
    fn add_effect(&self, commit: &mut Commit, event: &Event) {
        match event.kind.role() {
            Role::Arrival => {}
            Role::End => commit.end = self.end_of(&event.kind),
            Role::Command if event.kind.source().is_some() => cancel(commit, event),
            Role::Command => {
                self.schedule_work(commit, event);
                change_state(commit, event);
            }
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "other commands schedule nothing")]
    fn schedule_work(&self, commit: &mut Commit, event: &Event) {
        let headers = || self.start.headers.clone();
        match &event.kind {
            EventKind::ActivityScheduled { name, input, session, tag, attempt } => {
                let which =
                    (*attempt > 1).then(|| (ATTEMPT_HEADER.to_owned(), attempt.to_string()));
                commit.activities.push(NewActivity {
                    event: event.id,
                    name: name.clone(),
                    input: input.clone(),
                    session: session.clone(),
                    tag: tag.clone(),
                    headers: headers().into_iter().chain(which).collect(),
                });
            }
            EventKind::TimerCreated { delay_ms, .. } => {
                commit.timers.push(NewTimer { event: event.id, delay_ms: *delay_ms });
            }
            EventKind::SubOrchestrationScheduled { name, version, instance, input }
            | EventKind::OrchestrationChained { name, version, instance, input } => {
                commit.starts.push(NewStart {
                    event: event.id,
                    instance: instance.clone(),
                    name: name.clone(),
                    version: version.clone(),
                    input: input.clone(),
                    detached: matches!(event.kind, EventKind::OrchestrationChained { .. }),
                    headers: headers(),
                });
            }
            _ => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the event's role says that it is an end")]
    fn end_of(&self, kind: &EventKind) -> Option<End> {
        Some(match kind.clone() {
            EventKind::OrchestrationCompleted { output } => End::Completed { output },
            EventKind::OrchestrationFailed { failure, .. } => End::Failed { failure },
            EventKind::OrchestrationTerminated { reason } => End::Terminated { reason },
            EventKind::OrchestrationContinuedAsNew { input, version } => {
                End::ContinuedAsNew { input, version, headers: self.start.headers.clone() }
            }
            _ => return None,
        })
    }

    /// The execution ends: what it still has open ends with it. Activities and timers of
    /// earlier turns are removed by the store; children are told.
    fn close_children(&self, commit: &mut Commit, end: EventId) {
        commit.activities.clear();
        commit.timers.clear();
        let what = match commit.end {
            Some(End::Terminated { .. }) => ChildRequest::Terminate,
            Some(End::Completed { .. } | End::Failed { .. } | End::ContinuedAsNew { .. })
            | None => ChildRequest::Cancel,
        };
        if what == ChildRequest::Terminate {
            // Those too that were asked to stop before: they may be cleaning up, or never end.
            for (&child, to) in &self.cancelled_children {
                commit.sends.push(Outgoing { event: end, to: to.clone(), child, what });
            }
        }
        for (&child, leaf) in &self.open {
            if let OpenLeaf::Child { instance, .. } = leaf
                && !drop_new(&mut commit.starts, |new| new.event == child)
            {
                let to = instance.clone();
                commit.sends.push(Outgoing { event: end, to, child, what });
            }
        }
    }
}

/// What was scheduled and cancelled in one commit leaves no work row.
fn cancel(commit: &mut Commit, event: &Event) {
    if let EventKind::ActivityCancelRequested { source } = event.kind {
        let dropped = drop_new(&mut commit.activities, |new| new.event == source);
        commit.cancelled_activities.extend((!dropped).then_some(source));
    } else if let EventKind::TimerCancelled { source } = event.kind {
        let dropped = drop_new(&mut commit.timers, |new| new.event == source);
        commit.cancelled_timers.extend((!dropped).then_some(source));
    } else if let EventKind::SubOrchestrationCancelRequested { source, instance } = &event.kind {
        let (child, to, what) = (*source, instance.clone(), ChildRequest::Cancel);
        let dropped = drop_new(&mut commit.starts, |new| new.event == child);
        commit.sends.extend((!dropped).then_some(Outgoing { event: event.id, to, child, what }));
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "other commands change no state")]
fn change_state(commit: &mut Commit, event: &Event) {
    let clear = |key: &String| KvChange::Clear { key: key.clone() };
    match &event.kind {
        EventKind::CustomStatusUpdated { status } => {
            commit.status = Some(StatusChange { status: status.clone() });
        }
        EventKind::KeyValueSet { key, value } => {
            let (key, value) = (key.clone(), value.clone());
            commit.kv.push(KvChange::Set { key, value, at: event.at });
        }
        EventKind::KeyValueCleared { key } => {
            commit.kv.push(key.as_ref().map_or(KvChange::ClearAll, clear));
        }
        EventKind::KeyValuePruned { keys, .. } => commit.kv.extend(keys.iter().map(clear)),
        _ => {}
    }
}

/// Take back what this very turn scheduled. Whether there was such a thing.
fn drop_new<T>(new: &mut Vec<T>, is_it: impl Fn(&T) -> bool) -> bool {
    let before = new.len();
    new.retain(|item| !is_it(item));
    new.len() < before
}
