//! Calls that meet: who waits, who passes over, who is rolled back.

use crate::requests::{
    LEASE, activity, begun, claiming, ending, event, lease, lease_activities, start, starting,
    step, turn, wait,
};
use crate::world::{at, at_each, ms, server};
use duroxide_provider::{
    CommitOutcome, CommitRefusal, Held, Inspect as _, InstanceKey, LeaseState, Provider as _, Renew,
};
use duroxide_sim_postgres::{Kind, SqlState, Verdict};
use futures_util::future::join;
use std::collections::BTreeSet;

#[tokio::test(start_paused = true)]
async fn two_lease_calls_that_overlap_never_grant_the_same_row() {
    let mut passed_over = 0;
    for seed in 0..50 {
        let (store, _) = server(seed);
        for (number, id) in ["a", "b", "c", "d", "e", "f"].into_iter().enumerate() {
            store.submit(start(number as u128, id)).await.unwrap();
        }
        let (one, two) = join(
            store.lease_orchestrations(lease(101, "n1")),
            store.lease_orchestrations(lease(102, "n2")),
        )
        .await;
        let given = [one.unwrap().instances, two.unwrap().instances].concat();
        let ids: BTreeSet<_> = given.iter().map(|got| got.incarnation).collect();
        assert_eq!((given.len(), ids.len()), (6, 6), "seed {seed}");
        passed_over += store.counters().passed_over;
    }
    assert!(passed_over > 50, "{passed_over}");
}

#[tokio::test(start_paused = true)]
async fn a_lease_call_passes_over_a_locked_row_and_does_not_wait_for_it() {
    let (store, env) = server(1);
    store.submit(start(1, "a")).await.unwrap();
    store.submit(start(2, "b")).await.unwrap();
    at(&store, "submit", Kind::Commit, 3, Verdict::Delay(ms(5_000)));
    let leasing = async {
        env.sleep(ms(100)).await;
        let got = store.lease_orchestrations(lease(3, "n1")).await.unwrap();
        (got.instances, env.clock.monotonic())
    };
    let (sent, (got, at)) = join(store.submit(event(4, "a")), leasing).await;
    sent.unwrap();
    assert!(at < ms(1_000), "{at:?}");
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].key, InstanceKey::new("b"));
    assert_eq!(store.counters().passed_over, 1);
    let rest = store.lease_orchestrations(lease(5, "n1")).await.unwrap();
    assert_eq!(rest.instances[0].arrivals.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_passed_over_a_row_whose_call_came_to_nothing_looks_again() {
    let mut passed_over = 0;
    for seed in 0..50 {
        let (store, env) = server(seed);
        store.submit(start(1, "a")).await.unwrap();
        at(&store, "submit", Kind::Commit, 2, Verdict::Fail(SqlState::DiskFull));
        let both = join(store.submit(event(2, "a")), store.lease_orchestrations(lease(3, "n1")));
        let (refused, leased) = both.await;
        assert!(refused.is_err());
        let leased = leased.unwrap();
        if leased.instances.is_empty() {
            passed_over += store.counters().passed_over;
            store.wait_for_work(wait("n1", leased.wake_seq)).await.unwrap();
            let now = env.clock.monotonic();
            assert!(now >= ms(11_000) && now < ms(11_100), "seed {seed}: {now:?}");
            let again = store.lease_orchestrations(lease(4, "n1")).await.unwrap();
            assert_eq!(again.instances.len(), 1, "seed {seed}");
        }
    }
    assert!(passed_over > 3, "{passed_over}");
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_waited_behind_another_looks_at_its_lease_again_and_is_refused() {
    let (store, env) = server(2);
    let got = begun(&*store, "a", "n1").await;
    store.submit(event(1, "a")).await.unwrap();
    env.sleep(LEASE + ms(1)).await;
    at(&store, "lease_orchestrations", Kind::Commit, 2, Verdict::Delay(ms(500)));
    let committing = async {
        env.sleep(ms(100)).await;
        store.commit_turn(turn(&got, "n1", 7)).await.unwrap()
    };
    let taking = store.lease_orchestrations(lease(3, "n2"));
    let (taken, outcome) = join(taking, committing).await;
    assert_eq!(taken.unwrap().instances.len(), 1);
    assert_eq!(outcome, CommitOutcome::Refused(CommitRefusal::LeaseLost));
    assert_eq!(store.counters().waits, 1);
}

#[tokio::test(start_paused = true)]
async fn who_waited_finds_what_was_made_meanwhile_and_waits_for_that_too() {
    let (store, env) = server(3);
    let got = begun(&*store, "a", "n1").await;
    at_each(
        &store,
        vec![
            ("commit_turn", Kind::Commit, 1, Verdict::Delay(ms(500))),
            ("delete", Kind::Lock, 2, Verdict::Delay(ms(500))),
            ("lease_orchestrations", Kind::Commit, 2, Verdict::Delay(ms(2_000))),
        ],
    );
    let committing = store.commit_turn(starting(turn(&got, "n1", 7), "child"));
    // It waits for the root, then finds the child, which a lease call has locked by then.
    let deleting = async {
        env.sleep(ms(100)).await;
        store.delete(InstanceKey::new("a"), true).await.unwrap()
    };
    let leasing = async {
        env.sleep(ms(700)).await;
        store.lease_orchestrations(lease(8, "n2")).await.unwrap()
    };
    let (committed, (deleted, leased)) = join(committing, join(deleting, leasing)).await;
    assert!(matches!(committed.unwrap(), CommitOutcome::Applied(_)));
    assert_eq!(leased.instances.len(), 1, "what it had locked was deleted under its hands");
    assert_eq!(deleted.instances, 2);
    assert_eq!(store.metrics().await.unwrap().instances, 0);
}

#[tokio::test(start_paused = true)]
async fn a_deadlock_has_one_victim_and_both_calls_end_right() {
    let (store, env) = server(4);
    let parent = begun(&*store, "a", "n1").await;
    let first = starting(claiming(turn(&parent, "n1", 7)), "child");
    store.commit_turn(first.clone()).await.unwrap();
    let child = store.lease_orchestrations(lease(8, "n1")).await.unwrap().instances.remove(0);
    // The one holds the activity and wants the child, the other the reverse.
    at_each(
        &store,
        vec![
            ("commit_turn", Kind::Lock, 5, Verdict::Delay(ms(50))),
            ("renew", Kind::Lock, 2, Verdict::Delay(ms(20))),
        ],
    );
    let (instance, lease) = (child.incarnation, child.lease);
    let held = vec![
        Held::Instance { incarnation: instance, lease },
        Held::Activity {
            activity: activity(parent.incarnation),
            lease: first.commit_id.claim_lease(),
        },
    ];
    let renewing = store.renew(Renew { held, duration: LEASE });
    let (committed, renewed) = join(store.commit_turn(ending(&first, 9)), renewing).await;
    assert!(matches!(committed.unwrap(), CommitOutcome::Applied(_)));
    assert_eq!(renewed.unwrap(), [LeaseState::Held, LeaseState::CancelRequested]);
    let counters = store.counters();
    assert_eq!((counters.deadlocks, counters.retries, counters.waits), (1, 1, 2), "{counters:?}");
    assert!(env.clock.monotonic() < ms(1_500));
}

#[tokio::test(start_paused = true)]
async fn activities_of_sessions_that_are_not_for_a_node_keep_it_from_nothing() {
    let (store, _) = server(5);
    let got = begun(&*store, "a", "n1").await;
    let mut request = turn(&got, "n1", 7);
    // More for one session than a call leases, then more sessions than a node may own.
    let sessions = [Some("s"), Some("s"), Some("s"), Some("s"), Some("t"), Some("u"), None];
    for (event, session) in (2..).zip(sessions) {
        request.turn.activities.push(step(event, session));
    }
    store.commit_turn(request).await.unwrap();
    let of = async |lease: u128, node: &str| {
        let leased = store.lease_activities(lease_activities(lease, node)).await.unwrap();
        let sessions = leased.activities.into_iter().map(|one| one.session.unwrap_or_default());
        sessions.collect::<Vec<_>>()
    };
    assert_eq!(of(21, "n1").await, ["s", "s", "s"]);
    assert_eq!(of(22, "n2").await, ["t", ""]);
    assert_eq!(of(23, "n3").await, ["u"]);
    assert_eq!(of(24, "n1").await, ["s"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_clock_went_back_takes_a_session_when_the_newer_run_left_it_idle() {
    let (store, env) = server(5);
    let got = begun(&*store, "a", "n1").await;
    let mut request = turn(&got, "n1", 7);
    request.turn.activities.extend([step(2, Some("s")), step(3, Some("s"))]);
    store.commit_turn(request).await.unwrap();
    let of = async |lease: u128, run: u64| {
        let mut request = lease_activities(lease, "n1");
        (request.node.run, request.max) = (run, 1);
        store.lease_activities(request).await.unwrap().activities.len()
    };
    assert_eq!((of(21, 9).await, of(22, 8).await), (1, 0));
    env.sleep(lease_activities(22, "n1").filter.sessions.idle).await;
    assert_eq!(of(22, 8).await, 1);
}

#[tokio::test(start_paused = true)]
async fn two_nodes_that_ask_for_activities_at_once_share_no_activity_and_no_session() {
    let mut passed_over = 0;
    for seed in 0..30 {
        let (store, _) = server(seed);
        let got = begun(&*store, "a", "n1").await;
        let mut request = turn(&got, "n1", 7);
        for (event, session) in (2..).zip([Some("s"), Some("s"), None, None]) {
            request.turn.activities.push(step(event, session));
        }
        store.commit_turn(request).await.unwrap();
        let (one, two) = join(
            store.lease_activities(lease_activities(21, "n1")),
            store.lease_activities(lease_activities(22, "n2")),
        )
        .await;
        let (one, two) = (one.unwrap().activities, two.unwrap().activities);
        let events: BTreeSet<_> =
            one.iter().chain(&two).map(|leased| leased.activity.event).collect();
        assert_eq!(events.len(), one.len() + two.len(), "seed {seed}");
        let owns = |of: &[duroxide_provider::LeasedActivity]| {
            of.iter().any(|leased| leased.session.is_some())
        };
        assert!(!(owns(&one) && owns(&two)), "seed {seed}");
        passed_over += store.counters().passed_over;
    }
    assert!(passed_over > 10, "{passed_over}");
}
