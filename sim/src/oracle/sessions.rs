//! Oracle "session": while a node holds activities of a session, no other node is given one.
//! A session moves when it idles, or when its owner dies: when it lets a lease run out. What
//! owners before it let run out moves nothing.
//!
//! Until the store dies: what it granted last may never have been seen. And not of the modelled
//! PostgreSQL, unless the plan is gentle: a server knows of deaths that are no facts here.

use super::fact::{Accepted, Fact, Oracle, Span, wrong};
use crate::plan::{Plan, StoreKind};
use crate::wrong::Verdict;
use duroxide_provider::{ActivityKey, CommitTurn, Held, InstanceKey, LeaseId, Namespace, Release};
use std::collections::BTreeMap;
use std::time::Duration;

const NAME: &str = "session";

/// A session, in its namespace.
type Session = (Namespace, String);

/// Who holds which activities of sessions.
pub(crate) struct Sessions {
    /// Whether anything is checked.
    is_on: bool,
    held: BTreeMap<Session, BTreeMap<ActivityKey, Holds>>,
    /// Until when what a call granted is held: one that comes again prolongs nothing.
    until: BTreeMap<LeaseId, u64>,
}

struct Holds {
    node: String,
    lease: LeaseId,
    /// At least until then, by the store's clock.
    until: u64,
    /// Someone has begun to give it back or to end it: it may be free.
    loose: bool,
}

impl Sessions {
    /// That of a plan.
    pub(crate) fn of(plan: &Plan) -> Self {
        let is_on = plan.is_gentle() || plan.store.kind == StoreKind::Sqlite;
        Self { is_on, held: BTreeMap::new(), until: BTreeMap::new() }
    }
}

impl Oracle for Sessions {
    fn see(&mut self, fact: &Fact<'_>, _: Span) -> Verdict {
        if !self.is_on {
            return Ok(());
        }
        match fact {
            Fact::ActivitiesLeased(request, leased) => {
                let until = ends(leased.store_now.0, request.duration);
                let until = *self.until.entry(request.lease).or_insert(until);
                for one in &leased.activities {
                    let Some(session) = &one.session else { continue };
                    let node = request.node.name.clone();
                    let holds = Holds { node, lease: request.lease, until, loose: false };
                    let given = (session.as_str(), one.activity, holds);
                    self.given(&one.key, given, leased.store_now.0)?;
                }
            }
            Fact::Committing(_, request) => {
                self.loosen(|key, _| is_over(key, request));
            }
            Fact::Completing(_, request) => {
                self.loosen(|key, _| *key == request.activity);
            }
            Fact::Completed(_, request, _) => self.free(|key, _| *key == request.activity),
            Fact::Releasing(request) => self.released(request),
            Fact::Committed(accepted) => {
                let request = accepted.request;
                self.free(|key, _| is_over(key, request));
                self.claimed(accepted)?;
            }
            Fact::StoreDied => self.is_on = false,
            Fact::Submitting(_)
            | Fact::Submitted(..)
            | Fact::Leasing(_)
            | Fact::Leased(..)
            | Fact::Handed(_)
            | Fact::Renewing(_)
            | Fact::Renewed(..)
            | Fact::Read(..)
            | Fact::MailRead(..)
            | Fact::Looked(..)
            | Fact::Shown(..)
            | Fact::Values(..)
            | Fact::Deleted(_)
            | Fact::Attempt(..)
            | Fact::NodeStops(_)
            | Fact::Pruning => {}
        }
        Ok(())
    }
}

impl Sessions {
    fn given(
        &mut self,
        key: &InstanceKey,
        (session, activity, holds): (&str, ActivityKey, Holds),
        now: u64,
    ) -> Verdict {
        let id = (key.namespace.clone(), session.to_owned());
        let held = self.held.entry(id).or_default();
        let mut others = held.values().filter(|other| other.node != holds.node);
        // Whoever let a lease run out is as good as dead.
        let live = others.clone().all(|other| other.until > now);
        if let Some(other) = others.find(|other| live && !other.loose) {
            let problem = format!(
                "{} was given event {} of session `{session}`, which {} was working in",
                holds.node, activity.event, other.node
            );
            return wrong(NAME, key, problem);
        }
        // Theirs was another ownership, and says nothing about this one.
        held.retain(|_, other| other.node == holds.node);
        held.insert(activity, holds);
        Ok(())
    }

    fn claimed(&mut self, accepted: &Accepted<'_>) -> Verdict {
        let (key, request) = (accepted.key, accepted.request);
        let (Some(applied), Some(claim)) = (accepted.applied, &request.claim) else {
            return Ok(());
        };
        let (now, lease) = (applied.store_now.0, request.commit_id.claim_lease());
        for claimed in &applied.claimed {
            let of_it = request.turn.activities.iter().find(|new| new.event == claimed.event);
            let Some(session) = of_it.and_then(|new| new.session.as_deref()) else { continue };
            let activity = ActivityKey {
                incarnation: request.incarnation,
                execution: request.turn.execution,
                event: claimed.event,
            };
            let (node, until) = (request.node.name.clone(), ends(now, claim.duration));
            self.given(key, (session, activity, Holds { node, lease, until, loose: false }), now)?;
        }
        Ok(())
    }

    fn released(&mut self, request: &Release) {
        for given_back in &request.held {
            if let Held::Activity { activity, .. } = given_back {
                self.loosen(|key, _| key == activity);
            }
        }
        if let Some((_, commit)) = request.commit {
            self.loosen(|_, holds| holds.lease == commit.claim_lease());
        }
    }

    fn loosen(&mut self, which: impl Fn(&ActivityKey, &Holds) -> bool) {
        for (key, holds) in self.held.values_mut().flatten() {
            holds.loose |= which(key, holds);
        }
    }

    fn free(&mut self, which: impl Fn(&ActivityKey, &Holds) -> bool) {
        for held in self.held.values_mut() {
            held.retain(|key, holds| !which(key, holds));
        }
        self.held.retain(|_, held| !held.is_empty());
    }
}

/// Whether an activity is over with this turn.
fn is_over(activity: &ActivityKey, request: &CommitTurn) -> bool {
    let turn = &request.turn;
    request.completed.iter().any(|(completed, _)| completed == activity)
        || activity.incarnation == request.incarnation
            && activity.execution == turn.execution
            && (turn.end.is_some() || turn.cancelled_activities.contains(&activity.event))
}

fn ends(now: u64, duration: Duration) -> u64 {
    now + duration.as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::super::build::{Feed, activity_lease, completed, key};
    use super::*;
    use duroxide_core::TimeMs;

    fn feed() -> Feed<Sessions> {
        Feed::new(Sessions { is_on: true, held: BTreeMap::new(), until: BTreeMap::new() })
    }

    /// At this time a node is given an activity of the session.
    fn give(feed: &mut Feed<Sessions>, now: u64, node: &str, event: u64) -> Verdict {
        let (mut request, mut leased) = activity_lease(event, u128::from(event));
        request.node.name = node.to_owned();
        request.duration = Duration::from_secs(30);
        leased.store_now = TimeMs(now);
        leased.activities[0].session = Some("seat".to_owned());
        feed.see(&Fact::ActivitiesLeased(&request, &leased))
    }

    #[test]
    fn a_second_node_in_a_session_is_found() {
        let mut feed = feed();
        give(&mut feed, 1_000, "node-1", 2).unwrap();
        give(&mut feed, 1_000, "node-1", 3).unwrap();
        feed.complete(&completed(3, 3)).unwrap();
        feed.wrong(|feed| give(feed, 30_999, "node-2", 4), NAME, "`seat`, which node-1");
    }

    #[test]
    fn a_session_whose_activities_have_ended_may_move() {
        let mut feed = feed();
        give(&mut feed, 1_000, "node-1", 2).unwrap();
        feed.complete(&completed(2, 2)).unwrap();
        give(&mut feed, 1_001, "node-2", 3).unwrap();
    }

    #[test]
    fn a_call_that_comes_again_prolongs_nothing() {
        let mut feed = feed();
        give(&mut feed, 1_000, "node-1", 2).unwrap();
        give(&mut feed, 6_000, "node-1", 2).unwrap();
        give(&mut feed, 31_000, "node-2", 3).unwrap();
    }

    #[test]
    fn what_may_have_been_given_back_and_runs_out_frees_the_session() {
        let mut feed = feed();
        give(&mut feed, 1_000, "node-1", 2).unwrap();
        give(&mut feed, 9_000, "node-1", 3).unwrap();
        let key = key();
        feed.see(&Fact::Completing(&key, &completed(2, 2))).unwrap();
        feed.wrong(|feed| give(feed, 30_999, "node-2", 4), NAME, "which node-1");
        give(&mut feed, 31_000, "node-2", 4).unwrap();
    }

    #[test]
    fn a_session_whose_owner_let_a_lease_run_out_may_move() {
        let mut feed = feed();
        give(&mut feed, 1_000, "node-1", 2).unwrap();
        give(&mut feed, 20_000, "node-1", 3).unwrap();
        give(&mut feed, 31_000, "node-2", 4).unwrap();
        // Of what node-1 held, 2 has run out and 3 does so later.
        feed.wrong(|feed| give(feed, 51_000, "node-3", 5), NAME, "which node-2");
        feed.see(&Fact::StoreDied).unwrap();
        give(&mut feed, 52_000, "node-1", 5).unwrap();
    }
}
