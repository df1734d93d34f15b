//! Sessions that outlive the client that began them.

use crate::requests::{LEASE, begun, event, lease, start, turn};
use crate::world::{at, ms, server};
use duroxide_provider::{
    CommitId, CommitOutcome, Incarnation, Inspect as _, InstanceKey, Provider as _, Submitted,
};
use duroxide_sim_postgres::{Kind, ModelledPostgres, SqlState, Verdict};

fn last_commit(store: &ModelledPostgres, incarnation: Incarnation) -> Option<CommitId> {
    store.model().look_at(|state| state.instances[&incarnation].last_commit)
}

#[tokio::test(start_paused = true)]
async fn a_commit_comes_though_its_client_is_gone_and_is_not_made_twice() {
    let (store, env) = server(1);
    let got = begun(&*store, "a", "n1").await;
    at(&store, "commit_turn", Kind::Commit, 1, Verdict::Delay(ms(1_000)));
    let gone = env.timeout(ms(100), store.commit_turn(turn(&got, "n1", 7))).await;
    assert_eq!(gone, None);
    assert_eq!(last_commit(&store, got.incarnation), None);
    // The same request by whoever comes after it waits for the session, and finds it done.
    let again = store.commit_turn(turn(&got, "n1", 7)).await.unwrap();
    assert!(matches!(again, CommitOutcome::Applied(_)));
    assert_eq!(last_commit(&store, got.incarnation), Some(CommitId(7)));
    let counters = store.counters();
    assert_eq!((counters.orphans, counters.waits), (1, 1));
    assert_eq!(store.history(got.key.clone(), got.execution).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_late_commit_of_a_dead_client_is_refused_when_another_has_taken_over() {
    let (store, env) = server(2);
    let got = begun(&*store, "a", "n1").await;
    at(&store, "commit_turn", Kind::Lock, 1, Verdict::Delay(ms(60_000)));
    let gone = env.timeout(ms(100), store.commit_turn(turn(&got, "n1", 7))).await;
    assert_eq!(gone, None);
    env.sleep(LEASE).await;
    let taken = store.lease_orchestrations(lease(3, "n2")).await.unwrap().instances.remove(0);
    store.commit_turn(turn(&taken, "n2", 8)).await.unwrap();
    let before = store.model().snapshot();
    env.sleep(ms(60_000)).await;
    assert_eq!(store.counters().orphans, 1, "the late session did not come to its end");
    assert_eq!(store.model().snapshot()["instances"], before["instances"]);
    assert_eq!(last_commit(&store, got.incarnation), Some(CommitId(8)));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_lost_its_connection_meets_its_own_session() {
    for seed in 0..20 {
        let (store, _) = server(seed);
        store.submit(start(1, "a")).await.unwrap();
        let broken = Verdict::Fail(SqlState::ConnectionFailure);
        at(&store, "submit", Kind::Lock, 4, broken);
        assert_eq!(store.submit(event(2, "a")).await.unwrap(), Submitted::Accepted);
        let counters = store.counters();
        assert_eq!((counters.sessions["submit"], counters.retries), (3, 1), "seed {seed}");
        let stats = store.stats(InstanceKey::new("a")).await.unwrap().unwrap();
        assert_eq!(stats.pending_messages, 1, "seed {seed}");
    }
}
