//! What must hold when all clients have their answers: of each order, and of the store
//! as a whole. Not here: what is checked while the run goes on (`ledger`).

use crate::clients::Order;
use crate::cold::Replay;
use crate::ledger::Ledger;
use crate::workload::{Outside, REST, Receipt, approval_of, is_as_expected};
use crate::wrong::{Verdict, Wrong};
use duroxide_core::{Event, EventId, EventKind, ExecutionId, History, Payload};
use duroxide_provider::env::Env;
use duroxide_provider::{InstanceKey, InstanceState, QueueDepths, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What is looked at.
pub(crate) struct Ended<'a> {
    pub(crate) env: &'a Env,
    pub(crate) store: &'a dyn Store,
    pub(crate) ledger: &'a Ledger,
    pub(crate) outside: &'a Outside,
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Checked {
    pub(crate) events: u64,
    /// States that were equal in a resident copy and a cold replay.
    pub(crate) compared: u64,
}

impl Ended<'_> {
    /// Everything that must hold.
    pub(crate) async fn check(&self, orders: &[Order]) -> Verdict<Checked> {
        let mut checked = Checked::default();
        for order in orders {
            let events = self
                .check_order(order)
                .await
                .map_err(|problem| problem.about(format_args!("`{}`", order.id)))?;
            checked.events += events;
        }
        self.check_nothing_is_left().await?;
        let metrics = self.store.metrics().await?;
        let expected = orders.len() as u64;
        if (metrics.instances, metrics.completed, metrics.running) != (expected, expected, 0) {
            return Err(Wrong::that(format!(
                "{expected} orders, but the store counts {metrics:?}"
            )));
        }
        checked.compared = self.ledger.verdict()?;
        Ok(checked)
    }

    async fn check_order(&self, order: &Order) -> Verdict<u64> {
        let key = InstanceKey::new(order.id.as_str());
        let info = self.store.instance(key.clone()).await?;
        let info = info.ok_or_else(|| Wrong::that("it does not exist"))?;
        let events = self.store.history(key.clone(), ExecutionId::FIRST).await?;
        let rendered = duroxide_core::render(&events);
        let InstanceState::Completed { output } = &info.state else {
            return Err(Wrong::that(format!("it ended with {:?}\n{rendered}", info.state)));
        };
        let receipt: Receipt = decode(output)?;
        if !is_as_expected(&order.id, &receipt) {
            return Err(Wrong::that(format!("it returned {receipt:?}")));
        }
        if info.execution != ExecutionId::FIRST {
            return Err(Wrong::that(format!("it has an execution {}", info.execution)));
        }
        self.check_replay(&key, &events)?;
        let history = History::parse(events)?;
        self.check_history(order, history.events())
            .map_err(|problem| Wrong::that(format!("{problem}\n{rendered}")))?;
        let stats = self.store.stats(key).await?;
        let stats = stats.ok_or_else(|| Wrong::that("it has no sizes"))?;
        let unread = order.approvals - 1;
        if stats.pending_messages > unread {
            return Err(Wrong::that(format!(
                "{} messages are left, not {unread}",
                stats.pending_messages
            )));
        }
        Ok(history.events().len() as u64)
    }

    /// The whole history, replayed cold, leads to the end that the last node saw.
    fn check_replay(&self, key: &InstanceKey, events: &[Event]) -> Verdict {
        let stored = Replay::of(events.to_vec());
        let cold = self.ledger.cold().replay(key.id.clone(), ExecutionId::FIRST, stored)?;
        if !cold.ended {
            return Err(Wrong::that("a cold replay of the whole history has not ended"));
        }
        let mut last = self.ledger.last_fingerprint(key);
        if let Some(resident) = &mut last {
            // Mail that nobody will take any more is not part of what a history says.
            resident.unread.clear();
        }
        match last {
            Some(resident) if resident.next_event == cold.next_event && resident != cold => {
                Err(Wrong::that(format!(
                    "the resident copy and a cold replay of the whole history differ:\n  \
                     resident {resident:?}\n  cold     {cold:?}"
                )))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn check_history(&self, order: &Order, events: &[Event]) -> Verdict {
        let completions = completions_of(events)?;
        let cancelled = cancelled_of(events);
        let mut approvals = 0;
        for event in events {
            #[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds have no rule here")]
            match &event.kind {
                EventKind::ActivityScheduled { input, .. } => {
                    let step: String = decode(input)?;
                    match completions.get(&event.id) {
                        Some(done) => self.check_activity(&step, done)?,
                        None if cancelled.contains(&event.id) => {}
                        None => return Err(Wrong::that(format!("`{step}` was never completed"))),
                    }
                }
                EventKind::TimerCreated { delay_ms, .. } => {
                    if let Some(fired) = completions.get(&event.id)
                        && fired.at.0 < event.at.0 + delay_ms
                    {
                        return Err(Wrong::that(format!(
                            "the timer of event {} was early",
                            event.id
                        )));
                    }
                }
                EventKind::MailDelivered { data, .. } => {
                    approvals += 1;
                    if decode::<String>(data)? != approval_of(&order.id) {
                        return Err(Wrong::that(format!("it got {data:?} as its approval")));
                    }
                }
                _ => {}
            }
        }
        if approvals != 1 {
            return Err(Wrong::that(format!("its approval was recorded {approvals} times")));
        }
        self.check_rest(order)
    }

    /// What is recorded as done was done, at least once, before it was recorded.
    fn check_activity(&self, step: &str, done: &Event) -> Verdict {
        let EventKind::ActivityCompleted { .. } = &done.kind else {
            return Err(Wrong::that(format!("`{step}` ended with {:?}", done.kind)));
        };
        if self.outside.times(step).is_empty() {
            return Err(Wrong::that(format!("`{step}` is recorded as done, and nobody did it")));
        }
        Ok(())
    }

    /// By the outside world's clock too, an order rests for as long as it asked.
    fn check_rest(&self, order: &Order) -> Verdict {
        let first =
            |step: &str| self.outside.times(&format!("{}/{step}", order.id)).into_iter().min();
        let confirmed = [first("confirm-left"), first("confirm-right")].into_iter().flatten().min();
        match (confirmed, first("ship")) {
            (Some(confirmed), Some(shipped)) if shipped >= confirmed + REST => Ok(()),
            (confirmed, shipped) => Err(Wrong::that(format!(
                "it was confirmed at {confirmed:?} and shipped at {shipped:?}: it did not rest"
            ))),
        }
    }

    /// Within a minute nothing waits any more for an instance that has ended.
    async fn check_nothing_is_left(&self) -> Verdict {
        let mut depths = QueueDepths::default();
        for _ in 0..60 {
            depths = self.store.depths().await?;
            if depths == QueueDepths::default() {
                return Ok(());
            }
            self.env.sleep(Duration::from_secs(1)).await;
        }
        Err(Wrong::that(format!("everything has ended, and this is left: {depths:?}")))
    }
}

/// The completion of each command; an error if one has two.
fn completions_of(events: &[Event]) -> Verdict<BTreeMap<EventId, &Event>> {
    let mut completions = BTreeMap::new();
    for event in events {
        let completes = matches!(
            event.kind,
            EventKind::ActivityCompleted { .. }
                | EventKind::ActivityFailed { .. }
                | EventKind::TimerFired { .. }
                | EventKind::MailDelivered { .. }
        );
        if let Some(source) = event.kind.source().filter(|_| completes)
            && completions.insert(source, event).is_some()
        {
            return Err(Wrong::that(format!("event {source} is completed twice")));
        }
    }
    Ok(completions)
}

fn cancelled_of(events: &[Event]) -> BTreeSet<EventId> {
    let cancels = events
        .iter()
        .filter(|event| matches!(event.kind, EventKind::ActivityCancelRequested { .. }));
    cancels.filter_map(|event| event.kind.source()).collect()
}

fn decode<T: serde::de::DeserializeOwned>(payload: &Payload) -> Verdict<T> {
    serde_json::from_slice(payload.bytes())
        .map_err(|error| Wrong::that(format!("{payload:?}: {error}")))
}
