//! Activities as a store with a fault hands them out and takes them back, and leases renewed
//! and released.

#![expect(clippy::wildcard_enum_match_arm, reason = "each step has its few faults of many")]

use crate::fault::Fault;
use crate::faulty::{Answer, FOR_EVER, Faulty};
use duroxide_core::{ArrivalBody, ArrivalId, Payload};
use duroxide_model::{Message, State};
use duroxide_provider::*;
use std::collections::BTreeSet;
use std::time::Duration;

/// They let out less than was leased.
const LEAVING_OUT: &[Fault] = &[
    Fault::GivesAFullNodeNothing,
    Fault::LooksAtAHundredActivities,
    Fault::StopsAtAnUndecodableActivity,
    Fault::WaitsForAHolderToRunActivities,
];

impl Faulty {
    pub(crate) async fn lease_tasks(&self, request: LeaseActivities) -> Answer<LeasedActivities> {
        let request = self.twist_task_lease(request);
        self.edit(|state| {
            self.before_a_task_lease(state);
            self.twist_sessions(state, &request.node);
        });
        let max = request.max;
        let node = request.node.clone();
        let (lease, idle) = (request.lease, request.filter.sessions.idle);
        let mut leased = if self.has(Fault::LooksThenLeasesActivities) {
            let seen = self.aside().lease_activities(request.clone()).await?;
            tokio::task::yield_now().await;
            self.inner.lease_activities(request).await?;
            seen
        } else {
            self.inner.lease_activities(request).await?
        };
        self.leave_tasks_out(&node, lease, &mut leased).await?;
        self.edit(|state| match self.fault {
            Some(Fault::MovesSessionsWhileTheyWork) => {
                // It idles from when it was taken, whatever of it runs.
                let until = state.now.plus(u64::try_from(idle.as_millis()).unwrap());
                let own = |session: &&mut duroxide_model::Session| session.node == node;
                state.sessions.values_mut().filter(own).for_each(|one| one.idle_until = until);
            }
            Some(Fault::ChargesTheInstanceForItsActivity) => {
                for activity in &leased.activities {
                    if let Some(row) = state.instances.get_mut(&activity.activity.incarnation) {
                        row.attempt += 1;
                    }
                }
            }
            _ => {}
        });
        let mut memory = self.memory();
        if self.has(Fault::LeasesActivitiesTwice) && max > 0 {
            if leased.activities.is_empty() {
                leased.activities = std::mem::take(&mut memory.last_tasks);
            } else {
                memory.last_tasks.clone_from(&leased.activities);
            }
        }
        leased.activities.append(&mut memory.left_behind);
        for activity in &leased.activities {
            memory.worker.insert(activity.activity, lease);
        }
        drop(memory);
        if self.has(Fault::GivesTheYoungestActivityFirst) {
            leased.activities.reverse();
        }
        for activity in &mut leased.activities {
            self.twist_task(activity, leased.store_now);
        }
        leased.store_now = self.told(leased.store_now);
        Ok(leased)
    }

    fn twist_task_lease(&self, mut request: LeaseActivities) -> LeaseActivities {
        let known = !self.memory().leases.insert(request.lease);
        let Some(fault) = self.fault else { return request };
        let tags = request.filter.tags.clone();
        match (fault, tags) {
            (Fault::ForgetsActivityLeaseIds, _) if known => {
                request.lease.0 ^= u128::from(self.draw()) << 64;
            }
            (Fault::IgnoresTags, _) | (Fault::TakesNoneForAny, TagFilter::None) => {
                request.filter.tags = TagFilter::Any;
            }
            (Fault::GivesThePlainToEveryTag, TagFilter::Tags(tags)) => {
                request.filter.tags = TagFilter::DefaultAnd(tags);
            }
            (Fault::LooksAtOneTag, TagFilter::Tags(tags)) => {
                request.filter.tags = TagFilter::Tags(tags.into_iter().take(1).collect());
            }
            (Fault::IgnoresNames, _) => {
                request.filter.names.extend(["Unknown", "Greet", "Work"].map(ToOwned::to_owned));
            }
            (Fault::GivesMoreThanAsked, _) => request.max += 1,
            (Fault::GivesOneAtLeast, _) => request.max = request.max.max(1),
            (Fault::NeverExpires, _) => request.duration = FOR_EVER,
            (Fault::SessionsNeverIdle, _) => request.filter.sessions.idle = FOR_EVER,
            (Fault::MovesSessionsBetweenActivities, _) => {
                request.filter.sessions.idle = Duration::ZERO;
            }
            (Fault::IgnoresSessionLimits, _) => request.filter.sessions.max = 1_000,
            (Fault::IgnoresRunsOfANode, _) => request.node.run = 1,
            (Fault::RunsOneActivityAtATime, _) => {
                let state = self.inner.state();
                let mut all = state.instances.values().flat_map(|row| row.activities.values());
                if all.any(|activity| activity.lease.is_some()) {
                    request.max = 0;
                }
            }
            _ => {}
        }
        request
    }

    fn before_a_task_lease(&self, state: &mut State) {
        match self.fault {
            Some(Fault::SharesNoLeases) if self.handle > 1 => {
                let all = state.instances.values_mut().flat_map(|row| row.activities.values_mut());
                all.for_each(|activity| activity.lease = None);
            }
            Some(Fault::MovesSessionsWhileTheyWork) => {
                let now = state.now;
                state.sessions.retain(|_, session| session.idle_until > now);
            }
            _ => {}
        }
    }

    /// Whose a session is, and which leases speak of its owner.
    fn twist_sessions(&self, state: &mut State, caller: &NodeId) {
        let Some(fault) = self.fault else { return };
        if fault == Fault::KeepsOlderRunsOutForEver {
            let newer = |owner: &NodeId| owner.name == caller.name && owner.run > caller.run;
            let owned = state.sessions.values_mut().filter(|session| newer(&session.node));
            owned.for_each(|session| session.idle_until = state.now.plus(1_000));
        }
        let State { instances, sessions, .. } = state;
        for row in instances.values_mut() {
            for activity in row.activities.values_mut() {
                let name = activity.what.session.clone();
                let key = name.map(|name| (row.key.namespace.clone(), name));
                let session = key.and_then(|key| sessions.get(&key));
                let (Some(session), Some(lease)) = (session, &mut activity.lease) else { continue };
                let is_blamed = match fault {
                    Fault::BlamesOwnersForEarlierOnes => true,
                    Fault::BlamesNewerRunsForOlderOnes => lease.node.name == session.node.name,
                    _ => false,
                };
                if is_blamed {
                    lease.term = session.term;
                }
                if fault == Fault::KeepsTheSessionsOfTheDead {
                    lease.term = 0;
                }
            }
        }
    }

    /// What the fault does not let out, though it was leased.
    async fn leave_tasks_out(
        &self,
        node: &NodeId,
        lease: LeaseId,
        leased: &mut LeasedActivities,
    ) -> Answer<()> {
        let Some(fault) = self.fault.filter(|_| self.is_any_of(LEAVING_OUT)) else {
            return Ok(());
        };
        let state = self.inner.state();
        let mut queue = Vec::new();
        for (incarnation, row) in &state.instances {
            for (event, activity) in &row.activities {
                queue.push((activity.order, (*incarnation, *event)));
            }
        }
        queue.sort_unstable();
        let first: BTreeSet<_> = queue.into_iter().take(100).map(|(_, key)| key).collect();
        let of_node = state.sessions.values().filter(|session| session.node == *node);
        let is_full = of_node.map(|session| session.node_max).min();
        let owned = state.sessions.values().filter(|session| session.node == *node).count();
        let is_full = is_full.is_some_and(|max| owned >= max);
        let stays_in = |one: &LeasedActivity| match fault {
            Fault::LooksAtAHundredActivities => {
                !first.contains(&(one.activity.incarnation, one.activity.event))
            }
            Fault::GivesAFullNodeNothing => {
                is_full && self.memory().worker.len() >= owned && one.session.is_some()
            }
            Fault::WaitsForAHolderToRunActivities => {
                let row = state.instances.get(&one.activity.incarnation);
                row.is_none_or(|row| row.lease.is_none())
            }
            _ => false,
        };
        let (out, rest): (Vec<_>, Vec<_>) = leased.activities.drain(..).partition(stays_in);
        leased.activities = rest;
        for LeasedActivity { activity, .. } in out {
            let held = vec![Held::Activity { activity, lease }];
            let delay = Duration::ZERO;
            self.inner.release(Release { held, commit: None, refund: true, delay }).await?;
        }
        let mut damaged = state.instances.values().flat_map(|row| row.activities.values());
        if fault == Fault::StopsAtAnUndecodableActivity && damaged.any(|one| one.damaged) {
            let operation = "lease_activities".to_owned();
            let (what, message) = ("an activity".to_owned(), "unexpected byte".to_owned());
            return Err(ProviderError::Corrupt { operation, what, message });
        }
        Ok(())
    }

    fn twist_task(&self, activity: &mut LeasedActivity, now: duroxide_core::TimeMs) {
        activity.activity.incarnation = self.known(&activity.key, activity.activity.incarnation);
        let Some(fault) = self.fault else { return };
        match fault {
            Fault::CountsNoAttempts => activity.attempt = 1,
            Fault::CountsAttemptsFromZero => activity.attempt -= 1,
            Fault::TellsNoSession => activity.session = None,
            Fault::TellsNoTags => activity.tag = None,
            Fault::DropsHeaders => activity.headers.clear(),
            Fault::SaysReadySinceNow => activity.ready_at = now,
            _ => {}
        }
    }

    pub(crate) async fn complete(&self, mut request: CompleteActivity) -> Answer<ActivityFate> {
        request.activity = self.meant_activity(request.activity);
        let key = request.activity;
        let state = self.inner.state();
        let row = state.instances.get(&key.incarnation);
        let lease = row.and_then(|row| row.activities.get(&key.event)?.lease.as_ref());
        if self.has(Fault::CompletesUnderAnyLease) {
            let known = self.memory().worker.get(&key).copied();
            request.lease = known.unwrap_or(request.lease);
        }
        if self.has(Fault::ExpiryLosesTheActivity)
            && lease.is_some_and(|lease| lease.until <= self.now())
        {
            return Ok(ActivityFate::LeaseLost);
        }
        if self.has(Fault::LosesFailures) && request.outcome.is_err() {
            request.outcome = Ok(Payload::null());
        }
        let is_held = lease.is_some_and(|lease| lease.id == request.lease);
        if self.has(Fault::LooksThenCompletes) {
            tokio::task::yield_now().await;
        }
        if self.has(Fault::FailsOnWhatWasNeverHeld) && row.is_none() {
            let (operation, what) = ("complete_activity".to_owned(), "activity".to_owned());
            return Err(ProviderError::NotFound { operation, what });
        }
        let outcome = request.outcome.clone();
        let fate = self.inner.complete_activity(request).await?;
        self.memory().muted |= self.has(Fault::WakesNotForCompletions);
        if fate == ActivityFate::Gone && is_held && self.has(Fault::LooksThenCompletes) {
            self.edit(|state| {
                state.sequence += 1;
                let (id, visible_at) = (ArrivalId(state.sequence), state.now);
                let (seen, told, damaged) = (false, false, false);
                let body = ArrivalBody::ActivityDone { source: key.event, outcome };
                if let Some(row) = state.instances.get_mut(&key.incarnation) {
                    row.inbox.insert(id, Message { visible_at, seen, told, body, damaged });
                }
            });
            return Ok(ActivityFate::Applied);
        }
        let again = self.has(Fault::CompletesAgain) && fate == ActivityFate::Gone;
        Ok(if again { ActivityFate::Applied } else { fate })
    }

    fn meant_held(&self, held: Held) -> Held {
        match held {
            Held::Instance { incarnation, lease } => {
                Held::Instance { incarnation: self.meant(incarnation), lease }
            }
            Held::Activity { activity, lease } => {
                Held::Activity { activity: self.meant_activity(activity), lease }
            }
        }
    }

    pub(crate) async fn prolong(&self, mut request: Renew) -> Answer<Vec<LeaseState>> {
        request.held = request.held.into_iter().map(|held| self.meant_held(held)).collect();
        let before = self.inner.state();
        let mut states = self.inner.renew(request).await?;
        self.edit(|state| {
            let (forgets, hides) = (self.has(Fault::RenewsNothing), self.has(Fault::TellsOnce));
            for (key, row) in &mut state.instances {
                let Some(old) = before.instances.get(key) else { continue };
                if hides {
                    row.inbox.clone_from(&old.inbox);
                }
                if !forgets {
                    continue;
                }
                row.lease.clone_from(&old.lease);
                for (event, activity) in &mut row.activities {
                    if let Some(old) = old.activities.get(event) {
                        activity.lease.clone_from(&old.lease);
                    }
                }
            }
        });
        for state in &mut states {
            *state = match (self.fault, *state) {
                (Some(Fault::RenewsWhatIsLost), LeaseState::Lost)
                | (Some(Fault::RenewsWhatIsDone), LeaseState::CancelRequested) => LeaseState::Held,
                (Some(Fault::SaysLostForCancelled), LeaseState::CancelRequested) => {
                    LeaseState::Lost
                }
                (_, state) => state,
            };
        }
        if self.has(Fault::MixesRenewals) && !states.is_empty() {
            states.rotate_left(1);
        }
        Ok(states)
    }

    pub(crate) async fn hand_back(&self, mut request: Release) -> Answer<()> {
        request.held = request.held.into_iter().map(|held| self.meant_held(held)).collect();
        let asked = request.clone();
        let before = self.inner.state();
        let lease_of = |incarnation: &Incarnation| {
            before.instances.get(incarnation).and_then(|row| Some(row.lease.as_ref()?.id))
        };
        match self.fault {
            Some(Fault::ReleasesNothing) => return Ok(()),
            Some(Fault::IgnoresDelays) => request.delay = Duration::ZERO,
            Some(Fault::RefundsNothing) => request.refund = false,
            Some(Fault::RefundsAlways) => request.refund = true,
            Some(Fault::ForgetsGivenUpCommits) => request.commit = None,
            Some(Fault::ReleasesUnderAnyLease) => {
                for held in &mut request.held {
                    if let Held::Instance { incarnation, lease } = held {
                        *lease = lease_of(incarnation).unwrap_or(*lease);
                    }
                }
            }
            Some(Fault::ReleasesAllOfACall) => {
                for held in asked.held {
                    let Held::Instance { lease, .. } = held else { continue };
                    let all = before.instances.keys().filter(|key| lease_of(key) == Some(lease));
                    let all = all.map(|key| Held::Instance { incarnation: *key, lease });
                    request.held.extend(all);
                }
            }
            _ => {}
        }
        self.inner.release(request.clone()).await?;
        self.edit(|state| self.after_a_release(state, &request, &before));
        self.memory().muted |= self.has(Fault::WakesNotForReleases);
        Ok(())
    }

    fn after_a_release(&self, state: &mut State, request: &Release, before: &State) {
        for held in &request.held {
            match held {
                Held::Instance { incarnation, lease } => {
                    let again = !self.memory().released.insert(*lease);
                    if let Some(row) = state.instances.get_mut(incarnation)
                        && self.has(Fault::RefundsTwice)
                        && again
                        && request.refund
                    {
                        row.attempt = row.attempt.saturating_sub(1);
                    }
                }
                Held::Activity { activity, .. } => {
                    let row = state.instances.get_mut(&activity.incarnation);
                    if let Some(one) = row.and_then(|row| row.activities.get_mut(&activity.event))
                        && self.has(Fault::LosesTagsOnRelease)
                    {
                        one.what.tag = None;
                    }
                }
            }
        }
        let Some((incarnation, commit)) = request.commit else { return };
        let old = before.instances.get(&incarnation);
        let Some(row) = state.instances.get_mut(&incarnation) else { return };
        if self.has(Fault::GivesUpForTheNextHolder) {
            row.lease = None;
        }
        if self.has(Fault::KeepsClaimsOfAGivenUpCommit)
            && let Some(old) = old.filter(|old| old.last_commit == Some(commit))
        {
            row.activities.clone_from(&old.activities);
        }
    }
}
