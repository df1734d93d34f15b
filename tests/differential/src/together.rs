//! Calls at once. The last store gets them together; their answers, and what everybody sees
//! afterwards, must be those of some order in which the reference gets them one by one. Then all
//! others get them in that order.
//!
//! Within a sequence calls are left out whose order shows only later (two messages for one inbox,
//! say): then no order could be settled on. At its end none are, since then all that is left is
//! taken out of the store, and shows it. And leases come with leases only: a store may pass over
//! what another call is busy with.

use crate::call::{Answer, Call, Outcome};
use crate::diff;
use crate::drain::LATER;
use crate::lockstep::Lockstep;
use crate::subject::Subject;
use crate::tables;
use crate::world::World;
use duroxide_core::Commit;
use duroxide_provider::{Held, Incarnation, InstanceKey, ProviderError, Submission};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Calls at once.
struct Batch<'c> {
    handle: u8,
    calls: &'c [Call],
    /// What everybody sees afterwards.
    views: &'c [Call],
    /// What takes everything out of the store, at the end of a sequence.
    drain: Vec<Call>,
}

/// What came of them.
#[derive(PartialEq)]
struct Came {
    answers: Vec<Outcome>,
    shown: Vec<Outcome>,
    drained: Vec<Outcome>,
}

impl Came {
    fn all(&self) -> impl Iterator<Item = &Outcome> {
        self.answers.iter().chain(&self.shown).chain(&self.drained)
    }
}

impl Lockstep<'_, '_> {
    /// Calls that show at once in which order they came.
    pub(crate) async fn at_once(&mut self, handle: u8, calls: Vec<Call>) -> Result<(), String> {
        let calls = compatible(&self.world, calls);
        if calls.is_empty() { Ok(()) } else { self.settle(handle, &calls, false).await }
    }

    /// The end of the sequence: any calls, since all that they left behind is then taken out.
    pub(crate) async fn finale(&mut self, handle: u8, calls: Vec<Call>) -> Result<(), String> {
        let calls = any_at_all(calls);
        self.settle(handle, &calls, true).await
    }

    async fn settle(&mut self, handle: u8, calls: &[Call], is_last: bool) -> Result<(), String> {
        let Some(last) = self.subjects.len().checked_sub(1).filter(|last| *last > 0) else {
            return Ok(());
        };
        self.tick().await;
        let views = self.world.views();
        let subject = &mut self.subjects[last];
        let together: Vec<&Call> = calls.iter().collect();
        let answers = subject.send_all(handle, &together).await?;
        let answers = numbered(subject, calls, answers)?;
        let shown = seen(subject, handle, &views).await?;
        let drained =
            if is_last { subject.drain(handle, &mut self.world).await? } else { Vec::new() };
        let (drain, drained) = drained.into_iter().unzip();
        let batch = Batch { handle, calls, views: &views, drain };
        let found = Came { answers, shown, drained };
        let order = self.explain(&batch, &found).await?;
        self.follow(&batch, (&order, &found)).await?;
        if calls.len() > 1 {
            self.report.coverage.batches.0 += 1;
            self.report.coverage.batches.1 += u64::from(!order.is_sorted());
        }
        Ok(())
    }

    /// The order in which the reference gives the same answers, and shows the same.
    async fn explain(&mut self, batch: &Batch<'_>, found: &Came) -> Result<Vec<usize>, String> {
        let mut first = None;
        for order in orders(batch.calls.len()) {
            let mut fork = self.subjects[0].fork().await?;
            let answers = in_order(&mut fork, batch.handle, (batch.calls, &order)).await?;
            let shown = seen(&mut fork, batch.handle, batch.views).await?;
            let drained = fork.drain_alike(batch.handle, &batch.drain).await?;
            fork.close().await?;
            let expected = Came { answers, shown, drained };
            if expected == *found {
                return Ok(order);
            }
            first.get_or_insert(expected);
        }
        let name = self.subjects.last().map_or("", |subject| subject.kind.name);
        let Some(expected) = first else { return Ok(Vec::new()) };
        let names = (self.subjects[0].kind.name, name);
        let all = batch.calls.iter().chain(batch.views).chain(&batch.drain);
        let pairs = expected.all().zip(found.all());
        let mut text = format!("no order of calls at once explains the answers of {name}:");
        for (call, outcome) in batch.calls.iter().zip(&found.answers) {
            let _ = write!(text, "\n    {}\n      → {}", diff::call(call), diff::outcome(outcome));
        }
        for (call, pair) in all.zip(pairs).filter(|(_, (expected, found))| expected != found) {
            let _ = write!(text, "\n  one after another, {}", diff::describe(names, call, pair));
        }
        Err(text)
    }

    /// All but the last, in an order that is known to explain it.
    async fn follow(
        &mut self,
        batch: &Batch<'_>,
        (order, found): (&[usize], &Came),
    ) -> Result<(), String> {
        let (calls, last) = (batch.calls, self.subjects.len() - 1);
        for other in 0..last {
            let subject = &mut self.subjects[other];
            let mut outcomes = in_order(subject, batch.handle, (calls, order)).await?;
            outcomes.extend(subject.drain_alike(batch.handle, &batch.drain).await?);
            let found = found.answers.iter().chain(&found.drained);
            for (call, pair) in calls.iter().chain(&batch.drain).zip(outcomes.iter().zip(found)) {
                if pair.0 != pair.1 {
                    let names = (self.subjects[other].kind.name, self.subjects[last].kind.name);
                    return Err(diff::describe(names, call, pair));
                }
            }
        }
        for at in order {
            self.note(&calls[*at], &found.answers[*at], " (at once with others)");
            self.world.learn(&calls[*at], &found.answers[*at]);
        }
        if !batch.drain.is_empty() {
            self.world.pass(LATER);
        }
        for (call, outcome) in batch.drain.iter().zip(&found.drained) {
            self.note(call, outcome, " (to take what is left)");
            self.world.learn(call, outcome);
        }
        Ok(())
    }
}

/// What everybody sees, without its names being taken for those that callers know.
async fn seen(
    subject: &mut Subject<'_>,
    handle: u8,
    views: &[Call],
) -> Result<Vec<Outcome>, String> {
    let names = subject.names.clone();
    let seen = subject.views(handle, views).await?;
    subject.names = names;
    Ok(seen)
}

/// One after another in this order; answers as the calls are numbered, so that names are.
async fn in_order(
    subject: &mut Subject<'_>,
    handle: u8,
    (calls, order): (&[Call], &[usize]),
) -> Result<Vec<Outcome>, String> {
    let mut answers = Vec::new();
    for at in order {
        let handle = handle.wrapping_add(u8::try_from(*at).unwrap_or(0));
        answers.push((*at, subject.send(handle, &calls[*at]).await?));
    }
    answers.sort_by_key(|(at, _)| *at);
    numbered(subject, calls, answers.into_iter().map(|(_, answer)| answer).collect())
}

fn numbered(
    subject: &mut Subject<'_>,
    calls: &[Call],
    answers: Vec<Result<Answer, ProviderError>>,
) -> Result<Vec<Outcome>, String> {
    calls.iter().zip(answers).map(|(call, answer)| subject.number(call, answer)).collect()
}

/// Every order of so many, that of the calls first.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..count {
        all = all
            .iter()
            .flat_map(|order| {
                (0..count)
                    .filter(|next| !order.contains(next))
                    .map(|next| order.iter().copied().chain([next]).collect())
            })
            .collect();
    }
    all
}

/// What a call leaves behind whose order shows only later.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trace {
    /// Something in an inbox, or readiness.
    Inbox(InstanceKey),
    /// Until when an instance is held.
    Held(Incarnation),
    /// A new instance.
    Created,
    /// Something in the queue of activities, or when a session began to idle.
    Queued,
}

/// The calls that can come at once and show their order.
fn compatible(world: &World, calls: Vec<Call>) -> Vec<Call> {
    kept(calls, |one, other| fit(world, one, other))
}

/// The calls that can come at once when everything shows.
fn any_at_all(calls: Vec<Call>) -> Vec<Call> {
    kept(calls, |one, other| fit_as_leases(one, other).unwrap_or(true))
}

fn kept(calls: Vec<Call>, fit: impl Fn(&Call, &Call) -> bool) -> Vec<Call> {
    let mut kept: Vec<Call> = Vec::new();
    for call in calls {
        let waits = matches!(&call, Call::Watch(request) if !request.max.is_zero());
        let fits = !waits
            && kept.iter().all(|other| {
                is_lease(other) == is_lease(&call) && (other == &call || fit(other, &call))
            });
        if fits {
            kept.push(call);
        }
    }
    kept
}

fn is_lease(call: &Call) -> bool {
    matches!(call, Call::LeaseOrchestrations(_) | Call::LeaseActivities(_))
}

/// Of two leases.
fn fit_as_leases(one: &Call, other: &Call) -> Option<bool> {
    match (one, other) {
        // Of several that are ready two calls may each take some, each passing over what the
        // other has its hands on: no order does that, unless each takes one.
        (Call::LeaseOrchestrations(one), Call::LeaseOrchestrations(other)) => {
            Some(one.max == 1 && other.max == 1)
        }
        // Nor does any order explain who has its hands on a session.
        (Call::LeaseActivities(_), Call::LeaseActivities(_)) => Some(false),
        _ => None,
    }
}

fn fit(world: &World, one: &Call, other: &Call) -> bool {
    if let Some(fit) = fit_as_leases(one, other) {
        return fit;
    }
    match (one, other) {
        // Of two turns of one instance only one is taken.
        (Call::CommitTurn(one), Call::CommitTurn(other))
            if one.incarnation == other.incarnation =>
        {
            true
        }
        // Of two completions of one activity only one is taken.
        (Call::CommitTurn(turn), Call::CompleteActivity(done))
        | (Call::CompleteActivity(done), Call::CommitTurn(turn)) => {
            let same = |(activity, _): &_| *activity == done.activity;
            let same = !turn.completed.is_empty() && turn.completed.iter().all(same);
            let Commit { activities, cancelled_activities, starts, sends, end, .. } = &turn.turn;
            let queues = !activities.is_empty() || !cancelled_activities.is_empty();
            let tells = !starts.is_empty() || !sends.is_empty() || end.is_some();
            (same && !queues && !tells) || traces(world, one).is_disjoint(&traces(world, other))
        }
        _ => traces(world, one).is_disjoint(&traces(world, other)),
    }
}

fn traces(world: &World, call: &Call) -> BTreeSet<Trace> {
    let inbox = |incarnation: Incarnation| world.key_of(incarnation).cloned().map(Trace::Inbox);
    match call {
        Call::Submit(request) => {
            let mut traces = BTreeSet::from([Trace::Inbox(request.key.clone())]);
            if matches!(request.what, Submission::Start { .. }) {
                traces.insert(Trace::Created);
            }
            traces
        }
        Call::CompleteActivity(request) => {
            inbox(request.activity.incarnation).into_iter().chain([Trace::Queued]).collect()
        }
        Call::CommitTurn(request) => {
            let turn = &request.turn;
            let own = world.key_of(request.incarnation);
            let mut traces = BTreeSet::new();
            if turn.end.is_some() || !turn.starts.is_empty() || !turn.sends.is_empty() {
                traces.insert(Trace::Created);
                // A start that is refused is told to the one that asked.
                let all = !turn.starts.is_empty();
                let keys = tables::keys().filter(|key| all || Some(key) != own);
                traces.extend(keys.map(Trace::Inbox));
            }
            let removes = turn.end.is_some() || !turn.cancelled_activities.is_empty();
            if removes || !turn.activities.is_empty() || !request.completed.is_empty() {
                traces.insert(Trace::Queued);
            }
            traces.extend(request.keep.map(|_| Trace::Held(request.incarnation)));
            // Due at once, it arrives at the moment at which others do.
            if turn.timers.iter().any(|timer| timer.delay_ms == 0) {
                traces.extend(own.cloned().map(Trace::Inbox));
            }
            traces
        }
        Call::Release(request) => {
            let instances = request.held.iter().filter_map(|held| match held {
                Held::Instance { incarnation, .. } => Some(*incarnation),
                Held::Activity { .. } => None,
            });
            let commit = request.commit.map(|(incarnation, _)| incarnation);
            let own = instances.chain(commit).filter_map(inbox);
            own.chain(touches_work(&request.held).then_some(Trace::Queued)).collect()
        }
        Call::Renew(request) => {
            let instances = request.held.iter().filter_map(|held| match held {
                Held::Instance { incarnation, .. } => Some(Trace::Held(*incarnation)),
                Held::Activity { .. } => None,
            });
            instances.chain(touches_work(&request.held).then_some(Trace::Queued)).collect()
        }
        Call::Delete(..) | Call::DeleteMany(_) => {
            tables::keys().map(Trace::Inbox).chain([Trace::Queued]).collect()
        }
        _ => BTreeSet::new(),
    }
}

fn touches_work(held: &[Held]) -> bool {
    held.iter().any(|held| matches!(held, Held::Activity { .. }))
}
