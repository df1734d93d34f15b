//! Calls at once. The last store gets them together; their answers, and what everybody sees
//! afterwards, must be those of some order in which the reference gets them one by one. Then all
//! others get them in that order.
//!
//! Left out are calls whose order shows only later (two messages for one inbox, say): then no
//! order could be settled on. And leases come with leases only: a store may pass over what
//! another call is busy with.

use crate::call::{Answer, Call, Outcome};
use crate::diff;
use crate::lockstep::Lockstep;
use crate::subject::Subject;
use crate::tables;
use crate::world::World;
use duroxide_core::Commit;
use duroxide_provider::{Held, Incarnation, InstanceKey, ProviderError, Submission};
use std::collections::BTreeSet;
use std::fmt::Write as _;

impl Lockstep<'_, '_> {
    pub(crate) async fn at_once(&mut self, handle: u8, calls: Vec<Call>) -> Result<(), String> {
        let calls = compatible(&self.world, calls);
        let Some(last) = self.subjects.len().checked_sub(1).filter(|last| *last > 0) else {
            return Ok(());
        };
        if calls.is_empty() {
            return Ok(());
        }
        self.tick().await;
        let together: Vec<&Call> = calls.iter().collect();
        let answers = self.subjects[last].send_all(handle, &together).await?;
        let found = numbered(&mut self.subjects[last], &calls, answers)?;
        let order = self.explain(handle, &calls, &found).await?;
        self.follow(handle, &calls, (&order, &found)).await?;
        self.report.coverage.batches.0 += 1;
        self.report.coverage.batches.1 += u64::from(!order.is_sorted());
        Ok(())
    }

    /// The order in which the reference gives the same answers, and shows the same.
    async fn explain(
        &mut self,
        handle: u8,
        calls: &[Call],
        found: &[Outcome],
    ) -> Result<Vec<usize>, String> {
        let views = self.world.views();
        let mut first = None;
        let seen = {
            let Some(last) = self.subjects.last_mut() else { return Ok(Vec::new()) };
            let names = last.names.clone();
            let seen = last.views(handle, &views).await?;
            last.names = names;
            seen
        };
        for order in orders(calls.len()) {
            let mut fork = self.subjects[0].fork().await?;
            let expected = in_order(&mut fork, handle, (calls, &order)).await?;
            let shown = fork.views(handle, &views).await?;
            fork.close().await?;
            if expected == found && shown == seen {
                return Ok(order);
            }
            first.get_or_insert((expected, shown));
        }
        let name = self.subjects.last().map_or("", |subject| subject.kind.name);
        let Some((expected, shown)) = first else { return Ok(Vec::new()) };
        let names = (self.subjects[0].kind.name, name);
        let all = calls.iter().chain(&views);
        let pairs = expected.iter().chain(&shown).zip(found.iter().chain(&seen));
        let mut text = format!("no order of calls at once explains the answers of {name}:");
        for (call, outcome) in calls.iter().zip(found) {
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
        handle: u8,
        calls: &[Call],
        (order, found): (&[usize], &[Outcome]),
    ) -> Result<(), String> {
        let last = self.subjects.len() - 1;
        for other in 0..last {
            let outcomes = in_order(&mut self.subjects[other], handle, (calls, order)).await?;
            for (call, pair) in calls.iter().zip(outcomes.iter().zip(found)) {
                if pair.0 != pair.1 {
                    let names = (self.subjects[other].kind.name, self.subjects[last].kind.name);
                    return Err(diff::describe(names, call, pair));
                }
            }
        }
        for at in order {
            self.note(&calls[*at], &found[*at], " (at once with others)");
            self.world.learn(&calls[*at], &found[*at]);
        }
        Ok(())
    }
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
    /// A new instance.
    Created,
    /// Something in the queue of activities, or when a session began to idle.
    Queued,
}

/// The calls that can come at once.
fn compatible(world: &World, calls: Vec<Call>) -> Vec<Call> {
    let mut kept: Vec<Call> = Vec::new();
    for call in calls {
        let waits = matches!(&call, Call::Watch(request) if !request.max.is_zero());
        let fits = !waits
            && kept.iter().all(|other| {
                is_lease(other) == is_lease(&call) && (other == &call || fit(world, other, &call))
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

fn fit(world: &World, one: &Call, other: &Call) -> bool {
    match (one, other) {
        // Of two turns of one instance only one is taken.
        (Call::CommitTurn(one), Call::CommitTurn(other))
            if one.incarnation == other.incarnation =>
        {
            true
        }
        // Of several that are ready two calls may each take some, each passing over what the
        // other has its hands on: no order does that, unless each takes one.
        (Call::LeaseOrchestrations(one), Call::LeaseOrchestrations(other)) => {
            one.max == 1 && other.max == 1
        }
        // Nor does any order explain who has its hands on a session.
        (Call::LeaseActivities(_), Call::LeaseActivities(_)) => false,
        // Of two completions of one activity only one is taken.
        (Call::CommitTurn(turn), Call::CompleteActivity(done))
        | (Call::CompleteActivity(done), Call::CommitTurn(turn)) => {
            let same = turn.completed.iter().all(|(activity, _)| *activity == done.activity);
            let Commit { activities, cancelled_activities, end, .. } = &turn.turn;
            let plain = activities.is_empty() && cancelled_activities.is_empty() && end.is_none();
            (same && plain) || traces(world, one).is_disjoint(&traces(world, other))
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
            touches_work(&request.held).then_some(Trace::Queued).into_iter().collect()
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
