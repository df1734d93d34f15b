//! What nodes cost that have nothing to do. In statements for each look that their sessions take,
//! which keep the time: twice a second.

use crate::support::{env, until};
use crate::work::{LEASE, all_activities, draw, lease, node, start};
use duroxide_postgres::{PostgresOptions, PostgresProvider};
use duroxide_postgres_cluster::Cluster;
use duroxide_provider::{LeaseActivities, LeaseId, Provider, WaitForWork, WakeSeq};
use std::time::Duration;

/// Ask for work whenever there may be some, as a runtime does.
async fn ask(store: &PostgresProvider, name: &str) {
    let mut after = WakeSeq::default();
    loop {
        let max = Duration::from_mins(5);
        after = store.wait_for_work(WaitForWork { node: node(name), after, max }).await.unwrap();
        store.lease_orchestrations(lease(name)).await.unwrap();
        let (lease, filter) = (LeaseId(draw()), all_activities());
        let activities =
            LeaseActivities { lease, node: node(name), filter, max: 10, duration: LEASE };
        store.lease_activities(activities).await.unwrap();
    }
}

fn looks(store: &PostgresProvider) -> u64 {
    store.counters().session_statements
}

fn statements(store: &PostgresProvider) -> u64 {
    store.counters().statements.values().sum()
}

#[tokio::test]
async fn nodes_with_nothing_to_do_do_not_keep_each_other_awake() {
    // A server of its own: whatever happens on a server may be work.
    let cluster = Cluster::start().unwrap();
    let open = || PostgresProvider::connect(env(), PostgresOptions::new(cluster.url()));
    let (one, two) = (open().await.unwrap(), open().await.unwrap());
    let first = one.submit(start("a")).await;
    assert!(first.is_ok());
    let watch = async {
        // What the opening left behind is over.
        let begun = looks(&one);
        until("they settle", || async { looks(&one) > begun + 8 }).await;
        let (begun, before) = (looks(&one), statements(&one) + statements(&two));
        until("they idle", || async { looks(&one) > begun + 20 }).await;
        statements(&one) + statements(&two) - before
    };
    let spent = tokio::select! {
        biased;
        spent = watch => spent,
        () = ask(&one, "n1") => 0,
        () = ask(&two, "n2") => 0,
    };
    eprintln!("two idle nodes: {spent} statements in ten seconds");
    // One round of either is three.
    assert!(spent <= 12, "{spent} statements: {:?} {:?}", one.counters(), two.counters());
}
