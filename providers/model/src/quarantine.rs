//! Quarantine: an instance with stored data that cannot be decoded is set aside, so that it
//! blocks nobody. It is not ended; only terminating it works, and that is done here,
//! without its code.

use crate::ends;
use crate::fault::Fault;
use crate::state::State;
use duroxide_core::{ArrivalBody, End, Event, EventKind, TurnNo};
use duroxide_provider::Incarnation;

impl State {
    /// Set a running instance aside. Whoever holds it holds it no longer.
    pub(crate) fn quarantine(&mut self, incarnation: Incarnation, fault: &Fault) {
        let (Fault::Corrupt { message: why, .. } | Fault::Invalid(why) | Fault::NotFound(why)) =
            fault;
        let Some(row) = self.instances.get_mut(&incarnation) else { return };
        if !row.is_running() || row.quarantine.is_some() {
            return;
        }
        row.quarantine = Some(why.clone());
        row.lease = None;
        row.offer = None;
        row.revision += 1;
        row.updated_at = self.now;
        // A termination that was asked for before and can still be read.
        let stop = row.inbox.values().find_map(|message| {
            let reason = stop_reason(&message.body)?;
            (!message.damaged && !message.seen).then(|| reason.to_owned())
        });
        if let Some(reason) = stop {
            self.terminate(incarnation, reason);
        }
    }

    /// A request to an instance that runs: into its inbox, or, if it is to terminate and
    /// cannot do it itself, done at once.
    pub(crate) fn ask(&mut self, incarnation: Incarnation, body: ArrivalBody) {
        let aside = self.instances.get(&incarnation).is_some_and(|row| row.quarantine.is_some());
        match stop_reason(&body).filter(|_| aside) {
            Some(reason) => self.terminate(incarnation, reason.to_owned()),
            None => self.put(incarnation, body),
        }
    }

    fn terminate(&mut self, incarnation: Incarnation, reason: String) {
        let at = self.now;
        let Some(row) = self.instances.get_mut(&incarnation) else { return };
        row.turn = TurnNo(row.turn.0 + 1);
        let kind = EventKind::OrchestrationTerminated { reason: reason.clone() };
        let event = Event { id: row.next_event, turn: row.turn, at, split: false, kind };
        row.next_event = row.next_event.next();
        row.revision += 1;
        row.updated_at = at;
        row.waiting = None;
        if let Some(execution) = row.executions.get_mut(&row.execution) {
            execution.events.push(event);
        }
        ends::close(self, incarnation, &End::Terminated { reason }, &[]);
    }
}

fn stop_reason(body: &ArrivalBody) -> Option<&str> {
    if let ArrivalBody::Terminate { reason } = body { Some(reason) } else { None }
}
