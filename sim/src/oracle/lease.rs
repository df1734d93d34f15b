//! Oracle "fence": nothing is accepted under a lease that was taken over or given back, and
//! nobody is granted what another holds, by the store's clock, which is the only one.
//!
//! Leases need not be durable: what the store granted before it died it may have forgotten.

use super::fact::{Accepted, Fact, Oracle, Span, wrong};
use super::record::Record;
use crate::wrong::{Verdict, Wrong};
use duroxide_core::TimeMs;
use duroxide_provider::{
    ActivityFate, ActivityKey, Held, Incarnation, InstanceKey, LeaseId, LeaseState, Release,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const NAME: &str = "fence";

/// Who was granted what.
#[derive(Default)]
pub(crate) struct Leases {
    instances: BTreeMap<InstanceKey, Vec<Grant>>,
    names: BTreeMap<Incarnation, InstanceKey>,
    activities: BTreeMap<ActivityKey, Vec<Grant>>,
    /// What the store's clock had certainly come to.
    clock: Record<u64>,
    /// The shortest that any lease of an instance was asked for: whatever overlaps, it holds
    /// for that long.
    shortest: Option<Duration>,
    /// The clock when a call that grants or keeps a lease first came.
    asked: BTreeMap<u128, u64>,
    /// Leases and commits that someone has begun to give back: they may be free.
    loose: BTreeSet<u128>,
    /// Leases that were given back, and since when that is certain.
    returned: BTreeMap<(InstanceKey, LeaseId), u64>,
}

struct Grant {
    lease: LeaseId,
    /// It was certain at this moment.
    since: u64,
    /// It holds until then at least, by the store's clock.
    until: u64,
    /// The store may have forgotten it.
    doubtful: bool,
    /// Something was accepted under it, so it is as durable as that.
    used: bool,
}

impl Grant {
    fn new(lease: LeaseId, since: u64, until: u64) -> Self {
        Self { lease, since, until, doubtful: false, used: false }
    }
}

impl Oracle for Leases {
    fn see(&mut self, fact: &Fact<'_>, span: Span) -> Verdict {
        match fact {
            Fact::Leasing(request) => self.asks(request.lease.0, request.duration),
            Fact::Leased(request, leased) => {
                for instance in &leased.instances {
                    let asked = self.asked.get(&request.lease.0).copied();
                    let grant = (instance.lease, asked.unwrap_or_default(), span.ended);
                    self.names.insert(instance.incarnation, instance.key.clone());
                    self.granted(&instance.key, grant, leased.store_now)?;
                }
                self.passes(leased.store_now, span);
            }
            Fact::Renewing(request) => {
                self.shortest = self.shortest.into_iter().chain([request.duration]).min();
            }
            Fact::Renewed(request, states) => {
                let now = self.clock.before(span.began).copied().unwrap_or_default();
                for (held, state) in request.held.iter().zip(*states) {
                    if *state == LeaseState::Held {
                        self.still_held(held, span)?;
                    }
                    if let (Held::Instance { lease, .. }, LeaseState::Held) = (held, state) {
                        self.prolonged(*lease, now);
                    }
                }
            }
            Fact::Releasing(request) => self.releases(request),
            Fact::Committing(_, request) => match request.keep {
                Some(keep) => self.asks(request.commit_id.0, keep),
                None => drop(self.loose.insert(request.lease.0)),
            },
            Fact::Committed(accepted) => self.committed(accepted, span)?,
            Fact::ActivitiesLeased(request, leased) => {
                for one in &leased.activities {
                    // One that asks again after its lease was taken over is granted it anew.
                    let grants = self.activities.entry(one.activity).or_default();
                    if grants.last().is_none_or(|last| last.lease != request.lease) {
                        grants.push(Grant::new(request.lease, span.ended, 0));
                    }
                }
                self.passes(leased.store_now, span);
            }
            Fact::Completed(key, request, ActivityFate::Applied) => {
                self.completed(key, &request.activity, request.lease)?;
            }
            Fact::StoreDied => self.doubt(),
            Fact::Submitting(_)
            | Fact::Submitted(..)
            | Fact::Handed(_)
            | Fact::Completing(..)
            | Fact::Completed(_, _, ActivityFate::Gone | ActivityFate::LeaseLost)
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

impl Leases {
    fn passes(&mut self, now: TimeMs, span: Span) {
        if self.clock.last().is_none_or(|last| *last < now.0) {
            self.clock.push(span.ended, now.0);
        }
    }

    /// The first time that a lease is asked for, it cannot run out before that and so long.
    fn asks(&mut self, id: u128, duration: Duration) {
        self.shortest = self.shortest.into_iter().chain([duration]).min();
        let now = self.clock.last().copied().unwrap_or_default();
        self.asked.entry(id).or_insert(now);
    }

    fn until(&self, from: u64) -> u64 {
        from + self.shortest.map_or(0, |shortest| shortest.as_millis() as u64)
    }

    fn granted(
        &mut self,
        key: &InstanceKey,
        (lease, asked, since): (LeaseId, u64, u64),
        now: TimeMs,
    ) -> Verdict {
        let until = self.until(asked);
        let grants = self.instances.entry(key.clone()).or_default();
        // Given back in between, it is new.
        self.returned.remove(&(key.clone(), lease));
        if grants.last().is_some_and(|last| last.lease == lease) {
            return Ok(()); // the same again, or news for the holder
        }
        let live = grants.last().filter(|last| {
            !last.doubtful && last.until > now.0 && !self.loose.contains(&last.lease.0)
        });
        if let Some(last) = live {
            let problem = format!(
                "it was leased to {lease} at {}, and lease {} held until {} at least",
                now.0, last.lease, last.until
            );
            return wrong(NAME, key, problem);
        }
        grants.push(Grant::new(lease, since, until));
        Ok(())
    }

    /// Who is told that it holds something had not lost it to another when it asked.
    fn still_held(&self, held: &Held, span: Span) -> Verdict {
        let taken_over = |grants: &[Grant], lease: LeaseId| {
            let own = grants.iter().rposition(|grant| grant.lease == lease)?;
            let mut later = grants[own + 1..].iter();
            later.find(|grant| !grant.doubtful && grant.since < span.began)?;
            Some(format!("lease {lease} is said to hold, and another had taken over"))
        };
        match held {
            Held::Instance { incarnation, lease } => {
                if let Some(key) = self.names.get(incarnation)
                    && let Some(problem) = taken_over(&self.instances[key], *lease)
                {
                    return wrong(NAME, key, problem);
                }
            }
            Held::Activity { activity, lease } => {
                let grants = self.activities.get(activity).map_or(&[][..], Vec::as_slice);
                if let Some(problem) = taken_over(grants, *lease) {
                    let problem = format!("activity {}: {problem}", activity.event);
                    return Err(Wrong::of(NAME, problem));
                }
            }
        }
        Ok(())
    }

    fn prolonged(&mut self, lease: LeaseId, from: u64) {
        let until = self.until(from);
        let held = self.instances.values_mut().filter_map(|grants| grants.last_mut());
        for grant in held.filter(|grant| grant.lease == lease) {
            grant.until = grant.until.max(until);
        }
    }

    fn releases(&mut self, request: &Release) {
        for held in &request.held {
            if let Held::Instance { lease, .. } = held {
                self.loose.insert(lease.0);
            }
        }
        // Which lease a commit kept is not known if it was not accepted.
        if let Some((_, commit)) = request.commit {
            self.loose.insert(commit.0);
        }
    }

    fn committed(&mut self, accepted: &Accepted<'_>, span: Span) -> Verdict {
        let (key, request) = (accepted.key, accepted.request);
        let asked = self.asked.get(&request.commit_id.0).copied().unwrap_or_default();
        let until = self.until(asked);
        let grants = self.instances.entry(key.clone()).or_default();
        let Some(own) = grants.iter().rposition(|grant| grant.lease == request.lease) else {
            return wrong(NAME, key, "a turn was accepted under a lease that nobody was granted");
        };
        if let Some(later) = grants[own + 1..].iter().find(|grant| !grant.doubtful) {
            let problem = format!(
                "a turn was accepted under lease {}, which {} had taken over",
                request.lease, later.lease
            );
            return wrong(NAME, key, problem);
        }
        let returned = self.returned.get(&(key.clone(), request.lease));
        if returned.is_some_and(|returned| *returned < span.began) {
            let problem = format!("a turn was accepted under lease {}, given back", request.lease);
            return wrong(NAME, key, problem);
        }
        grants.truncate(own + 1);
        grants[own].used = true;
        let keeps = request.keep.is_some() && !self.loose.contains(&request.commit_id.0);
        grants[own].until = if keeps { grants[own].until.max(until) } else { 0 };
        if request.keep.is_none() {
            self.returned.insert((key.clone(), request.lease), span.ended);
        }
        self.claimed(accepted);
        for (activity, lease) in &request.completed {
            self.completed(key, activity, *lease)?;
        }
        if let Some(applied) = accepted.applied {
            self.passes(applied.store_now, span);
        }
        Ok(())
    }

    /// What a turn claimed is held by whoever committed it; if nobody heard, it may be.
    fn claimed(&mut self, accepted: &Accepted<'_>) {
        let (request, applied) = (accepted.request, accepted.applied);
        for new in request.claim.iter().flat_map(|_| &request.turn.activities) {
            let claimed = |applied: &duroxide_provider::Applied| {
                applied.claimed.iter().any(|claimed| claimed.event == new.event)
            };
            if applied.is_none_or(claimed) {
                let activity = ActivityKey {
                    incarnation: request.incarnation,
                    execution: request.turn.execution,
                    event: new.event,
                };
                let grant = Grant::new(request.commit_id.claim_lease(), 0, 0);
                self.activities.entry(activity).or_default().insert(0, grant);
            }
        }
    }

    fn completed(&self, key: &InstanceKey, activity: &ActivityKey, lease: LeaseId) -> Verdict {
        let grants = self.activities.get(activity).map_or(&[][..], Vec::as_slice);
        let event = activity.event;
        let Some(own) = grants.iter().rposition(|grant| grant.lease == lease) else {
            let problem =
                format!("the end of activity {event} was accepted of one who was never given it");
            return wrong(NAME, key, problem);
        };
        if grants[own + 1..].iter().any(|grant| !grant.doubtful) {
            let problem =
                format!("the end of activity {event} was accepted under a lease taken over");
            return wrong(NAME, key, problem);
        }
        Ok(())
    }

    fn doubt(&mut self) {
        // What was asked for before may have been granted, and forgotten, whenever it is told.
        self.asked.values_mut().for_each(|asked| *asked = 0);
        // What the clock had come to when nothing was written down is forgotten too.
        self.clock = Record::default();
        for grant in self.instances.values_mut().flatten() {
            grant.doubtful |= !grant.used;
            grant.until = 0;
        }
        for grant in self.activities.values_mut().flatten() {
            grant.doubtful = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::{Feed, completed, key, lease_request, leased, node, started, turn};
    use super::*;
    use duroxide_provider::Renew;
    use std::sync::Arc;

    fn release(lease: u128) -> Release {
        let held = vec![Held::Instance { incarnation: Incarnation(1), lease: LeaseId(lease) }];
        Release { held, commit: None, refund: false, delay: Duration::ZERO }
    }

    fn feed() -> Feed<Leases> {
        let mut feed = Feed::new(Leases::default());
        feed.see(&Fact::Leasing(&lease_request(7, 30))).unwrap();
        feed.lease(&leased(7, None, 1).at(1_000)).unwrap();
        feed
    }

    #[test]
    fn a_turn_of_the_holder_and_a_take_over_after_the_end_of_its_lease_pass() {
        let mut feed = feed();
        feed.commit(&turn(None, 1, vec![started()]).lease(7).keep(30)).unwrap();
        feed.see(&Fact::Leasing(&lease_request(8, 30))).unwrap();
        feed.lease(&leased(8, Some(1), 2).at(40_000)).unwrap();
        feed.commit(&turn(Some(1), 2, Vec::new()).at(2).lease(8)).unwrap();
        assert_eq!(node().run, 1);
    }

    #[test]
    fn a_turn_under_a_lease_that_was_taken_over_is_found() {
        let mut feed = feed();
        feed.lease(&leased(8, None, 1).at(40_000)).unwrap();
        let late = turn(None, 1, vec![started()]).lease(7);
        feed.wrong(|feed| feed.commit(&late), NAME, "had taken over");
    }

    #[test]
    fn a_turn_under_no_lease_or_one_given_back_is_found() {
        let mut feed = feed();
        let strange = turn(None, 1, vec![started()]).lease(9);
        feed.wrong(|feed| feed.commit(&strange), NAME, "nobody was granted");
        feed.commit(&turn(None, 1, vec![started()]).lease(7)).unwrap();
        let late = turn(Some(1), 2, Vec::new()).at(2).lease(7);
        feed.wrong(|feed| feed.commit(&late), NAME, "given back");
    }

    #[test]
    fn a_second_lease_while_the_first_holds_is_found() {
        let mut feed = feed();
        feed.see(&Fact::Leasing(&lease_request(8, 30))).unwrap();
        // The first was prolonged when the clock had come to 1 000 at least.
        let held = vec![Held::Instance { incarnation: Incarnation(1), lease: LeaseId(7) }];
        let renew = Renew { held, duration: Duration::from_secs(30) };
        feed.see(&Fact::Renewing(&renew)).unwrap();
        feed.see(&Fact::Renewed(&renew, &[LeaseState::Held])).unwrap();
        feed.wrong(|feed| feed.lease(&leased(8, None, 1).at(30_999)), NAME, "held until 31000");
        feed.lease(&leased(8, None, 1).at(31_000)).unwrap();
    }

    #[test]
    fn who_is_told_that_it_holds_what_another_took_over_is_found() {
        let mut feed = feed();
        let renew = |held| Renew { held: vec![held], duration: Duration::from_secs(30) };
        let instance = Held::Instance { incarnation: Incarnation(1), lease: LeaseId(7) };
        let holds = [LeaseState::Held];
        let says = "another had taken over";
        feed.see(&Fact::Renewed(&renew(instance), &holds)).unwrap();
        feed.lease(&leased(8, None, 1).at(90_000)).unwrap();
        feed.wrong(|feed| feed.see(&Fact::Renewed(&renew(instance), &holds)), NAME, says);
        feed.see(&Fact::Renewed(&renew(instance), &[LeaseState::Lost])).unwrap();
        feed.lease_activity(3, 11).unwrap();
        let activity = Held::Activity { activity: completed(3, 11).activity, lease: LeaseId(11) };
        feed.see(&Fact::Renewed(&renew(activity), &holds)).unwrap();
        feed.lease_activity(3, 12).unwrap();
        let found = feed.see(&Fact::Renewed(&renew(activity), &holds)).unwrap_err();
        assert!(found.sentence.contains(says), "{found}");
    }

    #[test]
    fn what_the_store_granted_before_it_died_may_be_forgotten() {
        let mut feed = feed();
        feed.lease(&leased(8, None, 1).at(40_000)).unwrap();
        feed.see(&Fact::StoreDied).unwrap();
        feed.commit(&turn(None, 1, vec![started()]).lease(7)).unwrap();
    }

    #[test]
    fn what_the_clock_showed_before_the_store_died_says_nothing_of_a_lease_after_it() {
        let mut feed = feed();
        feed.see(&Fact::StoreDied).unwrap();
        feed.see(&Fact::Leasing(&lease_request(8, 30))).unwrap();
        feed.lease(&leased(8, None, 1).at(300)).unwrap();
        feed.see(&Fact::Leasing(&lease_request(9, 30))).unwrap();
        feed.wrong(|feed| feed.lease(&leased(9, None, 1).at(29_999)), NAME, "held until");
        feed.lease(&leased(9, None, 1).at(30_300)).unwrap();
    }

    #[test]
    fn a_lease_that_a_turn_kept_before_the_store_died_may_be_forgotten_whenever_it_is_told() {
        let mut feed = feed();
        feed.commit(&turn(None, 1, vec![started()]).lease(7).keep(30).now(100_000)).unwrap();
        let (next, key) = (turn(Some(1), 2, Vec::new()).at(2).lease(7).keep(30), key());
        let request = Arc::new(next.clone());
        feed.see(&Fact::Committing(&key, &request)).unwrap();
        feed.see(&Fact::StoreDied).unwrap();
        let accepted = Accepted { key: &key, request: &request, applied: None };
        feed.see(&Fact::Committed(accepted)).unwrap();
        feed.lease(&leased(8, Some(2), 2).at(101_000)).unwrap();
    }

    #[test]
    fn a_lease_that_was_forgotten_and_is_asked_for_again_is_granted_anew() {
        let mut feed = feed();
        feed.see(&Fact::StoreDied).unwrap();
        feed.lease(&leased(8, None, 1).at(2_000)).unwrap();
        feed.see(&Fact::Releasing(&release(8))).unwrap();
        feed.lease(&leased(7, None, 1).at(3_000)).unwrap();
        feed.commit(&turn(None, 1, vec![started()]).lease(7)).unwrap();
    }

    #[test]
    fn an_activity_that_another_was_given_is_not_completed() {
        let mut feed = feed();
        feed.lease_activity(3, 11).unwrap();
        feed.lease_activity(3, 12).unwrap();
        feed.wrong(|feed| feed.complete(&completed(3, 11)), NAME, "taken over");
        feed.wrong(|feed| feed.complete(&completed(3, 13)), NAME, "never given it");
        feed.complete(&completed(3, 12)).unwrap();
    }

    #[test]
    fn who_asks_again_after_its_lease_was_taken_over_is_given_the_activity_anew() {
        let mut feed = feed();
        for lease in [11, 12, 11] {
            feed.lease_activity(3, lease).unwrap();
        }
        feed.wrong(|feed| feed.complete(&completed(3, 12)), NAME, "taken over");
        feed.complete(&completed(3, 11)).unwrap();
    }
}
