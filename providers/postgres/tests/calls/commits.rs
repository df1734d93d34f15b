//! The cost model, counted: what a step costs.

use crate::common::Place;
use crate::common::work::{Run, lease, start};
use duroxide_postgres::{Counters, PostgresProvider};
use duroxide_provider::{Inspect, Provider};
use sqlx::Row;

const STEPS: u64 = 100;

/// An instance that has had two turns: the statement is prepared once on a connection.
async fn begun(store: &PostgresProvider) -> Run {
    store.submit(start("a")).await.unwrap();
    let leased = store.lease_orchestrations(lease("n1")).await.unwrap();
    let mut run = Run::new(leased.instances[0].clone(), "n1");
    for _ in 0..2 {
        run.commit(store).await;
    }
    run
}

fn all_statements(counters: &Counters) -> u64 {
    counters.statements.values().sum()
}

#[tokio::test]
async fn a_sequential_step_is_one_statement_one_round_trip_and_one_transaction() {
    let place = Place::new();
    let store = place.create().await;
    let mut run = begun(&store).await;
    let before = store.counters();
    for _ in 0..STEPS {
        let applied = run.commit(&store).await;
        assert!(applied.held);
        assert_eq!(applied.claimed.len(), 1);
    }
    let after = store.counters();
    assert_eq!(after.statements["commit_turn"] - before.statements["commit_turn"], STEPS);
    assert_eq!(all_statements(&after) - all_statements(&before), STEPS);
    assert_eq!(after.round_trips - before.round_trips, STEPS);
    assert_eq!(after.retries, 0);
    let mut sql = place.sql().await;
    let commits =
        place.text(r#"SELECT count(*), count(DISTINCT xmin::text) FROM "{schema}".events"#);
    let row = sqlx::query(commits).fetch_one(&mut sql).await.unwrap();
    let expected = i64::try_from(STEPS + 2).unwrap();
    assert_eq!((row.get::<i64, _>(0), row.get::<i64, _>(1)), (expected, expected));
}

#[tokio::test]
async fn a_sequential_step_moves_no_index_entry_of_its_instance() {
    let place = Place::new();
    let store = place.create().await;
    let mut run = begun(&store).await;
    for _ in 0..STEPS {
        run.commit(&store).await;
    }
    // A session that ends reports what it has done.
    store.close().await.unwrap();
    let mut sql = place.sql().await;
    let text = r"SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables
                  WHERE schemaname = '{name}' AND relname = 'instances'";
    let least = i64::try_from(STEPS).unwrap();
    loop {
        let row = sqlx::query(place.text(text)).fetch_one(&mut sql).await.unwrap();
        let (updates, hot): (i64, i64) = (row.get(0), row.get(1));
        if updates >= least {
            assert!(hot >= least, "{hot} of {updates} updates touched no index");
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_lease_does_not_wait_for_the_disk_and_a_commit_does() {
    let place = Place::new();
    place.create().await.close().await.unwrap();
    let mut sql = place.sql().await;
    let text = r"SELECT p.proname, pg_get_functiondef(p.oid) LIKE '%synchronous_commit%'
                  FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
                  WHERE n.nspname = '{name}' AND p.proname = ANY ($1) ORDER BY 1";
    let asked = ["commit_turn", "lease_activities", "lease_orchestrations", "renew", "submit"];
    let rows = sqlx::query(place.text(text)).bind(asked).fetch_all(&mut sql).await.unwrap();
    let relaxed: Vec<(String, bool)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let expected = asked.map(|name| (name.to_owned(), !["commit_turn", "submit"].contains(&name)));
    assert_eq!(relaxed, expected);
}
