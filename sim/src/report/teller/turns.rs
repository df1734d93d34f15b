//! What is told of turns: what was committed, by whom, and what was not.

use super::super::bars::Target;
use super::super::phrases;
use super::super::story::{Execution, Fate, LineKind, Recorded, Turn};
use super::{Done, Teller, bar};
use duroxide_core::EventId;
use duroxide_provider::{ActivityKey, Applied, CommitOutcome, CommitTurn, InstanceKey};
use std::fmt::Write as _;

impl Teller<'_> {
    pub(super) fn committed(&mut self, done: &Done<'_>) -> Option<()> {
        let request: CommitTurn = self.calls.request(done.call)?;
        let instance = *self.incarnations.get(&request.incarnation)?;
        let number = request.turn.turn.0;
        let (fate, kind, text) = match done.answer::<CommitOutcome>()? {
            Ok(CommitOutcome::Applied(applied)) => {
                if self.applied.insert(request.commit_id) {
                    self.apply(&request, &applied, instance, done);
                    (Fate::Applied, LineKind::Turn, String::new())
                } else {
                    (Fate::Again, LineKind::Turn, " comes again: applied already".to_owned())
                }
            }
            Ok(CommitOutcome::Refused(why)) => {
                (Fate::Refused, LineKind::Refused, format!(" is refused: {why}"))
            }
            Err(error) => (Fate::Failed, LineKind::Refused, format!(" fails: {error}")),
        };
        let (host, at) = (done.caller, done.at);
        let (execution, events) = (request.turn.execution.0, request.turn.events.len());
        self.turns.push(Turn { at, host, instance, execution, number, events, fate });
        if fate != Fate::Applied {
            let text = format!("its commit of turn {number}{text}");
            self.say(instance, at, host, kind, text);
        }
        Some(())
    }

    /// A turn has become part of the history.
    fn apply(&mut self, request: &CommitTurn, applied: &Applied, instance: usize, done: &Done<'_>) {
        let (at, host, turn) = (done.at, done.caller, &request.turn);
        let key = |event: EventId| ActivityKey {
            incarnation: request.incarnation,
            execution: turn.execution,
            event,
        };
        for activity in &turn.activities {
            self.activities.insert(key(activity.event), activity.name.clone());
        }
        for (activity, lease) in &request.completed {
            self.bars.ends(Target::Activity(*activity), Some(*lease), at, "done, with the turn");
        }
        for event in &turn.cancelled_activities {
            self.bars.ends(Target::Activity(key(*event)), None, at, "cancelled");
        }
        let mut text = format!("turn {}: {}", turn.turn.0, phrases::events(&turn.events));
        for claimed in &applied.claimed {
            let activity = key(claimed.event);
            let bar = bar(host, at, instance, Some(self.name_of(&activity)));
            self.bars.granted(Target::Activity(activity), request.commit_id.claim_lease(), bar);
            // Writing to a String cannot fail.
            let _ = write!(text, "; claims {}", claimed.event);
        }
        self.say(instance, at, host, LineKind::Turn, text);
        self.record(request, instance, done);
        for child in &turn.starts {
            let it = self.instance(&InstanceKey::new(child.instance.clone()));
            child.name.clone_into(&mut self.instances[it].orchestration);
            let text = format!("is started by `{}`", self.instances[instance].id);
            self.say(it, at, host, LineKind::Mail, text);
        }
        if !applied.held {
            let target = Target::Instance(request.incarnation);
            self.bars.ends(target, Some(request.lease), at, "given back with a turn");
        }
        if let Some((word, more)) = turn.end.as_ref().and_then(phrases::end) {
            self.bars.end_of(request.incarnation, at);
            self.instances[instance].end = Some(word.to_owned());
            self.say(instance, at, host, LineKind::End, format!("{word}: {more}"));
        }
    }

    fn record(&mut self, request: &CommitTurn, instance: usize, done: &Done<'_>) {
        let (number, incarnation) = (request.turn.execution.0, request.incarnation.0);
        let executions = &mut self.instances[instance].executions;
        let same = |it: &Execution| it.number == number && it.incarnation == incarnation;
        let place = executions.iter().position(same).unwrap_or_else(|| {
            executions.push(Execution { number, incarnation, events: Vec::new() });
            executions.len() - 1
        });
        let (at, host) = (done.at, done.caller);
        let recorded = request.turn.events.iter().map(phrases::event);
        executions[place].events.extend(recorded.map(|text| Recorded { at, host, text }));
    }

    /// Turns whose commits the store has not carried out.
    pub(super) fn never_arrived(&mut self) {
        for place in 0..self.calls.list.len() {
            let call = &self.calls.list[place];
            let (at, host) = (call.from, call.host);
            let lost = call.op == "CommitTurn" && call.done.is_empty();
            let Some(instance) = call.instance.filter(|_| lost) else { continue };
            let Some(request) = self.calls.request::<CommitTurn>(place) else { continue };
            let (number, execution) = (request.turn.turn.0, request.turn.execution.0);
            let (events, fate) = (request.turn.events.len(), Fate::Lost);
            self.turns.push(Turn { at, host, instance, execution, number, events, fate });
            let text = format!("its commit of turn {number} is never carried out");
            self.say(instance, at, host, LineKind::Refused, text);
        }
    }
}
