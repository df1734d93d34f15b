//! Calls that wait for each other in the middle: held up by a lock of the test's, until the server
//! says that they wait, never by time.

use crate::common::work::{LEASE, Run, all_activities, draw, lease, node, start};
use crate::common::{Place, steps};
use duroxide_core::EventId;
use duroxide_postgres::PostgresProvider;
use duroxide_provider::{Held, Inspect, LeaseActivities, LeaseId, Provider, Renew};
use sqlx::Row;
use sqlx::postgres::PgConnection;
use std::sync::Arc;
use std::time::Duration;

async fn script(place: &Place, sql: &mut PgConnection, text: &str) {
    sqlx::raw_sql(place.text(text)).execute(sql).await.unwrap();
}

async fn number(place: &Place, sql: &mut PgConnection, text: &str) -> i64 {
    sqlx::query(place.text(text)).fetch_one(sql).await.unwrap().get(0)
}

/// Until the server says that a call of this function waits for a lock.
async fn until_it_waits(place: &Place, function: &str) {
    let mut sql = place.sql().await;
    let waiting = format!(
        "SELECT count(*), pg_sleep(0.01)::text FROM pg_stat_activity
         WHERE wait_event_type = 'Lock' AND strpos(query, '\"{{name}}\".{function}(') > 0"
    );
    for _ in 0..2_000 {
        if number(place, &mut sql, &waiting).await > 0 {
            return;
        }
    }
    panic!("never: {function} waits for a lock");
}

#[expect(clippy::disallowed_methods, reason = "the call that waits is a task of this test")]
fn begin<T: Send + 'static>(
    call: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    tokio::spawn(call)
}

fn activities(max: usize) -> LeaseActivities {
    let (lease, node) = (LeaseId(draw()), node("n1"));
    LeaseActivities { lease, node, filter: all_activities(), max, duration: LEASE }
}

/// One instance that has scheduled so many activities.
async fn fan_out(store: &PostgresProvider, count: u64) -> Run {
    store.submit(start("a")).await.unwrap();
    let leased = store.lease_orchestrations(lease("n1")).await.unwrap();
    let mut run = Run::new(leased.instances[0].clone(), "n1");
    let mut turn = run.bare();
    turn.claim = None;
    turn.turn.activities = steps(100, count);
    run.apply(store, turn).await;
    run
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_activity_that_is_handed_back_to_rest_is_not_taken_by_who_saw_it_before() {
    let place = Place::new();
    let store = Arc::new(place.create().await);
    fan_out(&store, 2).await;
    let mut hand = place.sql().await;
    // Who has taken the first, and has seen the second, is held up where it asks for the time.
    script(
        &place,
        &mut hand,
        r#"CREATE FUNCTION "{schema}".hold_up() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN
             IF NEW.event = 100 AND NEW.lease IS NOT NULL THEN
               PERFORM pg_advisory_xact_lock_shared(77, NEW.incarnation::integer);
             END IF;
             RETURN NEW;
           END $$;
           CREATE TRIGGER hold_up BEFORE UPDATE ON "{schema}".activities
           FOR EACH ROW EXECUTE FUNCTION "{schema}".hold_up();
           SELECT pg_advisory_lock(77, i.incarnation::integer) FROM "{schema}".instances AS i"#,
    )
    .await;
    let taking = Arc::clone(&store);
    let taking = begin(async move { taking.lease_activities(activities(2)).await.unwrap() });
    until_it_waits(&place, "lease_activities").await;
    let mut other = activities(1);
    other.node = node("n2");
    let taken = store.lease_activities(other.clone()).await.unwrap().activities;
    assert_eq!(taken[0].activity.event, EventId(101));
    let held = vec![Held::Activity { activity: taken[0].activity, lease: other.lease }];
    let delay = Duration::from_hours(1);
    let release = duroxide_provider::Release { held, commit: None, refund: false, delay };
    store.release(release).await.unwrap();
    script(&place, &mut hand, "SELECT pg_advisory_unlock_all()").await;
    let taken = taking.await.unwrap().activities;
    let events: Vec<_> = taken.iter().map(|taken| taken.activity.event).collect();
    assert_eq!(events, [EventId(100)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_that_had_to_wait_counts_from_its_end() {
    let place = Place::new();
    let store = Arc::new(place.create().await);
    let run = fan_out(&store, 1).await;
    let mut hand = place.sql().await;
    script(&place, &mut hand, r#"BEGIN; SELECT * FROM "{schema}".instances FOR UPDATE"#).await;
    let held = vec![Held::Instance { incarnation: run.got.incarnation, lease: run.got.lease }];
    let renewing = Arc::clone(&store);
    let renewing =
        begin(async move { renewing.renew(Renew { held, duration: LEASE }).await.unwrap() });
    until_it_waits(&place, "renew").await;
    // The clock is moved by others: what holds the row is the test itself.
    place.advance(Duration::from_secs(20)).await;
    script(&place, &mut hand, "COMMIT").await;
    renewing.await.unwrap();
    let left = r#"SELECT lease_until - "{schema}".peek_ms() FROM "{schema}".instances"#;
    let left = number(&place, &mut hand, left).await;
    assert!(left > 15_000, "{left} ms of 30 s are left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_frees_what_a_handle_held_locks_it_in_its_order() {
    let place = Place::new();
    let store = Arc::new(place.create().await);
    let mut run = fan_out(&store, 2).await;
    let taken = store.lease_activities(activities(2)).await.unwrap().activities;
    assert_eq!(taken.len(), 2);
    let mut hand = place.sql().await;
    // The later one comes first in the table and in the index of leases.
    script(
        &place,
        &mut hand,
        r#"CREATE TEMP TABLE held AS SELECT * FROM "{schema}".activities;
           DELETE FROM "{schema}".activities WHERE event = 100;
           UPDATE "{schema}".activities SET lease = '00000000-0000-0000-0000-000000000001';
           INSERT INTO "{schema}".activities (incarnation, execution, event, ns, name, encoding,
             input, seq, attempt, visible_at, lease, lease_until, owner, node)
           SELECT incarnation, execution, event, ns, name, encoding, input, seq, attempt,
             visible_at, lease, lease_until, owner, node FROM held WHERE event = 100"#,
    )
    .await;
    let first = r#"BEGIN; SELECT * FROM "{schema}".activities WHERE event = 100 FOR UPDATE"#;
    script(&place, &mut hand, first).await;
    run.open = None;
    let closing = Arc::clone(&store);
    let closing = begin(async move { closing.close().await.unwrap() });
    until_it_waits(&place, "leave_nodes").await;
    // Who locks in order, a renewal say, comes through.
    let last = r#"SELECT * FROM "{schema}".activities WHERE event = 101 FOR UPDATE NOWAIT"#;
    script(&place, &mut hand, last).await;
    script(&place, &mut hand, "COMMIT").await;
    closing.await.unwrap();
    let held = r#"SELECT count(*) FROM "{schema}".activities
                  WHERE lease_until > "{schema}".peek_ms()"#;
    assert_eq!(number(&place, &mut hand, held).await, 0);
}

#[tokio::test]
async fn work_whose_commit_took_long_is_announced_when_the_floors_are_checked() {
    let place = Place::new();
    let store = place.create().await;
    let mut hand = place.sql().await;
    let submit = r#"BEGIN; SELECT * FROM "{schema}".submit(gen_random_uuid(), '', 'late', 0,
                      'Flow', NULL, NULL, NULL, '{"Start":{}}', NULL)"#;
    script(&place, &mut hand, submit).await;
    // Others go on meanwhile, and raise the floors over it.
    place.advance(Duration::from_secs(15)).await;
    for id in ["a", "b"] {
        store.submit(start(id)).await.unwrap();
        store.lease_orchestrations(lease("n1")).await.unwrap();
        place.advance(Duration::from_secs(4)).await;
    }
    script(&place, &mut hand, "COMMIT").await;
    let hidden = store.lease_orchestrations(lease("n1")).await.unwrap();
    assert_eq!(hidden.instances.len(), 0, "the floors are not over it: this shows nothing");
    place.advance(Duration::from_secs(10)).await;
    // The next call checks them, and says that there is something to do at once.
    let checking = r#"SELECT due FROM "{schema}".lease_orchestrations(
      gen_random_uuid(), 'n1', 1, 1, ARRAY['Flow'], 7, 10, 30000) LIMIT 1"#;
    assert_eq!(number(&place, &mut hand, checking).await, 0);
    let found = r#"SELECT count(*) - 1 FROM "{schema}".lease_orchestrations(
      gen_random_uuid(), 'n1', 1, 1, ARRAY['Flow'], 7, 10, 30000)"#;
    assert_eq!(number(&place, &mut hand, found).await, 1);
}

#[tokio::test]
async fn the_time_of_a_store_where_nothing_happens_does_not_go_back() {
    let place = Place::new();
    let _store = place.create().await;
    let mut sql = place.sql().await;
    let peek = r#"SELECT "{schema}".peek_ms()"#;
    place.advance(Duration::from_hours(2)).await;
    let before = number(&place, &mut sql, peek).await;
    place.advance(Duration::from_secs(9)).await;
    place.set_wall_clock_back(Duration::from_hours(1)).await;
    let mut last = number(&place, &mut sql, peek).await;
    assert!(last + 10_000 >= before, "it lost what was only read: {before} {last}");
    // Until long after the wall clock has come to where it was.
    for _ in 0..8 {
        place.advance(Duration::from_mins(15)).await;
        let now = number(&place, &mut sql, peek).await;
        assert!(now >= last + 900_000, "{last} {now}");
        last = now;
    }
}
