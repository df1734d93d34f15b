//! What handing out work costs does not depend on how much of it there is, whoever it is for, nor
//! on how much is dead and cannot be vacuumed. Counted in pages, never in time.

use crate::common::Place;
use crate::common::work::{lease, start};
use duroxide_provider::Provider;
use sqlx::Row;
use sqlx::postgres::PgConnection;
use std::time::Duration;

const SIZES: [u32; 3] = [1_000, 10_000, 100_000];
/// More than the deeper trees and the rounding of a larger store explain, and far from linear: from
/// the first of the sizes to the last it would be a hundred.
const FACTOR: i64 = 2;

const LEASE_INSTANCES: &str = r#"SELECT * FROM "{schema}".lease_orchestrations(
  '6b0f5d0e-0000-4000-8000-000000000001', 'n1', 1, 1, ARRAY['Flow', E'Flow\U0010FFFE21.0.0'], 7,
  10, 30000)"#;
const LEASE_ACTIVITIES: &str = r#"SELECT * FROM "{schema}".lease_activities(
  '6b0f5d0e-0000-4000-8000-000000000001', 'n1', 1, 1, ARRAY['Step'], ARRAY['Step'], 10, 300000,
  10, 30000)"#;

/// Pages that a call touches, and how many rows it gives, its head aside: the least of a few, for
/// the first makes plans, and now and then one tends the floors.
async fn cost(place: &Place, sql: &mut PgConnection, call: &str) -> (i64, i64) {
    let mut cost = (i64::MAX, 0);
    for _ in 0..4 {
        sqlx::raw_sql("BEGIN; SET LOCAL jit = off").execute(&mut *sql).await.unwrap();
        let explain = format!("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) {call}");
        let lines = sqlx::query(place.text(&explain)).fetch_all(&mut *sql).await.unwrap();
        sqlx::raw_sql("ROLLBACK").execute(&mut *sql).await.unwrap();
        let text: Vec<String> = lines.iter().map(|line| line.get(0)).collect();
        let number = |line: &str, before: &str| {
            let digits = line.split(before).nth(1).unwrap_or("0");
            let digits = digits.split(|c: char| !c.is_ascii_digit()).next();
            digits.unwrap().parse::<i64>().unwrap()
        };
        let buffers = text.iter().find(|line| line.contains("Buffers: shared")).unwrap();
        let rows = number(&text[0], "actual rows=");
        cost = (cost.0.min(number(buffers, "hit=") + number(buffers, "read=")), rows - 1);
    }
    cost
}

/// Starts of so many instances, as if submitted one after the other.
async fn queue_starts(place: &Place, name: &str, count: u32) {
    place
        .run(&format!(
            r#"
            WITH made AS (
              INSERT INTO "{{schema}}".instances
                (incarnation, ns, id, name, ready_at, root, created_at, updated_at)
              SELECT n, '', '{name} ' || n, '{name}', "{{schema}}".peek_ms(), n, 0, 0
              FROM (SELECT nextval({{ids}}) AS n FROM generate_series(1, {count})) AS s
              RETURNING incarnation),
            begun AS (
              INSERT INTO "{{schema}}".executions (incarnation, execution, started_at)
              SELECT incarnation, 1, 0 FROM made)
            INSERT INTO "{{schema}}".inbox (id, incarnation, execution, visible_at, kind, body)
            SELECT nextval({{ids}}), incarnation, 1, 0, 0, '{{"Start":{{}}}}' FROM made"#
        ))
        .await;
}

/// So many activities of one instance, as if a turn had scheduled them.
async fn queue_activities(place: &Place, name: &str, tag: Option<&str>, count: u32) {
    let tag = tag.map_or("NULL".to_owned(), |tag| format!("'{tag}'"));
    place
        .run(&format!(
            r#"INSERT INTO "{{schema}}".activities
                 (incarnation, execution, event, ns, name, tag, encoding, input, seq, attempt,
                  visible_at)
               SELECT i.incarnation, 1, nextval({{ids}}), '', '{name}', {tag}, 0, '1',
                      nextval({{ids}}), 0, "{{schema}}".peek_ms()
               FROM (SELECT min(incarnation) AS incarnation FROM "{{schema}}".instances) AS i,
                    generate_series(1, {count})"#
        ))
        .await;
}

fn assert_flat(what: &str, costs: &[i64]) {
    let (first, last) = (costs[0], costs[costs.len() - 1]);
    assert!(last <= first * FACTOR, "{what}: pages touched at {SIZES:?}: {costs:?}");
}

#[tokio::test]
async fn leasing_instances_costs_the_same_however_many_are_queued() {
    let place = Place::new();
    let _store = place.create().await;
    let mut sql = place.sql().await;
    let (mut costs, mut before) = (Vec::new(), 0);
    for size in SIZES {
        queue_starts(&place, "Flow", size - before).await;
        before = size;
        let (pages, rows) = cost(&place, &mut sql, LEASE_INSTANCES).await;
        assert_eq!(rows, 10);
        costs.push(pages);
    }
    eprintln!("queued starts {SIZES:?}: pages {costs:?}");
    assert_flat("queued starts", &costs);
}

#[tokio::test]
async fn leasing_instances_costs_the_same_however_many_others_are_to_run() {
    let place = Place::new();
    let _store = place.create().await;
    let mut sql = place.sql().await;
    let (mut costs, mut before) = (Vec::new(), 0);
    for size in SIZES {
        queue_starts(&place, "Elsewhere", size - before).await;
        // The youngest of all.
        queue_starts(&place, "Flow", 10).await;
        before = size;
        let (pages, rows) = cost(&place, &mut sql, LEASE_INSTANCES).await;
        assert_eq!(rows, 10);
        costs.push(pages);
    }
    eprintln!("starts for others {SIZES:?}: pages {costs:?}");
    assert_flat("starts for others", &costs);
}

#[tokio::test]
async fn leasing_activities_costs_the_same_however_many_are_queued() {
    let place = Place::new();
    let store = place.create().await;
    store.submit(start("a")).await.unwrap();
    let mut sql = place.sql().await;
    let (mut costs, mut before) = (Vec::new(), 0);
    for size in SIZES {
        queue_activities(&place, "Step", None, size - before).await;
        before = size;
        let (pages, rows) = cost(&place, &mut sql, LEASE_ACTIVITIES).await;
        assert_eq!(rows, 10);
        costs.push(pages);
    }
    eprintln!("queued activities {SIZES:?}: pages {costs:?}");
    assert_flat("queued activities", &costs);
}

#[tokio::test]
async fn leasing_activities_costs_the_same_however_many_others_are_to_take() {
    let place = Place::new();
    let store = place.create().await;
    store.submit(start("a")).await.unwrap();
    let mut sql = place.sql().await;
    let (mut costs, mut before) = (Vec::new(), 0);
    for size in SIZES {
        queue_activities(&place, "Elsewhere", None, (size - before) / 2).await;
        queue_activities(&place, "Step", Some("gpu"), (size - before) / 2).await;
        // The youngest of all.
        queue_activities(&place, "Step", None, 10).await;
        before = size;
        let (pages, rows) = cost(&place, &mut sql, LEASE_ACTIVITIES).await;
        assert_eq!(rows, 10);
        costs.push(pages);
    }
    eprintln!("activities for others {SIZES:?}: pages {costs:?}");
    assert_flat("activities for others", &costs);
}

#[tokio::test]
async fn leasing_costs_the_same_however_much_is_held_or_waits() {
    let place = Place::new();
    let store = place.create().await;
    store.submit(start("a")).await.unwrap();
    let mut sql = place.sql().await;
    let (mut instances, mut activities, mut before) = (Vec::new(), Vec::new(), 0);
    for size in SIZES {
        queue_starts(&place, "Flow", size - before).await;
        queue_activities(&place, "Step", None, size - before).await;
        before = size;
        // A third is held, with mail; a third waits for a timer; a third for mail.
        place
            .run(
                r#"UPDATE "{schema}".instances SET
                     lease = CASE WHEN incarnation % 3 = 0 THEN gen_random_uuid() END,
                     lease_until = "{schema}".peek_ms() + 600000, node = 'n2', node_run = 1,
                     ready_at = CASE WHEN incarnation % 3 = 1 THEN "{schema}".peek_ms() + 600000
                                     WHEN incarnation % 3 = 0 THEN ready_at END
                   WHERE lease IS NULL;
                   UPDATE "{schema}".activities SET lease = gen_random_uuid(),
                     lease_until = "{schema}".peek_ms() + 600000 WHERE lease IS NULL;"#,
            )
            .await;
        queue_starts(&place, "Flow", 10).await;
        queue_activities(&place, "Step", None, 10).await;
        let (pages, rows) = cost(&place, &mut sql, LEASE_INSTANCES).await;
        assert_eq!(rows, 10);
        instances.push(pages);
        let (pages, rows) = cost(&place, &mut sql, LEASE_ACTIVITIES).await;
        assert_eq!(rows, 10);
        activities.push(pages);
    }
    eprintln!("held and waiting {SIZES:?}: pages {instances:?} {activities:?}");
    assert_flat("instances held and waiting", &instances);
    assert_flat("activities held", &activities);
}

#[tokio::test]
async fn leasing_costs_the_same_however_much_is_dead_and_cannot_be_vacuumed() {
    let place = Place::new();
    let store = place.create().await;
    store.submit(start("a")).await.unwrap();
    let mut sql = place.sql().await;
    // A transaction elsewhere that has seen something, and does not end.
    let mut old = place.sql().await;
    sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class")
        .execute(&mut old)
        .await
        .unwrap();
    let (mut instances, mut activities, mut before) = (Vec::new(), Vec::new(), 0);
    for size in SIZES {
        queue_starts(&place, "Flow", size - before).await;
        queue_activities(&place, "Step", None, size - before).await;
        before = size;
        // All of it is taken, and is done.
        place
            .run(
                r#"UPDATE "{schema}".instances SET lease = gen_random_uuid(), lease_until = 1
                   WHERE lease IS NULL AND state = 0;
                   UPDATE "{schema}".instances SET lease = NULL, ready_at = NULL, state = 1
                   WHERE lease IS NOT NULL;
                   UPDATE "{schema}".activities SET lease = gen_random_uuid(), lease_until = 1;
                   DELETE FROM "{schema}".activities;"#,
            )
            .await;
        // With what is known of the tables afterwards: that nothing is queued, and nothing held.
        place.run(r#"VACUUM (ANALYZE) "{schema}".instances, "{schema}".activities"#).await;
        // The floors go up as nodes go on asking.
        for _ in 0..2 {
            place.advance(Duration::from_secs(15)).await;
            store.lease_orchestrations(lease("n1")).await.unwrap();
        }
        queue_starts(&place, "Flow", 10).await;
        queue_activities(&place, "Step", None, 10).await;
        let (pages, rows) = cost(&place, &mut sql, LEASE_INSTANCES).await;
        assert_eq!(rows, 10);
        instances.push(pages);
        let (pages, rows) = cost(&place, &mut sql, LEASE_ACTIVITIES).await;
        assert_eq!(rows, 10);
        activities.push(pages);
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut old).await.unwrap();
    eprintln!("dead {SIZES:?}: pages {instances:?} {activities:?}");
    assert_flat("dead instances", &instances);
    assert_flat("dead activities", &activities);
}
