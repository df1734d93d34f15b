//! Oracle "resident": after a turn the copy that a node keeps is in the state to which a cold
//! replay of what is stored leads. And in the end the whole history of an execution, replayed
//! with fresh code, asks for nothing new and has ended.
//!
//! Not fed with facts: it compares what nodes tell and what is read and replayed for it. Not
//! here: when that is done (`ledger`).

use super::cold::{Cold, Replay};
use super::fact::{Instance, wrong};
use crate::wrong::Verdict;
use duroxide_core::{ExecutionId, Fingerprint};
use duroxide_provider::{CommitId, CommitTurn, InstanceKey};
use std::collections::{BTreeMap, BTreeSet};

const NAME: &str = "resident";
/// So much unread mail of a mailbox is read at least, if there is so much.
const WINDOW: usize = 64;

/// The state after commits, as nodes had it and as cold replays give it.
#[derive(Default)]
pub(super) struct Resident {
    /// What each execution began with.
    bases: BTreeMap<(InstanceKey, ExecutionId), Replay>,
    /// The last turn of each execution.
    last: BTreeMap<(InstanceKey, ExecutionId), CommitId>,
    /// Turns that go on by themselves.
    go_on: BTreeSet<CommitId>,
    kept: BTreeMap<CommitId, (InstanceKey, Fingerprint)>,
    replayed: BTreeMap<CommitId, Fingerprint>,
    compared: u64,
}

impl Resident {
    /// A turn was accepted.
    pub(super) fn committed(&mut self, key: &InstanceKey, request: &CommitTurn) {
        let (turn, at) = (&request.turn, request.commit_id);
        self.last.insert((key.clone(), turn.execution), at);
        if turn.split {
            self.go_on.insert(at);
        }
    }

    /// Whether the turn goes on by itself: mail that is there already goes to a wait.
    pub(super) fn goes_on(&self, at: CommitId) -> bool {
        self.go_on.contains(&at)
    }

    /// An execution was read: what it began with.
    pub(super) fn began(&mut self, key: &InstanceKey, execution: ExecutionId, read: &Replay) {
        let base = || read.without_events();
        self.bases.entry((key.clone(), execution)).or_insert_with(base);
    }

    /// Whether a commit was replayed already.
    pub(super) fn knows(&self, commit: CommitId) -> bool {
        self.replayed.contains_key(&commit)
    }

    /// A node tells in which state a commit left its copy.
    pub(super) fn resident(&mut self, key: InstanceKey, at: CommitId, is: Fingerprint) -> Verdict {
        self.kept.insert(at, (key, is));
        self.compare(at)
    }

    /// A cold replay came to this.
    pub(super) fn replayed(&mut self, at: CommitId, is: Fingerprint) -> Verdict {
        self.replayed.insert(at, is);
        self.compare(at)
    }

    /// How many states were compared.
    pub(super) fn compared(&self) -> u64 {
        self.compared
    }

    fn compare(&mut self, commit: CommitId) -> Verdict {
        let (Some((key, resident)), Some(cold)) =
            (self.kept.get(&commit), self.replayed.get(&commit))
        else {
            return Ok(());
        };
        // Read of the execution that follows the one that ended there.
        if resident.ended {
            return Ok(());
        }
        self.compared += 1;
        let resident = if self.goes_on(commit) {
            Fingerprint { unread: Vec::new(), ..resident.clone() }
        } else {
            within_window(resident, cold)
        };
        if resident == *cold {
            return Ok(());
        }
        let problem = format!(
            "after commit {commit} the resident copy and a cold replay differ:\n  \
             resident {resident:?}\n  cold     {cold:?}"
        );
        wrong(NAME, key, problem)
    }

    /// Whether each history replays to what it came from.
    pub(super) fn end(&self, cold: &Cold, stored: &[Instance]) -> Verdict {
        for instance in stored {
            for (execution, events) in &instance.executions {
                let place = (instance.key.clone(), *execution);
                if let Some(base) = self.bases.get(&place) {
                    let whole = base.clone().with(events.clone());
                    let replayed = cold.replay(place.0.id.clone(), *execution, whole)?;
                    self.ended(&place, &replayed)?;
                }
            }
        }
        Ok(())
    }

    fn ended(&self, place: &(InstanceKey, ExecutionId), cold: &Fingerprint) -> Verdict {
        let (key, execution) = place;
        if !cold.ended {
            let problem = format!("a cold replay of execution {execution} has not ended");
            return wrong(NAME, key, problem);
        }
        let last = self.last.get(place).and_then(|commit| self.kept.get(commit));
        let Some((_, mut resident)) = last.cloned() else { return Ok(()) };
        // Mail that nobody will take any more is not part of what a history says.
        resident.unread.clear();
        if resident.next_event == cold.next_event && resident != *cold {
            let problem = format!(
                "the resident copy of execution {execution} and a cold replay of its whole \
                 history differ:\n  resident {resident:?}\n  cold     {cold:?}"
            );
            return wrong(NAME, key, problem);
        }
        Ok(())
    }
}

/// Of unread mail a cold replay has only the first of each mailbox; a copy that saw it come
/// may have more.
fn within_window(resident: &Fingerprint, cold: &Fingerprint) -> Fingerprint {
    let mut first = resident.clone();
    for (mailbox, unread) in &mut first.unread {
        let read = cold.unread.iter().find(|(of, _)| of == mailbox);
        if let Some((_, read)) = read.filter(|(_, read)| read.len() >= WINDOW) {
            unread.truncate(read.len());
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::super::build::{activity, ended, key, started, stored, turn};
    use super::*;
    use crate::workload::{Orders, Workload as _};
    use duroxide_core::{
        ArrivalId, Channel, Event, EventId, EventKind, Limits, MailName, Payload, TimeMs,
    };

    fn state(next: u64) -> Fingerprint {
        Fingerprint {
            next_event: EventId(next),
            now: TimeMs(1_000),
            open: Vec::new(),
            status: None,
            kv: Vec::new(),
            cancel: None,
            guids: 0,
            activations: 1,
            unread: Vec::new(),
            ended: false,
        }
    }

    fn cold() -> Cold {
        Cold::new(Orders.registry(0).unwrap(), Limits::default())
    }

    /// An order's first turn, as its code asks for it, or something else.
    fn history(first: &str) -> Vec<Event> {
        let mut events = vec![started(), activity(2)];
        if let EventKind::OrchestrationStarted { name, input, .. } = &mut events[0].kind {
            *name = "order".to_owned();
            *input = Payload::json("\"o\"");
        }
        if let EventKind::ActivityScheduled { name, input, .. } = &mut events[1].kind {
            *name = first.to_owned();
            *input = Payload::json("\"o/reserve\"");
        }
        events
    }

    #[test]
    fn equal_states_pass_and_are_counted() {
        let mut oracle = Resident::default();
        oracle.resident(key(), CommitId(1), state(3)).unwrap();
        oracle.replayed(CommitId(1), state(3)).unwrap();
        assert_eq!(oracle.compared(), 1);
    }

    #[test]
    fn a_copy_that_is_in_another_state_is_found() {
        let mut oracle = Resident::default();
        oracle.replayed(CommitId(1), state(3)).unwrap();
        let wrong = oracle.resident(key(), CommitId(1), state(4)).unwrap_err();
        assert_eq!(wrong.oracle, NAME);
        assert!(wrong.sentence.contains("differ"), "{wrong}");
    }

    #[test]
    fn of_a_turn_that_goes_on_with_mail_all_but_the_mail_is_compared() {
        let mut oracle = Resident::default();
        let mut request = (*turn(None, 1, vec![started()])).clone();
        request.turn.split = true;
        oracle.committed(&key(), &request);
        assert!(oracle.goes_on(CommitId(1)) && !oracle.goes_on(CommitId(2)));
        let mailbox = MailName { channel: Channel::Event, name: "go".to_owned() };
        let resident = Fingerprint { unread: vec![(mailbox, vec![ArrivalId(10)])], ..state(3) };
        oracle.resident(key(), CommitId(1), resident.clone()).unwrap();
        oracle.replayed(CommitId(1), state(3)).unwrap();
        oracle.replayed(CommitId(1), state(4)).unwrap_err();
        // Of another turn the mail is compared too.
        oracle.resident(key(), CommitId(2), resident).unwrap();
        oracle.replayed(CommitId(2), state(3)).unwrap_err();
    }

    #[test]
    fn a_history_that_does_not_replay_or_does_not_end_is_found() {
        let mut oracle = Resident::default();
        oracle.began(&key(), ExecutionId::FIRST, &Replay::default());
        let wrong = oracle.end(&cold(), &[stored(history("ship"))]).unwrap_err();
        assert!(wrong.sentence.contains("asks for what is not in it"), "{wrong}");
        let wrong = oracle.end(&cold(), &[stored(history("reserve"))]).unwrap_err();
        assert!(wrong.sentence.contains("has not ended"), "{wrong}");
        assert!(ended(3).is_command());
    }
}
