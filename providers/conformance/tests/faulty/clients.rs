//! What clients ask of a store with a fault, and nodes that wait for work.

#![expect(clippy::wildcard_enum_match_arm, reason = "each step has its few faults of many")]

use crate::fault::Fault;
use crate::faulty::{Answer, Faulty};
use duroxide_core::{Payload, TimeMs};
use duroxide_model::State;
use duroxide_provider::*;
use std::time::Duration;

/// Bytes as a store keeps them that believes in text.
pub(crate) fn as_text(data: &Payload) -> Payload {
    Payload::new(data.encoding(), String::from_utf8_lossy(data.bytes()).as_bytes())
}

/// They look at the instance that a request is for.
const LOOKING: &[Fault] = &[
    Fault::AnswersBeforeItWrites,
    Fault::DelaysTerminations,
    Fault::DropsMailBeforeTheFirstTurn,
    Fault::DropsMailDuringATurn,
    Fault::LooksThenCreates,
    Fault::TerminatesOnlyTheReadable,
];

/// They change something afterwards.
const CHANGING: &[Fault] = &[
    Fault::DelaysTerminations,
    Fault::ForgivesOnMail,
    Fault::MailEndsADelay,
    Fault::MailTakesThePhrase,
    Fault::RemembersFewRequests,
    Fault::ReplacesBetweenExecutions,
    Fault::StampsMailAnew,
];

impl Faulty {
    pub(crate) async fn take_in(&self, request: Submit) -> Answer<Submitted> {
        let asked = request.clone();
        let request = self.twist_submit(request);
        let before = self.state_for(LOOKING);
        if let Some(answer) = self.answers_first(&request, &before) {
            return Ok(answer);
        }
        let found = before.instances.values().find(|row| row.key == request.key);
        let stood = (found.map(|row| row.not_before), found.map(|row| row.attempt));
        if self.has(Fault::LosesOneOfTwoAtOnce) && self.loses_one().await {
            return Ok(Submitted::Accepted);
        }
        if self.has(Fault::LooksThenCreates) {
            tokio::task::yield_now().await;
        }
        let submitted = self.inner.submit(request.clone()).await;
        if self.is_any_of(CHANGING) {
            self.edit(|state| self.after_a_submit(state, &request, stood));
        }
        self.memory().muted |=
            self.has(Fault::WakesNotForMail) && matches!(asked.what, Submission::Mail { .. });
        if submitted == Ok(Submitted::Created) {
            let kept = std::mem::take(&mut self.memory().for_nobody);
            for mail in kept {
                let request = RequestId(u128::from(self.draw()));
                self.inner.submit(Submit { request, ..mail }).await?;
            }
        }
        Ok(match (self.fault, submitted?) {
            (Some(Fault::AcceptsASecondStart), Submitted::AlreadyExists) => Submitted::Created,
            (Some(Fault::LooksThenCreates), Submitted::AlreadyExists) if found.is_none() => {
                Submitted::Created
            }
            (Some(Fault::AcceptsMailForNobody), Submitted::NotFound)
            | (Some(Fault::AcceptsMailForTheEnded), Submitted::Ended) => Submitted::Accepted,
            (Some(Fault::KeepsMailForNobody), Submitted::NotFound) => {
                self.memory().for_nobody.push(request);
                Submitted::NotFound
            }
            (_, submitted) => submitted,
        })
    }

    async fn loses_one(&self) -> bool {
        self.memory().under_way += 1;
        tokio::task::yield_now().await;
        let mut memory = self.memory();
        memory.under_way -= 1;
        memory.under_way > 0
    }

    fn twist_submit(&self, mut request: Submit) -> Submit {
        let known = self.memory().requests.contains(&request.request);
        self.memory().requests.push(request.request);
        let Some(fault) = self.fault else { return request };
        let reopened = self.was_reopened();
        match (fault, &mut request.what) {
            (Fault::ForgetsRequestIds, _) => {
                request.request.0 ^= u128::from(self.draw()) << 64;
            }
            (Fault::ForgetsRequestsOnReopen, _) if known && reopened => {
                request.request.0 ^= u128::from(self.draw()) << 64;
            }
            (Fault::IgnoresNamespaces, _) => request.key.namespace = Namespace::default(),
            (Fault::FoldsCase, _) => {
                request.key.id.0 = request.key.id.0.to_lowercase();
            }
            (Fault::DropsHeaders, Submission::Start { headers, .. }) => headers.clear(),
            (Fault::ResolvesLatestAtOnce, Submission::Start { version, .. }) => {
                version.get_or_insert_with(|| "1.0.0".to_owned());
            }
            (Fault::WritesJsonAnew, Submission::Mail { data, .. }) => {
                let value = data.as_json().map(serde_json::from_str::<serde_json::Value>);
                if let Some(Ok(value)) = value {
                    *data = Payload::json(value.to_string());
                }
            }
            (Fault::CutsLongPayloads, Submission::Mail { data, .. }) => {
                if let Some(cut) = data.bytes().get(..65_536) {
                    *data = Payload::new(data.encoding(), cut);
                }
            }
            (Fault::TakesCancelsForTerminations, Submission::Cancel { reason }) => {
                request.what = Submission::Terminate { reason: std::mem::take(reason) };
            }
            _ => {}
        }
        request
    }

    /// An answer without a look at what is stored.
    fn answers_first(&self, request: &Submit, state: &State) -> Option<Submitted> {
        let row = state.instances.values().find(|row| row.key == request.key);
        let is_mail = matches!(request.what, Submission::Mail { .. });
        let is_start = matches!(request.what, Submission::Start { .. });
        let is_damaged = row.is_some_and(|row| {
            row.quarantine.is_some() || row.executions.values().any(|one| one.damaged)
        });
        let times = self.memory().requests.iter().filter(|id| **id == request.request).count();
        match self.fault? {
            Fault::DropsMail if is_mail => Some(Submitted::Accepted),
            Fault::DropsMailDuringATurn if is_mail && row?.lease.is_some() => {
                Some(Submitted::Accepted)
            }
            Fault::DropsMailBeforeTheFirstTurn if is_mail && row?.last_commit.is_none() => {
                Some(Submitted::Accepted)
            }
            Fault::TakesOneCancel if matches!(request.what, Submission::Cancel { .. }) => {
                let first = self.memory().cancelled.insert(request.key.clone());
                (!first).then_some(Submitted::Accepted)
            }
            Fault::TerminatesOnlyTheReadable
                if is_damaged && matches!(request.what, Submission::Terminate { .. }) =>
            {
                Some(Submitted::Accepted)
            }
            Fault::RefusesARepeatedStart if is_start && times > 1 => Some(Submitted::AlreadyExists),
            Fault::AnswersBeforeItWrites if is_start && row.is_none() && times == 1 => {
                self.memory().unwritten.push(request.clone());
                Some(Submitted::Created)
            }
            Fault::AcceptsWhatIsTooLarge => {
                let limits = self.inner.limits();
                let size = match &request.what {
                    Submission::Start { input, name, .. } => {
                        let long = name.len() > limits.name_bytes
                            || request.key.id.0.len() > limits.instance_id_bytes;
                        if long { usize::MAX } else { input.len() }
                    }
                    Submission::Mail { data, .. } => data.len(),
                    _ => 0,
                };
                (size > limits.payload_bytes).then_some(Submitted::Accepted)
            }
            _ => None,
        }
    }

    fn after_a_submit(
        &self,
        state: &mut State,
        request: &Submit,
        stood: (Option<TimeMs>, Option<u32>),
    ) {
        let Some(fault) = self.fault else { return };
        let now = state.now;
        if fault == Fault::RemembersFewRequests {
            let memory = self.memory();
            let few: Vec<_> = memory.requests.iter().rev().take(100).collect();
            state.requests.retain(|id, _| few.contains(&id));
        }
        let is_mail = matches!(request.what, Submission::Mail { .. });
        let Some(row) = state.instances.values_mut().find(|row| row.key == request.key) else {
            return;
        };
        match (fault, &request.what) {
            (Fault::MailEndsADelay, Submission::Mail { .. }) => row.not_before = now,
            (Fault::DelaysTerminations, Submission::Terminate { .. }) => {
                row.not_before = stood.0.unwrap_or(row.not_before);
            }
            (Fault::ForgivesOnMail, _) if is_mail => row.attempt = 0,
            (Fault::MailTakesThePhrase, _) if is_mail => row.waiting = None,
            (Fault::StampsMailAnew, _) if is_mail => {
                if let Some(mut last) = row.inbox.last_entry() {
                    last.get_mut().visible_at = row.created_at;
                }
                let early = row.created_at.0.saturating_sub(10_000);
                if let Some(mut last) = row.inbox.last_entry() {
                    last.get_mut().visible_at = TimeMs(early);
                }
            }
            (Fault::ReplacesBetweenExecutions, Submission::Start { name, .. })
                if row.execution.0 > 1 && row.next_event.0 == 1 =>
            {
                row.name.clone_from(name);
            }
            _ => {}
        }
    }

    /// What was acknowledged before it was written is written at the next call.
    pub(crate) async fn write_what_is_left(&self) -> Answer<()> {
        let unwritten = std::mem::take(&mut self.memory().unwritten);
        for request in unwritten {
            self.inner.submit(request).await?;
        }
        Ok(())
    }

    pub(crate) async fn wait(&self, mut request: WaitForWork) -> Answer<WakeSeq> {
        if self.has(Fault::MissesWakeUps) || self.has(Fault::SharesNoWakeUps) && self.handle > 1 {
            return std::future::pending().await;
        }
        if self.has(Fault::MissesWhatWasBefore) {
            request.after = self.inner.state().wake_seq;
        }
        if self.has(Fault::WaitsTooLong) {
            request.max += Duration::from_hours(24);
        }
        self.memory().waiting += 1;
        let order = self.memory().waiting;
        let done = self.memory().done;
        loop {
            let woken = self.inner.wait_for_work(request.clone()).await;
            if self.memory().closed && self.has(Fault::SleepsThroughClosing) {
                return std::future::pending().await;
            }
            let woken = woken?;
            let not_told = match self.fault {
                Some(
                    Fault::WakesNotForReleases
                    | Fault::WakesNotForCompletions
                    | Fault::WakesNotForMail
                    | Fault::WakesNotForCommits,
                ) => std::mem::take(&mut self.memory().muted),
                Some(Fault::WakesNotWhenTimePasses) => self.memory().done == done,
                Some(Fault::WakesOneWaiter) => order > 1,
                _ => false,
            };
            if !not_told {
                return Ok(woken);
            }
            if woken == request.after {
                return std::future::pending().await;
            }
            request.after = woken;
        }
    }
}
