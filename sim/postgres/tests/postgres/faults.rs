//! Failures of the server, and what the provider's retries make of them.

use crate::requests::{LEASE, begun, event, lease, start, turn};
use crate::world::{at, env, ms, server};
use duroxide_provider::{
    CommitOutcome, CommitRefusal, Inspect as _, InstanceKey, Provider as _, ProviderError,
    Submitted,
};
use duroxide_sim_postgres::{Kind, ModelledPostgres, Options, SqlState, Verdict};
use futures_util::future::join;
use std::sync::atomic::Ordering;

#[tokio::test(start_paused = true)]
async fn a_call_that_was_rolled_back_is_sent_again_and_applied_once() {
    for state in [
        SqlState::SerializationFailure,
        SqlState::LockNotAvailable,
        SqlState::QueryCanceled,
        SqlState::TooManyConnections,
        SqlState::AdminShutdown,
    ] {
        let (store, _) = server(1);
        at(&store, "submit", Kind::Commit, 1, Verdict::Fail(state));
        assert_eq!(store.submit(start(1, "a")).await.unwrap(), Submitted::Created, "{state:?}");
        let counters = store.counters();
        assert_eq!((counters.sessions["submit"], counters.commits), (2, 1), "{state:?}");
        assert_eq!((counters.rolled_back, counters.failures[&state]), (1, 1), "{state:?}");
        assert_eq!(store.metrics().await.unwrap().instances, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_after_the_commit_is_one_of_the_connection_and_nothing_is_done_twice() {
    for state in [SqlState::SerializationFailure, SqlState::ConnectionFailure] {
        let (store, _) = server(1);
        at(&store, "submit", Kind::Committed, 2, Verdict::Fail(state));
        store.submit(start(1, "a")).await.unwrap();
        assert_eq!(store.submit(event(2, "a")).await.unwrap(), Submitted::Accepted);
        assert_eq!(store.counters().sessions["submit"], 3);
        assert_eq!(store.stats(InstanceKey::new("a")).await.unwrap().unwrap().pending_messages, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_provider_gives_up_when_its_patience_is_over_and_says_whether_it_was_applied() {
    for (state, busy) in [(SqlState::SerializationFailure, true), (SqlState::AdminShutdown, false)]
    {
        let (store, env) = server(1);
        store.on_statement(Box::new(move |statement| {
            if statement.kind == Kind::Commit { Verdict::Fail(state) } else { Verdict::Go }
        }));
        let refused = store.submit(start(1, "a")).await;
        assert_eq!(matches!(refused, Err(ProviderError::Busy { .. })), busy, "{refused:?}");
        assert_eq!(matches!(refused, Err(ProviderError::Unknown { .. })), !busy, "{refused:?}");
        let spent = env.clock.monotonic();
        assert!(spent > ms(9_000) && spent < ms(10_100), "{spent:?}");
        assert_eq!(store.metrics().await.unwrap().instances, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_is_said_at_once() {
    let (store, _) = server(1);
    at(&store, "submit", Kind::Commit, 1, Verdict::Fail(SqlState::DiskFull));
    let refused = store.submit(start(1, "a")).await;
    assert!(matches!(refused, Err(ProviderError::Full { .. })), "{refused:?}");
    assert_eq!(store.counters().retries, 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_is_given_up_after_a_minute() {
    let (store, env) = server(1);
    at(&store, "submit", Kind::Committed, 1, Verdict::LoseAnswer);
    let unknown = store.submit(start(1, "a")).await;
    assert!(matches!(unknown, Err(ProviderError::Unknown { .. })), "{unknown:?}");
    assert!(env.clock.monotonic() > ms(59_000));
    assert_eq!(store.submit(start(1, "a")).await.unwrap(), Submitted::Created);
    assert_eq!(store.metrics().await.unwrap().instances, 1);
}

#[tokio::test(start_paused = true)]
async fn a_restart_rolls_back_what_is_under_way_and_keeps_what_was_committed() {
    let (store, env) = server(1);
    let got = begun(&*store, "a", "n1").await;
    // By then it is on the disk.
    env.sleep(ms(600)).await;
    at(&store, "commit_turn", Kind::Commit, 1, Verdict::Delay(ms(60_000)));
    let restarting = async {
        env.sleep(ms(1_000)).await;
        let before = store.model().snapshot();
        store.restart();
        assert_eq!(store.model().snapshot()["instances"], before["instances"]);
        // Its locks went with it: another call is not held up.
        store.submit(event(5, "a")).await.unwrap();
        assert!(env.clock.monotonic() < ms(1_700));
    };
    let (committed, ()) = join(store.commit_turn(turn(&got, "n1", 7)), restarting).await;
    // Sent again by the provider: the lease outlived the server.
    assert!(matches!(committed.unwrap(), CommitOutcome::Applied(_)));
    let counters = store.counters();
    assert_eq!((counters.restarts, counters.sessions["commit_turn"]), (1, 2));
    env.sleep(ms(60_000)).await;
    assert_eq!(store.counters().commits, counters.commits, "the dead session committed");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_lock_when_the_server_dies_is_cut_off_too() {
    let (store, env) = server(1);
    store.submit(start(1, "a")).await.unwrap();
    at(&store, "submit", Kind::Commit, 2, Verdict::Delay(ms(60_000)));
    let restarting = async {
        env.sleep(ms(3_000)).await;
        store.restart();
    };
    let both = join(store.submit(event(2, "a")), store.submit(event(3, "a")));
    let ((one, two), ()) = join(both, restarting).await;
    assert_eq!((one.unwrap(), two.unwrap()), (Submitted::Accepted, Submitted::Accepted));
    assert!(env.clock.monotonic() < ms(4_000));
    assert_eq!(store.stats(InstanceKey::new("a")).await.unwrap().unwrap().pending_messages, 2);
}

#[tokio::test(start_paused = true)]
async fn a_crash_forgets_leases_of_the_last_moment_and_no_others() {
    let mut forgotten = 0;
    for seed in 0..20 {
        for (pause, commits) in [(ms(0), false), (ms(0), true), (ms(700), false)] {
            let (store, env) = server(seed);
            let before = {
                store.submit(start(1, "a")).await.unwrap();
                store.model().snapshot()
            };
            let got = store.lease_orchestrations(lease(2, "n1")).await.unwrap();
            let after = store.model().snapshot();
            env.sleep(pause).await;
            if commits {
                store.submit(start(3, "b")).await.unwrap();
            }
            store.restart();
            let is_forgotten = store.counters().forgotten == 1;
            let state = store.model().snapshot();
            let incarnation = got.instances[0].incarnation.0.to_string();
            let stands = if is_forgotten { &before } else { &after };
            assert_eq!(
                state["instances"][&incarnation], stands["instances"][&incarnation],
                "seed {seed}"
            );
            assert!(!is_forgotten || (pause.is_zero() && !commits), "seed {seed}");
            let outcome = store.commit_turn(turn(&got.instances[0], "n1", 7)).await.unwrap();
            let refused = CommitOutcome::Refused(CommitRefusal::LeaseLost);
            assert_eq!(outcome == refused, is_forgotten, "seed {seed}");
            forgotten += u64::from(is_forgotten);
        }
    }
    assert!(forgotten > 3 && forgotten < 17, "{forgotten}");
}

#[tokio::test(start_paused = true)]
async fn a_server_on_another_host_finds_what_was_committed_on_the_disk() {
    let (store, host) = server(1);
    let got = begun(&*store, "a", "n1").await;
    host.sleep(ms(600)).await;
    let before = store.model().snapshot();
    let reopened = store.reopened(env().0);
    assert_eq!(reopened.model().snapshot()["instances"], before["instances"]);
    assert!(matches!(
        reopened.commit_turn(turn(&got, "n1", 7)).await.unwrap(),
        CommitOutcome::Applied(_)
    ));
}

#[tokio::test(start_paused = true)]
async fn the_clock_of_the_server_alone_decides_when_a_lease_has_run_out() {
    let (env, clock) = env();
    let store = ModelledPostgres::open(env.clone(), Options::seeded(1));
    begun(&*store, "a", "n1").await;
    let taken = async |id| store.lease_orchestrations(lease(id, "n2")).await.unwrap().instances;
    clock.skew.store(-3_600_000, Ordering::SeqCst);
    env.sleep(LEASE / 2).await;
    assert_eq!(taken(2).await, []);
    // For nodes only half of the time has passed; for the server all of it.
    clock.skew.store(LEASE.as_millis() as i64, Ordering::SeqCst);
    assert_eq!(taken(3).await.len(), 1);
}
