//! Calls that meet on the same rows wait for each other in one order, and give each thing to one:
//! no deadlock, which the server would break after a second, and nothing given twice.

use crate::common::work::{LEASE, Run, all_activities, draw, lease, node, start};
use crate::common::{Place, steps};
use duroxide_core::{ChildRequest, End, EventId, Headers, InstanceId, NewStart, Outgoing, Payload};
use duroxide_postgres::PostgresProvider;
use duroxide_provider::{
    CommitOutcome, CommitTurn, Held, Inspect, InstanceKey, LeaseActivities, LeaseId, Provider,
    Renew,
};
use futures_util::future::join_all;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Run these at once, each as a task of its own.
#[expect(clippy::disallowed_methods, reason = "the callers are tasks of this test")]
async fn at_once<T: Send + 'static>(
    calls: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = calls.into_iter().map(tokio::spawn).collect();
    join_all(tasks).await.into_iter().map(Result::unwrap).collect()
}

async fn commit(store: Arc<PostgresProvider>, request: CommitTurn) {
    let outcome = store.commit_turn(request).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Applied(_)), "got {outcome:?}");
}

/// Every instance that is ready, held by this node.
async fn hold(store: &PostgresProvider) -> Vec<Run> {
    let leased = store.lease_orchestrations(lease("n1")).await.unwrap();
    leased.instances.into_iter().map(|instance| Run::new(instance, "n1")).collect()
}

fn child(event: u64, id: String) -> NewStart {
    NewStart {
        event: EventId(event),
        instance: InstanceId(id),
        name: "Flow".to_owned(),
        version: None,
        input: Payload::null(),
        detached: false,
        headers: Headers::new(),
    }
}

fn completed() -> End {
    End::Completed { output: Payload::null() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parents_and_children_that_tell_each_other_do_not_deadlock() {
    let place = Place::new();
    let store = Arc::new(place.create().await);
    for round in 0..30_u64 {
        store.submit(start(&format!("p{round}"))).await.unwrap();
        let mut parent = hold(&store).await.remove(0);
        let mut begin = parent.bare();
        begin.turn.starts = (0..8).map(|n| child(n + 10, format!("c{round}.{n}"))).collect();
        parent.apply(&*store, begin).await;
        let mut turns = Vec::new();
        for run in hold(&store).await {
            let mut turn = run.bare();
            turn.turn.end = Some(completed());
            turns.push(turn);
        }
        assert_eq!(turns.len(), 8);
        // The parent ends, or tells the last child first; the children all end.
        let mut tell = parent.bare();
        if round % 2 == 0 {
            tell.turn.end = Some(completed());
        } else {
            let send = |n: u64| Outgoing {
                event: EventId(n + 20),
                to: InstanceId(format!("c{round}.{n}")),
                child: EventId(n + 10),
                what: ChildRequest::Cancel,
            };
            tell.turn.sends = (0..8).rev().map(send).collect();
        }
        turns.insert(4, tell);
        at_once(turns.into_iter().map(|turn| commit(Arc::clone(&store), turn))).await;
        // Nothing of this round is ready in the next.
        store.delete(InstanceKey::new(format!("p{round}")), true).await.unwrap();
    }
    assert_eq!(store.counters().retries, 0, "calls that were broken off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn turns_that_start_the_same_children_in_another_order_do_not_deadlock() {
    let place = Place::new();
    let store = Arc::new(place.create().await);
    for round in 0..30 {
        for id in ["a", "b"] {
            store.submit(start(&format!("{id}{round}"))).await.unwrap();
        }
        let mut turns = Vec::new();
        for (run, order) in hold(&store).await.into_iter().zip([false, true]) {
            let mut turn = run.bare();
            turn.turn.starts =
                (0..20_u64).map(|n| child(n + 10, format!("c{round}.{n}"))).collect();
            if order {
                turn.turn.starts.reverse();
            }
            turns.push(turn);
        }
        assert_eq!(turns.len(), 2);
        at_once(turns.into_iter().map(|turn| commit(Arc::clone(&store), turn))).await;
        for id in ["a", "b"] {
            store.delete(InstanceKey::new(format!("{id}{round}")), true).await.unwrap();
        }
        assert_eq!(store.metrics().await.unwrap().instances, 0);
    }
    assert_eq!(store.counters().retries, 0, "calls that were broken off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_renewal_and_a_commit_of_the_same_activities_do_not_deadlock() {
    let place = Place::new();
    let store = Arc::new(place.create().await);
    store.submit(start("a")).await.unwrap();
    let mut run = hold(&store).await.remove(0);
    for _ in 0..50 {
        let mut fan_out = run.bare();
        fan_out.turn.activities = steps(fan_out.turn.expect_event.0 + 100, 6);
        if let Some(claim) = &mut fan_out.claim {
            claim.max = 6;
        }
        let (execution, incarnation) = (run.got.execution, run.got.incarnation);
        let lease = fan_out.commit_id.claim_lease();
        let claimed = run.apply(&*store, fan_out).await.claimed;
        assert_eq!(claimed.len(), 6);
        let key = |event| duroxide_provider::ActivityKey { incarnation, execution, event };
        let activities: Vec<_> = claimed.iter().map(|claimed| key(claimed.event)).collect();
        let mut join = run.bare();
        join.turn.fused = activities.iter().rev().map(|activity| activity.event).collect();
        join.completed = activities.iter().rev().map(|activity| (*activity, lease)).collect();
        let held = activities.iter().map(|activity| Held::Activity { activity: *activity, lease });
        let renew = Renew { held: held.collect(), duration: LEASE };
        let renewing = Arc::clone(&store);
        let renewals = at_once((0..3).map(move |_| {
            let (store, renew) = (Arc::clone(&renewing), renew.clone());
            async move { store.renew(renew).await.unwrap() }
        }));
        run.open = None;
        let (_, _) = tokio::join!(renewals, run.apply(&*store, join));
        run.open = None;
    }
    assert_eq!(store.counters().retries, 0, "calls that were broken off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_handles_at_once_never_get_the_same_thing() {
    let place = Place::new();
    let first = place.create().await;
    for n in 0..200 {
        first.submit(start(&format!("i{n}"))).await.unwrap();
    }
    let mut handles = vec![Arc::new(first)];
    for _ in 1..10 {
        handles.push(Arc::new(place.handle().await));
    }
    let turns = handles.iter().enumerate().map(|(n, store)| {
        let store = Arc::clone(store);
        async move {
            let mut got = Vec::new();
            loop {
                let leased = store.lease_orchestrations(lease(&format!("n{n}"))).await.unwrap();
                if leased.instances.is_empty() {
                    return got;
                }
                for instance in leased.instances {
                    got.push(instance.incarnation);
                    let mut run = Run::new(instance, &format!("n{n}"));
                    let mut turn = run.step();
                    (turn.claim, turn.keep) = (None, None);
                    run.apply(&*store, turn).await;
                }
            }
        }
    });
    let got: Vec<_> = at_once(turns.collect::<Vec<_>>()).await.into_iter().flatten().collect();
    assert_eq!(got.len(), 200);
    assert_eq!(got.into_iter().collect::<BTreeSet<_>>().len(), 200);
    let works = handles.iter().enumerate().map(|(n, store)| {
        let store = Arc::clone(store);
        async move {
            let mut got = Vec::new();
            loop {
                let leased = store.lease_activities(ask(&format!("n{n}"))).await.unwrap();
                if leased.activities.is_empty() {
                    return got;
                }
                got.extend(leased.activities.into_iter().map(|activity| activity.activity));
            }
        }
    });
    let got: Vec<_> = at_once(works.collect::<Vec<_>>()).await.into_iter().flatten().collect();
    assert_eq!(got.len(), 200);
    assert_eq!(got.into_iter().collect::<BTreeSet<_>>().len(), 200);
}

fn ask(name: &str) -> LeaseActivities {
    LeaseActivities {
        lease: LeaseId(draw()),
        node: node(name),
        filter: all_activities(),
        max: 7,
        duration: LEASE,
    }
}
