//! What the whole state shows: that calls which must change nothing change nothing, and that
//! the same calls come to the same.

use crate::requests::{
    LEASE, completion, event, first_turn, handing_back, lease, lease_activities, leased, start,
    step, store,
};
use duroxide_core::ExecutionId;
use duroxide_provider::{
    ActivityFate, CommitId, CommitOutcome, CommitRefusal, CommitTurn, Held, Incarnation, LeaseId,
    Provider as _, Renew, Submitted,
};
use std::time::Duration;

/// A life with a bit of everything, and how the store stands after it.
async fn lived() -> serde_json::Value {
    let (store, hands) = store();
    store.submit(start(1, "a")).await.unwrap();
    store.submit(start(2, "b")).await.unwrap();
    let leased = store.lease_orchestrations(lease(3)).await.unwrap();
    store.commit_turn(first_turn(&leased.instances[0], 4)).await.unwrap();
    hands.advance(Duration::from_millis(7));
    store.lease_activities(lease_activities(5)).await.unwrap();
    store.release(handing_back(&leased.instances[1])).await.unwrap();
    store.submit(event(6, "b")).await.unwrap();
    store.snapshot()
}

#[tokio::test]
async fn the_same_calls_come_to_the_same_state() {
    let state = lived().await;
    assert_eq!(state["instances"].as_object().unwrap().len(), 2);
    assert_eq!(state["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(state, lived().await);
}

#[tokio::test]
async fn a_refused_commit_changes_nothing() {
    let (store, got) = leased().await;
    let turn = first_turn(&got, 4);
    let activity = step(got.incarnation);
    let refused: [(CommitTurn, CommitRefusal); 5] = [
        (CommitTurn { incarnation: Incarnation(4711), ..turn.clone() }, CommitRefusal::Gone),
        (CommitTurn { base: Some(CommitId(9)), ..turn.clone() }, CommitRefusal::Conflict),
        (CommitTurn { lease: LeaseId(9), ..turn.clone() }, CommitRefusal::LeaseLost),
        (
            CommitTurn { completed: vec![(activity, LeaseId(9))], ..turn.clone() },
            CommitRefusal::ActivityLost { activity },
        ),
        {
            let mut other = turn.clone();
            other.turn.execution = ExecutionId(2);
            (other, CommitRefusal::Gone)
        },
    ];
    let before = store.snapshot();
    for (request, refusal) in refused {
        let outcome = store.commit_turn(request).await.unwrap();
        assert_eq!(outcome, CommitOutcome::Refused(refusal));
        assert_eq!(store.snapshot(), before);
    }
    assert!(matches!(store.commit_turn(turn).await.unwrap(), CommitOutcome::Applied(_)));
    assert_ne!(store.snapshot(), before);
}

/// Send a request and send it again: the same answer, and nothing more is changed.
macro_rules! twice {
    ($store:ident.$method:ident($request:expr)) => {{
        let answer = $store.$method($request).await.unwrap();
        let after_one = $store.snapshot();
        assert_eq!($store.$method($request).await.unwrap(), answer, stringify!($method));
        assert_eq!($store.snapshot(), after_one, stringify!($method));
        answer
    }};
}

#[tokio::test]
async fn a_request_sent_again_changes_nothing() {
    let (store, _) = store();
    assert_eq!(twice!(store.submit(start(1, "a"))), Submitted::Created);
    assert_eq!(twice!(store.submit(event(2, "a"))), Submitted::Accepted);
    let got = twice!(store.lease_orchestrations(lease(3))).instances.remove(0);
    let applied = twice!(store.commit_turn(first_turn(&got, 4)));
    assert!(matches!(applied, CommitOutcome::Applied(applied) if applied.timers.len() == 1));
    assert_eq!(twice!(store.lease_activities(lease_activities(5))).activities.len(), 1);
    let held = Held::Activity { activity: step(got.incarnation), lease: LeaseId(5) };
    twice!(store.renew(Renew { held: vec![held], duration: LEASE }));
    twice!(store.release(handing_back(&got)));
    let request = completion(got.incarnation, 5);
    assert_eq!(store.complete_activity(request.clone()).await.unwrap(), ActivityFate::Applied);
    let after_one = store.snapshot();
    assert_eq!(store.complete_activity(request).await.unwrap(), ActivityFate::Gone);
    assert_eq!(store.snapshot(), after_one);
}
