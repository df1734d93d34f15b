//! Oracle "order": what came first is taken first. Of a timer and a message that one turn
//! takes, and that were both waited for before it, the earlier is recorded first; so what was
//! in time wins over its timeout.

use super::fact::{Accepted, Fact, Handed, Oracle, Span, wrong};
use crate::wrong::Verdict;
use duroxide_core::{ArrivalBody, ArrivalId, EventKind, Origin};
use duroxide_provider::InstanceKey;
use std::collections::BTreeMap;

const NAME: &str = "order";

/// When each message came, by the store's clock.
#[derive(Default)]
pub(crate) struct Order(BTreeMap<InstanceKey, BTreeMap<ArrivalId, u64>>);

impl Oracle for Order {
    fn see(&mut self, fact: &Fact<'_>, _: Span) -> Verdict {
        if let Fact::Handed(handed) = fact {
            self.handed(handed);
        }
        if let Fact::Committed(accepted) = fact {
            self.committed(accepted)?;
        }
        Ok(())
    }
}

impl Order {
    fn handed(&mut self, handed: &Handed<'_>) {
        for arrival in handed.arrivals {
            if let (Origin::Inbox(id), ArrivalBody::Mail { .. }) = (arrival.origin, &arrival.body) {
                self.0.entry(handed.key.clone()).or_default().insert(id, arrival.at.0);
            }
        }
    }

    fn committed(&self, accepted: &Accepted<'_>) -> Verdict {
        let (Some(came), turn) = (self.0.get(accepted.key), &accepted.request.turn) else {
            return Ok(());
        };
        let mut fired = None;
        for event in &turn.events {
            if let EventKind::TimerFired { source, fire_at } = &event.kind
                && *source < turn.expect_event
            {
                fired = fired.max(Some((fire_at.0, event.id)));
            }
            if let EventKind::MailDelivered { source, mail, .. } = &event.kind
                && *source < turn.expect_event
                && let (Some((due, timer)), Some(at)) = (fired, came.get(mail))
                && *at < due
            {
                let problem = format!(
                    "the message of event {} came at {at}, and stands behind event {timer}, a \
                     timer that was due at {due}",
                    event.id
                );
                return wrong(NAME, accepted.key, problem);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::{Feed, arrived, delivered, fired, turn};
    use super::*;

    /// The message of the builders came at 1 000 000; a timer that is due then fires before it.
    fn takes(due: u64) -> Verdict {
        let mut feed = Feed::new(Order::default());
        feed.hand(&[arrived(10, "1")]).unwrap();
        let events = vec![fired(4, 2, due), delivered(5, 3, 10, "1")];
        feed.commit(&turn(Some(1), 2, events).at(4))
    }

    #[test]
    fn a_message_behind_a_timer_that_was_due_before_it_passes() {
        takes(1_000_000).unwrap();
    }

    #[test]
    fn a_message_in_time_behind_its_timeout_is_found() {
        let found = takes(1_000_001).unwrap_err();
        assert_eq!(found.oracle, NAME);
        assert!(found.sentence.contains("came at 1000000"), "{found}");
    }

    #[test]
    fn a_message_that_was_not_waited_for_before_the_turn_may_stand_behind() {
        let mut feed = Feed::new(Order::default());
        feed.hand(&[arrived(10, "1")]).unwrap();
        let events = vec![fired(4, 2, 1_000_001), delivered(6, 5, 10, "1")];
        feed.commit(&turn(Some(1), 2, events).at(4)).unwrap();
    }
}
