//! What nodes may count on beyond what the suite asks: how news reaches a holder, who is
//! woken and who is not, whose turn it is.

use crate::requests::{
    LEASE, completion, event, first_turn, handing_back, lease, lease_activities, leased, node,
    start, store,
};
use duroxide_core::EventId;
use duroxide_model::{Stored, Trouble};
use duroxide_provider::{
    CommitTurn, Held, Inspect as _, InstanceKey, LeaseId, LeaseOrchestrations, Provider as _,
    ProviderError, ReadHistory, Release, Renew, RequestId, Submission, Submit, Submitted, WakeSeq,
};
use std::time::Duration;

#[tokio::test]
async fn each_instance_is_given_once_even_under_a_lease_of_no_time() {
    let (store, _) = store();
    for (request, id) in [(1, "a"), (2, "b")] {
        store.submit(start(request, id)).await.unwrap();
    }
    let no_time = LeaseOrchestrations { duration: Duration::ZERO, ..lease(3) };
    assert_eq!(store.lease_orchestrations(no_time).await.unwrap().instances.len(), 2);
}

#[tokio::test]
async fn what_finds_and_changes_nothing_wakes_nobody() {
    let (store, got) = leased().await;
    store.commit_turn(first_turn(&got, 4)).await.unwrap();
    let before = store.state().wake_seq;
    assert!(store.lease_orchestrations(lease(5)).await.unwrap().instances.is_empty());
    store.lease_activities(lease_activities(6)).await.unwrap();
    store.renew(Renew { held: handing_back(&got).held, duration: LEASE }).await.unwrap();
    store.instance(InstanceKey::new("a")).await.unwrap();
    assert_eq!(store.state().wake_seq, before);
    store.complete_activity(completion(got.incarnation, 6)).await.unwrap();
    assert_eq!(store.state().wake_seq, WakeSeq(before.0 + 1), "its holder is told");
}

#[tokio::test]
async fn what_a_closed_handle_held_can_be_taken_over_at_once() {
    let (store, got) = leased().await;
    let other = store.another();
    let take_over = LeaseOrchestrations { node: node("n2"), ..lease(5) };
    assert!(other.lease_orchestrations(take_over).await.unwrap().instances.is_empty());
    store.close().await.unwrap();
    let take_over = LeaseOrchestrations { node: node("n2"), ..lease(6) };
    let taken = other.lease_orchestrations(take_over).await.unwrap().instances;
    assert_eq!(taken[0].incarnation, got.incarnation);
    assert_eq!(taken[0].attempt, 2);
}

#[tokio::test]
async fn news_that_did_not_reach_its_holder_is_news_again() {
    let (store, got) = leased().await;
    store.commit_turn(first_turn(&got, 4)).await.unwrap();
    store.submit(event(5, "a")).await.unwrap();
    assert_eq!(store.lease_orchestrations(lease(6)).await.unwrap().instances.len(), 1);
    assert_eq!(store.lease_orchestrations(lease(7)).await.unwrap().instances.len(), 0);
    let held = vec![Held::Instance { incarnation: got.incarnation, lease: LeaseId(6) }];
    let lost = Release { held, commit: None, refund: true, delay: Duration::ZERO };
    store.release(lost).await.unwrap();
    let again = store.lease_orchestrations(lease(8)).await.unwrap().instances;
    assert_eq!(again[0].lease, got.lease, "it is still held");
}

#[tokio::test]
async fn a_turn_puts_its_instance_at_the_back_of_the_queue() {
    let (store, hands) = store();
    let one = |id| LeaseOrchestrations { max: 1, ..lease(id) };
    store.submit(start(1, "a")).await.unwrap();
    store.submit(event(2, "a")).await.unwrap();
    let got = store.lease_orchestrations(one(3)).await.unwrap().instances.remove(0);
    hands.advance(Duration::from_millis(5));
    store.submit(start(4, "b")).await.unwrap();
    hands.advance(Duration::from_millis(5));
    let mut turn = CommitTurn { keep: None, ..first_turn(&got, 5) };
    turn.turn.consumed.truncate(1);
    store.commit_turn(turn).await.unwrap();
    for (lease, next) in [(6, "b"), (7, "a")] {
        let leased = store.lease_orchestrations(one(lease)).await.unwrap().instances;
        assert_eq!(leased[0].key, InstanceKey::new(next));
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_set_aside_and_can_be_terminated() {
    let (store, got) = leased().await;
    store.commit_turn(first_turn(&got, 4)).await.unwrap();
    let key = InstanceKey::new("a");
    store.damage(&key, Stored::History);
    let (incarnation, lease) = (got.incarnation, got.lease);
    let (execution, from, max_bytes) = (got.execution, EventId::FIRST, 1_000);
    let read = ReadHistory { incarnation, execution, lease, from, max_bytes };
    let refused = store.read_history(read).await;
    assert!(matches!(refused, Err(ProviderError::Corrupt { .. })), "{refused:?}");
    let info = store.instance(key.clone()).await.unwrap().unwrap();
    assert!(info.quarantined.is_some() && !info.state.is_terminal(), "{info:?}");
    let what = Submission::Terminate { reason: "enough".to_owned() };
    let terminate = Submit { request: RequestId(5), key: key.clone(), what };
    assert_eq!(store.submit(terminate).await.unwrap(), Submitted::Accepted);
    assert!(store.instance(key).await.unwrap().unwrap().state.is_terminal());
}

#[tokio::test]
async fn trouble_befalls_one_call_and_says_whether_it_was_applied() {
    let (store, _) = store();
    store.trouble(Trouble::Busy);
    let refused = store.submit(start(1, "a")).await;
    assert!(matches!(refused, Err(ProviderError::Busy { .. })), "{refused:?}");
    assert_eq!(store.metrics().await.unwrap().instances, 0);
    store.trouble(Trouble::LostAnswer);
    let lost = store.submit(start(1, "a")).await;
    assert!(matches!(lost, Err(ProviderError::Unknown { .. })), "{lost:?}");
    assert_eq!(store.metrics().await.unwrap().instances, 1);
    assert_eq!(store.submit(start(1, "a")).await.unwrap(), Submitted::Created);
}
