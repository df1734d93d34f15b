//! Opening: many at once, any schema's name, two schemas apart, a store of a newer build.

use crate::support::{Hand, env, open, options, schema, soon};
use crate::work::{LEASE, all_activities, draw, node, start};
use duroxide_postgres::{PostgresOptions, PostgresProvider};
use duroxide_postgres_cluster::cluster_url;
use duroxide_provider::{
    Inspect, InstanceKey, LeaseActivities, LeaseId, Provider, ProviderError, Submitted,
};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_handles_open_an_empty_database_at_once() {
    let schema = schema();
    let mut opening = JoinSet::new();
    for _ in 0..10 {
        opening.spawn(PostgresProvider::connect(env(), options(&schema)));
    }
    let opened = soon(opening.join_all()).await;
    let stores: Vec<PostgresProvider> = opened.into_iter().map(Result::unwrap).collect();
    let mut hand = Hand::new().await;
    let nodes = hand.number(&format!("SELECT count(*) FROM {schema}.nodes")).await;
    assert_eq!(nodes, 10, "each handle is a node of its own");
    assert_eq!(stores[3].submit(start("a")).await.unwrap(), Submitted::Created);
    assert!(stores[7].instance(InstanceKey::new("a")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_store_is_made_by_one_at_a_time() {
    let schema = schema();
    let lock = format!("hashtextextended('duroxide ' || current_database() || ' {schema}', 0)");
    let mut hand = Hand::new().await;
    hand.run(&format!("SELECT pg_advisory_lock({lock})")).await;
    let connecting = PostgresProvider::connect(env(), options(&schema));
    tokio::pin!(connecting);
    let early = env().timeout(Duration::from_millis(500), &mut connecting).await;
    assert!(early.is_none(), "it did not wait: {early:?}");
    let made = format!("SELECT count(*) FROM pg_namespace WHERE nspname = '{schema}'");
    assert_eq!(hand.number(&made).await, 0);
    hand.run(&format!("SELECT pg_advisory_unlock({lock})")).await;
    soon(connecting).await.unwrap();
    assert_eq!(hand.number(&made).await, 1);
}

const OPENER: &str = "DUROXIDE_TEST_OPENER";

/// Does nothing unless [`opener`] starts it: then it says that it is there, opens a store when it
/// is told to, starts an instance, and says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opener_process() {
    let Ok(what) = std::env::var(OPENER) else { return };
    let [url, schema, id] = what.split(' ').collect::<Vec<_>>().try_into().unwrap();
    println!("\nready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    let options = PostgresOptions::new(url).schema(schema);
    let store = PostgresProvider::connect(env(), options).await.unwrap();
    assert_eq!(store.submit(start(id)).await.unwrap(), Submitted::Created);
    println!("opened");
    store.close().await.unwrap();
}

fn opener(schema: &str, id: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "opening::opener_process", "--nocapture"])
        .env(OPENER, format!("{} {schema} i-{id}", cluster_url()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn ten_processes_open_an_empty_database_at_once() {
    let schema = schema();
    let mut processes: Vec<Child> = (0..10).map(|id| opener(&schema, id)).collect();
    let mut said: Vec<_> = processes
        .iter_mut()
        .map(|process| BufReader::new(process.stdout.take().unwrap()).lines())
        .collect();
    for lines in &mut said {
        assert!(lines.map_while(Result::ok).any(|line| line == "ready"));
    }
    for process in &mut processes {
        process.stdin.take().unwrap().write_all(b"\n").unwrap();
    }
    for (process, lines) in processes.iter_mut().zip(said) {
        let said: Vec<String> = lines.map_while(Result::ok).collect();
        assert!(said.iter().any(|line| line == "opened"), "{said:?}");
        assert!(process.wait().unwrap().success());
    }
    let store = open(&schema).await;
    assert_eq!(store.metrics().await.unwrap().instances, 10);
    let mut hand = Hand::new().await;
    let nodes = hand.number(&format!("SELECT count(*) FROM {schema}.nodes")).await;
    assert_eq!(nodes, 1, "those who closed have left");
}

#[tokio::test]
async fn any_name_that_postgres_can_hold_is_a_schema() {
    let mut hand = Hand::new().await;
    let unique = schema();
    for odd in [
        format!("{unique} with \"quotes\" and 'apostrophes'"),
        format!("{unique}; DROP SCHEMA public; --"),
        format!("{unique}日本\\ \n%s {{schema}} $1"),
        format!("UPPER{unique}"),
        format!("{unique}{}", "x".repeat(63 - unique.len())),
        "select".to_owned(),
    ] {
        let store = open(&odd).await;
        assert_eq!(store.submit(start("a")).await.unwrap(), Submitted::Created, "{odd}");
        assert!(store.instance(InstanceKey::new("a")).await.unwrap().is_some(), "{odd}");
        let again = open(&odd).await;
        assert!(again.instance(InstanceKey::new("a")).await.unwrap().is_some(), "{odd}");
        again.close().await.unwrap();
        store.close().await.unwrap();
        hand.run(&format!("DROP SCHEMA \"{}\" CASCADE", odd.replace('"', "\"\""))).await;
    }
}

#[tokio::test]
async fn a_name_that_no_schema_can_have_is_refused_before_anything_is_sent() {
    let long = "x".repeat(64);
    for name in ["", "pg_x", "pg_catalog", "information_schema", "a\0b", long.as_str()] {
        let options = PostgresOptions::new("postgres://nobody@host.invalid/none").schema(name);
        let error = PostgresProvider::connect(env(), options).await.unwrap_err();
        let ProviderError::Unusable { message, .. } = error else { panic!("{error:?}") };
        assert!(message.contains("expected a name of 1 to 63 bytes"), "{message}");
    }
}

#[tokio::test]
async fn two_schemas_of_one_database_know_nothing_of_each_other() {
    let (one, other) = (open(&schema()).await, open(&schema()).await);
    assert_eq!(one.submit(start("a")).await.unwrap(), Submitted::Created);
    assert_eq!(other.instance(InstanceKey::new("a")).await.unwrap(), None);
    assert_eq!(other.submit(start("a")).await.unwrap(), Submitted::Created);
    one.delete(InstanceKey::new("a"), true).await.unwrap();
    assert!(other.instance(InstanceKey::new("a")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_search_path_that_leads_elsewhere_is_no_matter() {
    let (here, there) = (schema(), schema());
    let decoy = open(&there).await;
    let url = crate::support::url_as("searching");
    let url = format!("{url}&options[search_path]={there}");
    let store = PostgresProvider::connect(env(), PostgresOptions::new(url).schema(&here)).await;
    let store = store.unwrap();
    store.submit(start("a")).await.unwrap();
    assert_eq!(decoy.metrics().await.unwrap().instances, 0);
    assert_eq!(store.metrics().await.unwrap().instances, 1);
}

#[tokio::test]
async fn a_store_of_a_newer_build_is_left_alone_unless_it_says_that_older_ones_may() {
    let schema = schema();
    open(&schema).await.close().await.unwrap();
    let mut hand = Hand::new().await;
    hand.run(&format!("UPDATE {schema}.store SET schema_version = 9")).await;
    open(&schema).await.close().await.unwrap();
    let kept = hand.number(&format!("SELECT schema_version::bigint FROM {schema}.store")).await;
    assert_eq!(kept, 9, "it is not taken back to this build's");
    hand.run(&format!("UPDATE {schema}.store SET min_reader_version = 8")).await;
    let error = PostgresProvider::connect(env(), options(&schema)).await.unwrap_err();
    assert!(matches!(error, ProviderError::NewerSchema { found: 9, known: 2, .. }), "{error:?}");
}

/// Make a store what the first build that had one left: its tables, and functions that know no
/// other. (What one of them does is of no matter: it is to be replaced.)
async fn to_schema_1(hand: &mut Hand, schema: &str) {
    hand.run(&format!(
        "ALTER TABLE {schema}.activities DROP COLUMN session_term;
         ALTER TABLE {schema}.sessions DROP COLUMN term;
         CREATE OR REPLACE FUNCTION {schema}.may_own(
           p_ns text, p_session text, p_node text, p_run bigint, p_room boolean, p_now bigint
         ) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT false';
         INSERT INTO {schema}.activities (incarnation, execution, event, ns, name, session, encoding,
             input, seq, attempt, visible_at, lease, lease_until, owner, node)
           SELECT incarnation, 1, 2, '', 'Step', 's', 0, '1', 1, 1, {schema}.peek_ms(),
                  gen_random_uuid(), {schema}.peek_ms(), 1, 'gone'
           FROM {schema}.instances;
         INSERT INTO {schema}.sessions
             (ns, session, node, node_run, owner, idle_ms, idle_until, node_max)
           VALUES ('', 's', 'gone', 1, 1, 1, 9000000000000000, 1);
         UPDATE {schema}.store SET schema_version = 1"
    ))
    .await;
}

#[tokio::test]
async fn an_older_store_becomes_a_present_one_also_under_a_handle_that_is_open() {
    let schema = schema();
    let open_before = open(&schema).await;
    open_before.submit(start("a")).await.unwrap();
    assert_eq!(open_before.lease_activities(activities("n")).await.unwrap().activities.len(), 0);
    let mut hand = Hand::new().await;
    to_schema_1(&mut hand, &schema).await;
    open(&schema).await.close().await.unwrap();
    let versions =
        format!("SELECT schema_version * 10::bigint + min_reader_version FROM {schema}.store");
    assert_eq!(hand.number(&versions).await, 21);
    // Its owner let the lease run out: it was leased under the ownership that there is.
    let leased = open_before.lease_activities(activities("n")).await.unwrap().activities;
    assert_eq!(leased.len(), 1);
    let term = "SELECT a.session_term * 10 + s.term FROM {schema}.activities AS a
                JOIN {schema}.sessions AS s USING (ns, session)";
    assert_eq!(hand.number(&term.replace("{schema}", &schema)).await, 11);
}

fn activities(name: &str) -> LeaseActivities {
    let (lease, node, filter) = (LeaseId(draw()), node(name), all_activities());
    LeaseActivities { lease, node, filter, max: 10, duration: LEASE }
}

#[tokio::test]
async fn tables_of_another_application_are_not_touched() {
    let schema = schema();
    let mut hand = Hand::new().await;
    for theirs in ["store (id integer)", "events (id integer)"] {
        hand.run(&format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.{theirs}")).await;
        let error = PostgresProvider::connect(env(), options(&schema)).await.unwrap_err();
        assert!(error.to_string().contains("give the store one of its own"), "{error}");
        let tables = format!("SELECT count(*) FROM pg_tables WHERE schemaname = '{schema}'");
        assert_eq!(hand.number(&tables).await, 1, "nothing is left half made");
        hand.run(&format!("DROP SCHEMA {schema} CASCADE")).await;
    }
}

#[tokio::test]
async fn a_user_who_may_create_nothing_can_use_a_schema_that_is_there_and_is_told_what_is_missing()
{
    let (made, missing) = (schema(), schema());
    let mut hand = Hand::new().await;
    let user = format!("guest_{made}");
    hand.run(&format!(
        "CREATE USER {user} PASSWORD 'pass'; CREATE SCHEMA {made} AUTHORIZATION {user}"
    ))
    .await;
    let (_, rest) =
        cluster_url().split_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let url = format!("postgres://{user}:pass@{rest}");
    let connect =
        |schema: &str| PostgresProvider::connect(env(), PostgresOptions::new(&url).schema(schema));
    let store = connect(&made).await.unwrap();
    assert_eq!(store.submit(start("a")).await.unwrap(), Submitted::Created);
    let error = connect(&missing).await.unwrap_err().to_string();
    assert!(error.contains("42501") && error.contains("let the user create"), "{error}");
    store.close().await.unwrap();
    hand.run(&format!("DROP SCHEMA {made} CASCADE; DROP USER {user}")).await;
}

#[tokio::test]
async fn a_closed_store_says_so_and_closing_again_does_nothing() {
    let store = open(&schema()).await;
    store.close().await.unwrap();
    store.close().await.unwrap();
    let error = store.submit(start("a")).await.unwrap_err();
    assert!(
        matches!(&error, ProviderError::Unusable { message, .. } if message.contains("closed"))
    );
}

#[tokio::test]
async fn a_call_that_finds_no_free_connection_is_busy_after_the_time_given() {
    let schema = schema();
    let options = options(&schema).max_connections(1).acquire_timeout(Duration::from_millis(300));
    let store = PostgresProvider::connect(env(), options).await.unwrap();
    store.submit(start("a")).await.unwrap();
    let mut hand = Hand::new().await;
    hand.run(&format!("BEGIN; LOCK TABLE {schema}.instances")).await;
    let env = env();
    let (first, second) = tokio::join!(
        env.timeout(Duration::from_secs(2), store.submit(start("b"))),
        env.timeout(Duration::from_secs(10), store.submit(start("c"))),
    );
    assert!(first.is_none(), "it waits for the lock: {first:?}");
    let error = second.expect("it waits for a connection for ever").unwrap_err();
    assert!(matches!(error, ProviderError::Busy { .. }), "{error:?}");
    hand.run("COMMIT").await;
    assert_eq!(soon(store.submit(start("d"))).await.unwrap(), Submitted::Created);
}
