//! Instances as a store with a fault hands them out, and what their holder reads.

#![expect(clippy::wildcard_enum_match_arm, reason = "each step has its few faults of many")]

use crate::fault::Fault;
use crate::faulty::{Answer, FOR_EVER, Faulty};
use duroxide_core::{ArrivalBody, Channel, EventId, MailName, UnreadMail};
use duroxide_provider::*;
use std::collections::BTreeSet;
use std::time::Duration;

/// Everything that checks run.
const VERSIONS: [&str; 4] = ["1.0.0", "2.0.0", "3.0.0", "9.9.9"];

/// They change what is stored before a lease.
const BEFORE: &[Fault] = &[
    Fault::ChargesForWhatItSkips,
    Fault::ExpiryMakesReady,
    Fault::LooksAtTenTimers,
    Fault::SharesNoLeases,
];

/// They let out less than was leased.
const LEAVING_OUT: &[Fault] =
    &[Fault::FiltersTerminations, Fault::LooksAtFiftyInstances, Fault::StopsAtUndecodableMail];

impl Faulty {
    pub(crate) async fn lease_instances(
        &self,
        request: LeaseOrchestrations,
    ) -> Answer<LeasedOrchestrations> {
        let asked = request.clone();
        let request = self.twist_lease(request)?;
        self.before_a_lease(&request);
        let max = request.max;
        let mut leased = if self.has(Fault::LooksThenLeases) {
            let seen = self.aside().lease_orchestrations(request.clone()).await?;
            tokio::task::yield_now().await;
            self.inner.lease_orchestrations(request).await?;
            seen
        } else {
            self.inner.lease_orchestrations(request).await?
        };
        self.after_a_lease(&asked, &leased);
        self.leave_some_out(&asked, &mut leased).await?;
        if self.has(Fault::LeasesTwice) {
            let mut memory = self.memory();
            if leased.instances.is_empty() && max > 0 {
                leased.instances = std::mem::take(&mut memory.last_leased);
            } else {
                memory.last_leased.clone_from(&leased.instances);
            }
        }
        for instance in &mut leased.instances {
            self.twist_instance(&asked, instance);
        }
        if self.has(Fault::GivesTheYoungestInstanceFirst) {
            leased.instances.reverse();
        }
        leased.store_now = self.told(leased.store_now);
        Ok(leased)
    }

    /// The request as the fault passes it on.
    fn twist_lease(&self, mut request: LeaseOrchestrations) -> Answer<LeaseOrchestrations> {
        let known = !self.memory().leases.insert(request.lease);
        let Some(fault) = self.fault else { return Ok(request) };
        let all = || VERSIONS.map(ToOwned::to_owned).into_iter().collect::<BTreeSet<_>>();
        match fault {
            Fault::ForgetsLeaseIds if known => request.lease.0 ^= u128::from(self.draw()) << 64,
            Fault::RefusesARepeatedLease if known => {
                let operation = "lease_orchestrations".to_owned();
                let message = "this lease id was used before".to_owned();
                return Err(ProviderError::Invalid { operation, message });
            }
            Fault::IgnoresVersions => {
                request.filter.names.values_mut().for_each(|versions| versions.extend(all()));
            }
            Fault::IgnoresNames => {
                request.filter.names.insert("Unknown".to_owned(), all());
            }
            Fault::TakesAnEmptyFilterForAny if request.filter.names.is_empty() => {
                request.filter.names.insert("Flow".to_owned(), all());
            }
            Fault::IgnoresFlags => request.filter.flags.0 = u64::MAX,
            Fault::GivesMoreThanAsked => request.max += 1,
            Fault::GivesOneAtLeast => request.max = request.max.max(1),
            Fault::NeverExpires => request.duration = FOR_EVER,
            Fault::StallsBehindTheWallClock if self.set_back_ms() > 0 => request.max = 0,
            Fault::LocksAllForOne => {
                let state = self.inner.state();
                if state.instances.values().any(|row| row.lease.is_some()) {
                    request.max = 0;
                }
            }
            _ => {}
        }
        Ok(request)
    }

    fn before_a_lease(&self, request: &LeaseOrchestrations) {
        let Some(fault) = self.fault.filter(|_| self.is_any_of(BEFORE)) else { return };
        self.edit(|state| {
            let now = state.now;
            let far = state.instances.values().flat_map(|row| row.inbox.values());
            let is_timer = |body: &ArrivalBody| matches!(body, ArrivalBody::TimerDue { .. });
            let timers = far.filter(|message| is_timer(&message.body)).count();
            for row in state.instances.values_mut() {
                match fault {
                    Fault::ExpiryMakesReady => {
                        row.split |= row.lease.as_ref().is_some_and(|lease| lease.until <= now);
                    }
                    Fault::SharesNoLeases if self.handle > 1 => row.lease = None,
                    Fault::LooksAtTenTimers if timers > 10 => {
                        for message in row.inbox.values_mut().filter(|m| is_timer(&m.body)) {
                            message.visible_at = message.visible_at.max(now.plus(1));
                        }
                    }
                    Fault::ChargesForWhatItSkips
                        if row.lease.is_none() && !request.filter.names.contains_key(&row.name)
                            || row.version.is_some() && row.last_commit.is_none() =>
                    {
                        row.attempt += 1;
                    }
                    _ => {}
                }
            }
        });
    }

    fn after_a_lease(&self, asked: &LeaseOrchestrations, leased: &LeasedOrchestrations) {
        let mut memory = self.memory();
        for instance in &leased.instances {
            memory.holder.insert(instance.incarnation, instance.lease);
            let position = (instance.last_commit, instance.next_event);
            memory.position.insert(instance.incarnation, position);
        }
        drop(memory);
        if !self.is_any_of(&[Fault::GivesHeldMailAgain, Fault::ChargesForMail]) {
            return;
        }
        let given: BTreeSet<_> = leased.instances.iter().map(|one| one.incarnation).collect();
        self.edit(|state| {
            let rows = state.instances.iter_mut().filter(|(key, _)| given.contains(key));
            for (_, row) in rows {
                if self.has(Fault::GivesHeldMailAgain) {
                    row.inbox.values_mut().for_each(|message| message.told = false);
                }
                let was_held = row.lease.as_ref().is_some_and(|lease| lease.id != asked.lease);
                if self.has(Fault::ChargesForMail) && was_held {
                    row.attempt += 1;
                }
            }
        });
    }

    /// What the fault does not let out, though it was leased.
    async fn leave_some_out(
        &self,
        asked: &LeaseOrchestrations,
        leased: &mut LeasedOrchestrations,
    ) -> Answer<()> {
        let Some(fault) = self.fault.filter(|_| self.is_any_of(LEAVING_OUT)) else {
            return Ok(());
        };
        let state = self.inner.state();
        let first: BTreeSet<_> = state
            .instances
            .iter()
            .filter(|(_, row)| !row.inbox.is_empty())
            .map(|(key, _)| *key)
            .take(50)
            .collect();
        let stays_in = |instance: &LeasedInstance| match fault {
            Fault::FiltersTerminations => !asked.filter.names.contains_key(&instance.name),
            Fault::LooksAtFiftyInstances => !first.contains(&instance.incarnation),
            _ => false,
        };
        let (out, rest): (Vec<_>, Vec<_>) = leased.instances.drain(..).partition(stays_in);
        leased.instances = rest;
        for LeasedInstance { incarnation, lease, .. } in out {
            let held = vec![Held::Instance { incarnation, lease }];
            let delay = Duration::ZERO;
            self.inner.release(Release { held, commit: None, refund: true, delay }).await?;
        }
        let damaged = |row: &duroxide_model::Instance| row.quarantine.is_some();
        if fault == Fault::StopsAtUndecodableMail && state.instances.values().any(damaged) {
            let operation = "lease_orchestrations".to_owned();
            let (what, message) = ("a message".to_owned(), "unexpected byte".to_owned());
            return Err(ProviderError::Corrupt { operation, what, message });
        }
        Ok(())
    }

    fn twist_instance(&self, asked: &LeaseOrchestrations, instance: &mut LeasedInstance) {
        let incarnation = instance.incarnation;
        instance.incarnation = self.known(&instance.key, incarnation);
        let arrivals = &mut instance.arrivals;
        let Some(fault) = self.fault else { return };
        match fault {
            Fault::CountsNoAttempts => instance.attempt = 1,
            Fault::CountsAttemptsFromZero => instance.attempt -= 1,
            Fault::ChargesForMail if instance.lease != asked.lease => instance.attempt += 1,
            Fault::GivesHeldMailUnderAnotherLease => instance.lease = asked.lease,
            Fault::AlwaysAnnouncesMore => instance.more_arrivals = true,
            Fault::NeverAnnouncesMore => instance.more_arrivals = false,
            Fault::TellsNoVersion => instance.version = None,
            Fault::ReordersArrivals => arrivals.reverse(),
            Fault::FollowsTheWallClock => {
                let back = self.set_back_ms();
                for arrival in arrivals {
                    arrival.at.0 -= back;
                }
            }
            Fault::OrdersTimersByCreation => arrivals.sort_by_key(|arrival| match arrival.body {
                ArrivalBody::TimerDue { source } => source.0,
                _ => 0,
            }),
            Fault::GivesMailBeforeTimers => {
                arrivals.sort_by_key(|a| matches!(a.body, ArrivalBody::TimerDue { .. }));
            }
            Fault::TakesBytesForText => {
                for arrival in arrivals {
                    if let ArrivalBody::Mail { data, .. } = &mut arrival.body {
                        *data = crate::clients::as_text(data);
                    }
                }
            }
            _ => {}
        }
    }

    pub(crate) async fn history_page(&self, mut request: ReadHistory) -> Answer<HistoryPage> {
        request.incarnation = self.meant(request.incarnation);
        let state = self.inner.state();
        let row = state.instances.get(&request.incarnation);
        if self.has(Fault::ReadsWithoutTheLease)
            && let Some(lease) = row.and_then(|row| row.lease.as_ref())
        {
            request.lease = lease.id;
        }
        let mut page = self.inner.read_history(request.clone()).await?;
        let (Some(fault), Some(row)) = (self.fault, row) else { return Ok(page) };
        match (fault, &mut page.base) {
            (Fault::SkipsBetweenPages, _) => page.next = page.next.map(EventId::next),
            (Fault::ShowsTheLatestStatusInTheBase, Some(base)) => {
                base.status.clone_from(&row.status);
            }
            (Fault::ShowsTheLatestKeysInTheBase, Some(base)) => {
                base.kv = row.kv.values().cloned().collect();
            }
            (Fault::GivesTheFirstNoBase, _) if request.execution.0 == 1 => page.base = None,
            (Fault::HasOneWindowForAllNames, _) => page.unread.truncate(60),
            (Fault::TakesTheUnseenForUnread, _) => {
                let unseen = row.inbox.iter().filter(|(_, message)| !message.seen);
                page.unread.extend(unseen.filter_map(|(id, message)| match &message.body {
                    ArrivalBody::Mail { channel, name, data } => Some(UnreadMail {
                        id: *id,
                        at: message.visible_at,
                        channel: *channel,
                        name: name.clone(),
                        data: data.clone(),
                    }),
                    _ => None,
                }));
            }
            _ => {}
        }
        Ok(page)
    }

    pub(crate) async fn mail_page(&self, mut request: ReadMail) -> Answer<MailPage> {
        request.incarnation = self.meant(request.incarnation);
        if self.has(Fault::MixesMailboxes) {
            let both = request.names.iter().flat_map(|(name, after)| {
                let of = |channel| (MailName { channel, name: name.name.clone() }, *after);
                [of(Channel::Event), of(Channel::Queue)]
            });
            request.names = both.collect();
        }
        let mut page = self.inner.read_mail(request.clone()).await?;
        if self.has(Fault::SaysMoreWhenItFits) && page.unread.len() == request.max {
            page.more_mail = request.names.into_iter().map(|(name, _)| name).collect();
        }
        if self.has(Fault::TakesBytesForText) {
            page.unread.iter_mut().for_each(|mail| mail.data = crate::clients::as_text(&mail.data));
        }
        Ok(page)
    }
}
