//! Oracle "after the end": nothing happens to an instance that has ended, nor to what an
//! execution or a cancel has closed. No work of it is handed out, no mail for it accepted.

use super::fact::{Fact, Oracle, Span, Stored, wrong};
use crate::wrong::Verdict;
use duroxide_core::{End, EventId, ExecutionId, Role};
use duroxide_provider::{
    ActivityFate, ActivityKey, Incarnation, InstanceKey, RequestId, Submission, Submitted,
};
use std::collections::BTreeMap;

const NAME: &str = "after the end";

/// What is over, and since when that is certain.
#[derive(Default)]
pub(crate) struct Ends {
    instances: BTreeMap<InstanceKey, u64>,
    executions: BTreeMap<(Incarnation, ExecutionId), u64>,
    activities: BTreeMap<ActivityKey, u64>,
    /// When each request of a client first came.
    requests: BTreeMap<RequestId, u64>,
}

impl Oracle for Ends {
    fn see(&mut self, fact: &Fact<'_>, span: Span) -> Verdict {
        if let Fact::Committed(accepted) = fact {
            let (turn, incarnation) = (&accepted.request.turn, accepted.request.incarnation);
            for event in &turn.cancelled_activities {
                let (execution, event) = (turn.execution, *event);
                let activity = ActivityKey { incarnation, execution, event };
                self.activities.entry(activity).or_insert(span.ended);
            }
            if let Some(end) = &turn.end {
                self.executions.insert((incarnation, turn.execution), span.ended);
                if !matches!(end, End::ContinuedAsNew { .. }) {
                    self.instances.insert(accepted.key.clone(), span.ended);
                }
            }
        }
        if let Fact::ActivitiesLeased(_, leased) = fact {
            for one in &leased.activities {
                if self.is_over(&one.activity, span.began) {
                    return work(&one.key, one.activity.event, "handed out");
                }
            }
        }
        if let Fact::Completed(key, request, ActivityFate::Applied) = fact
            && self.is_over(&request.activity, span.began)
        {
            return work(key, request.activity.event, "accepted");
        }
        if let Fact::Submitting(request) = fact {
            self.requests.entry(request.request).or_insert(span.began);
        }
        if let Fact::Submitted(request, Submitted::Accepted) = fact {
            // Sent again it has the answer that it had.
            let first = self.requests.get(&request.request).copied().unwrap_or(span.began);
            let ended = self.instances.get(&request.key);
            if ended.is_some_and(|ended| *ended < first) {
                return wrong(NAME, &request.key, format!("it took {}", what(&request.what)));
            }
        }
        Ok(())
    }

    fn end(&mut self, stored: &Stored<'_>) -> Verdict {
        for instance in stored.iter() {
            for (execution, events) in &instance.executions {
                let end = events.iter().position(|event| event.kind.role() == Role::End);
                if end.is_some_and(|end| end + 1 < events.len()) {
                    let problem = format!("execution {execution} has events after its end");
                    return wrong(NAME, &instance.key, problem);
                }
            }
        }
        Ok(())
    }
}

impl Ends {
    fn is_over(&self, activity: &ActivityKey, moment: u64) -> bool {
        let execution = self.executions.get(&(activity.incarnation, activity.execution));
        let own = self.activities.get(activity);
        own.into_iter().chain(execution).any(|since| *since < moment)
    }
}

fn work(key: &InstanceKey, event: EventId, what: &str) -> Verdict {
    wrong(NAME, key, format!("activity {event} was {what}, and is cancelled or of an ended run"))
}

fn what(what: &Submission) -> &'static str {
    match what {
        Submission::Start { .. } => "a start",
        Submission::Mail { .. } => "mail",
        Submission::Cancel { .. } => "a cancel",
        Submission::Terminate { .. } => "a termination",
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::{Feed, completed, mail, started, turn};
    use super::*;

    #[test]
    fn work_and_mail_before_the_end_pass_and_so_does_what_overlaps_it() {
        let mut feed = Feed::new(Ends::default());
        feed.lease_activity(3, 11).unwrap();
        feed.submit(&mail(1, "x"), Submitted::Accepted).unwrap();
        feed.see(&Fact::Submitting(&mail(2, "y"))).unwrap();
        feed.commit(&turn(None, 1, vec![started()]).completed()).unwrap();
        feed.see(&Fact::Submitted(&mail(2, "y"), Submitted::Accepted)).unwrap();
        feed.submit(&mail(3, "z"), Submitted::Ended).unwrap();
    }

    #[test]
    fn work_and_mail_after_the_end_are_found() {
        let mut feed = Feed::new(Ends::default());
        feed.commit(&turn(None, 1, vec![started()]).completed()).unwrap();
        feed.wrong(|feed| feed.lease_activity(3, 11), NAME, "activity #3 was handed out");
        feed.wrong(|feed| feed.complete(&completed(3, 11)), NAME, "was accepted");
        let sent = |feed: &mut Feed<Ends>| feed.submit(&mail(1, "x"), Submitted::Accepted);
        feed.wrong(sent, NAME, "it took mail");
    }

    #[test]
    fn a_cancelled_activity_is_not_handed_out_again() {
        let mut feed = Feed::new(Ends::default());
        let mut cancels = turn(None, 1, vec![started()]);
        cancels.turn.cancelled_activities.push(EventId(3));
        feed.commit(&cancels).unwrap();
        feed.wrong(|feed| feed.lease_activity(3, 11), NAME, "is cancelled");
    }
}
