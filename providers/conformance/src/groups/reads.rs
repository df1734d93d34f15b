//! What clients and operators read: instances, executions, histories, lists, counts.

use super::prelude::*;
use duroxide_provider::{ListFilter, Namespace, WatchRequest};
use futures_util::future::join;
use std::time::Duration;

fn watch(id: &str, seen: Option<u64>, max_ms: u64) -> WatchRequest {
    WatchRequest { key: InstanceKey::new(id), seen, max: Duration::from_millis(max_ms) }
}

const HOUR_MS: u64 = 3_600_000;

pub(crate) async fn what_does_not_exist_reads_as_nothing(fx: &Fixture) -> CheckResult {
    let key = InstanceKey::new("ghost");
    expect_eq!("the instance", fx.store().instance(key.clone()).await?, None);
    expect_eq!("executions", fx.store().executions(key.clone()).await?, []);
    expect_eq!("events", fx.events("ghost", 1).await?, []);
    expect_eq!("the tree", fx.store().tree(key.clone()).await?, None);
    expect_eq!("stats", fx.store().stats(key).await?, None);
    fx.waiting("a").await?;
    expect_eq!("events of an unknown execution", fx.events("a", 7).await?, []);
    Ok(())
}

pub(crate) async fn each_kind_of_end_is_read_as_it_was(fx: &Fixture) -> CheckResult {
    for id in ["completed", "failed", "terminated"] {
        let mut a = fx.begun(id).await?;
        match id {
            "completed" => a.turn().complete("{\"n\":1}").commit().await?,
            "failed" => a.turn().fail("broken").commit().await?,
            _ => a.turn().terminate("stopped").commit().await?,
        };
    }
    let state = fx.info("completed").await?.state;
    expect_eq!("completed", state, InstanceState::Completed { output: Payload::json("{\"n\":1}") });
    let state = fx.info("failed").await?.state;
    let failure = duroxide_core::Failure::application("broken");
    expect_eq!("failed", state, InstanceState::Failed { failure });
    let state = fx.info("terminated").await?.state;
    expect_eq!("terminated", state, InstanceState::Terminated { reason: "stopped".to_owned() });
    Ok(())
}

pub(crate) async fn an_execution_is_described(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    fx.advance(3).await;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().activity("Greet").continue_as_new().keep().commit().await?;
    a.turn().admit_all().keep().commit().await?;
    let executions = fx.store().executions(InstanceKey::new("a")).await?;
    expect_eq!("executions", executions.len(), 2);
    let (first, second) = (&executions[0], &executions[1]);
    expect_eq!("events of the first", first.event_count, 3);
    expect_eq!("the state of the first", first.state, InstanceState::ContinuedAsNew);
    ensure!(
        first.completed_at.is_some_and(|at| at >= first.started_at),
        "the first ended after it began: {first:?}"
    );
    expect_eq!("events of the second", second.event_count, 1);
    expect_eq!("the state of the second", second.state, InstanceState::Running);
    expect_eq!("the end of the second", second.completed_at, None);
    Ok(())
}

pub(crate) async fn a_history_is_read_as_it_was_committed(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let first = a.turn().admit_all().activity("Greet").timer(5).keep().build();
    a.apply(&first).await?;
    let second = a.turn().status(Some("s")).set("k", "v").complete("1").build();
    a.apply(&second).await?;
    let want: Vec<_> = first.turn.events.into_iter().chain(second.turn.events).collect();
    expect_eq!("the history", fx.events("a", 1).await?, want);
    Ok(())
}

pub(crate) async fn ids_are_listed_in_order_and_in_pages(fx: &Fixture) -> CheckResult {
    for id in ["d", "b", "e", "a", "c"] {
        fx.start(id).await?;
    }
    let (mut after, mut ids, mut pages) = (None, Vec::new(), 0);
    loop {
        let page = fx.store().list(ListFilter::default(), after, 2).await?;
        ensure!(page.ids.len() <= 2, "a page has at most what was asked for: {page:?}");
        ids.extend(page.ids.iter().map(|id| id.0.clone()));
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
        ensure!(pages < 10, "the pages do not end");
    }
    expect_eq!("the ids", ids, ["a", "b", "c", "d", "e"]);
    Ok(())
}

pub(crate) async fn ids_are_listed_by_status(fx: &Fixture) -> CheckResult {
    fx.ended("done").await?;
    fx.waiting("runs").await?;
    let mut a = fx.begun("failed").await?;
    a.turn().fail("broken").commit().await?;
    for (status, want) in [("Completed", "done"), ("Running", "runs"), ("Failed", "failed")] {
        let status = Some(status.to_owned());
        let filter = ListFilter { status, ..ListFilter::default() };
        let page = fx.store().list(filter, None, 10).await?;
        expect_eq!("the ids", page.ids, [want.into()]);
    }
    let status = Some("Terminated".to_owned());
    let filter = ListFilter { status, ..ListFilter::default() };
    expect_eq!("terminated ones", fx.store().list(filter, None, 10).await?.ids, []);
    Ok(())
}

pub(crate) async fn ids_are_listed_per_namespace(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let namespace = Namespace("other".to_owned());
    let filter = ListFilter { namespace, ..ListFilter::default() };
    expect_eq!("the other namespace", fx.store().list(filter, None, 10).await?.ids, []);
    Ok(())
}

pub(crate) async fn a_tree_is_read_from_any_of_its_members(fx: &Fixture) -> CheckResult {
    fx.family("p").await?;
    let mut child = fx.node("n2").lease_instance("p-child").await?;
    child.turn().admit_all().child("Child", "g").keep().commit().await?;
    for id in ["p", "p-child", "g"] {
        let tree = fx.store().tree(InstanceKey::new(id)).await?;
        let ids = tree.as_ref().map(|t| t.ids.iter().map(|i| i.0.as_str()).collect::<Vec<_>>());
        expect_eq!(format!("the tree of `{id}`"), ids, Some(vec!["p", "p-child", "g"]));
        expect_eq!("its root", tree.map(|t| t.root), Some("p".into()));
    }
    Ok(())
}

pub(crate) async fn sizes_of_an_instance_are_counted(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().set("k", "12345").set("l", "123").keep().commit().await?;
    for n in 0..3 {
        fx.event("a", "go", &n.to_string()).await?;
    }
    let stats = fx.store().stats(InstanceKey::new("a")).await?.unwrap_or_default();
    expect_eq!("events", stats.history_events, 3);
    ensure!(stats.history_bytes > 0, "the history has a size");
    expect_eq!("pending messages", stats.pending_messages, 3);
    expect_eq!("keys", stats.kv_keys, 2);
    expect_eq!("bytes of the values", stats.kv_bytes, 8);
    Ok(())
}

pub(crate) async fn sizes_are_of_the_current_execution(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().set("k", "1").activity("Greet").continue_as_new().keep().commit().await?;
    a.turn().admit_all().set("k", "22").keep().commit().await?;
    let stats = fx.store().stats(InstanceKey::new("a")).await?.unwrap_or_default();
    expect_eq!("events", stats.history_events, 2);
    expect_eq!("keys", stats.kv_keys, 1);
    expect_eq!("bytes of the values", stats.kv_bytes, 2);
    Ok(())
}

pub(crate) async fn unread_mail_stays_pending_over_continue_as_new(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    fx.event("a", "go", "1").await?;
    let mut a = fx.node("n2").lease_instance("a").await?;
    a.turn().see_all().keep().commit().await?;
    fx.event("a", "go", "2").await?;
    a.turn().continue_as_new().keep().commit().await?;
    a.turn().admit(1).keep().commit().await?;
    let stats = fx.store().stats(InstanceKey::new("a")).await?.unwrap_or_default();
    expect_eq!("pending messages", stats.pending_messages, 2);
    Ok(())
}

pub(crate) async fn the_store_is_counted(fx: &Fixture) -> CheckResult {
    fx.ended("done").await?;
    let mut a = fx.begun("failed").await?;
    a.turn().fail("broken").commit().await?;
    let mut a = fx.begun("stopped").await?;
    a.turn().terminate("at once").commit().await?;
    let mut a = fx.begun("runs").await?;
    a.turn().continue_as_new().keep().commit().await?;
    let metrics = fx.store().metrics().await?;
    let got = [metrics.instances, metrics.executions, metrics.running, metrics.completed];
    expect_eq!("instances, executions, running, completed", got, [4, 5, 1, 1]);
    let got = [metrics.failed, metrics.terminated, metrics.events];
    expect_eq!("failed, terminated, events", got, [1, 1, 8]);
    Ok(())
}

pub(crate) async fn what_waits_is_counted(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    fx.start("b").await?;
    expect_eq!("ready instances", fx.store().depths().await?.orchestrations, 2);
    for mut tenure in fx.node("n1").lease(2).await? {
        tenure.turn().admit_all().activity("Greet").timer(600_000).commit().await?;
    }
    fx.node("w").tasks(1).await?;
    let depths = fx.store().depths().await?;
    expect_eq!("ready instances", depths.orchestrations, 0);
    expect_eq!("activities not leased", depths.activities, 1);
    expect_eq!("timers not due", depths.timers, 2);
    Ok(())
}

pub(crate) async fn a_revision_changes_with_state_execution_and_status(
    fx: &Fixture,
) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let mut seen = vec![fx.info("a").await?.revision];
    a.turn().admit_all().status(Some("s")).keep().commit().await?;
    seen.push(fx.info("a").await?.revision);
    a.turn().continue_as_new().keep().commit().await?;
    seen.push(fx.info("a").await?.revision);
    a.turn().admit_all().complete("1").commit().await?;
    seen.push(fx.info("a").await?.revision);
    let mut distinct = seen.clone();
    distinct.sort_unstable();
    distinct.dedup();
    expect_eq!("distinct revisions", distinct.len(), 4);
    Ok(())
}

pub(crate) async fn a_watch_sees_the_end(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    let seen = Some(fx.info("a").await?.revision);
    let watching = fx.soon("a watch", fx.store().watch(watch("a", seen, HOUR_MS)));
    let (watched, committed) = join(watching, a.turn().complete("1").commit()).await;
    committed?;
    let state = watched??.map(|info| info.state);
    expect_matches!("what the watch gives", state, Some(InstanceState::Completed { .. }));
    Ok(())
}

pub(crate) async fn a_watch_sees_a_status(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    let seen = Some(fx.info("a").await?.revision);
    let watching = fx.soon("a watch", fx.store().watch(watch("a", seen, HOUR_MS)));
    let (watched, committed) = join(watching, a.turn().status(Some("s")).keep().commit()).await;
    committed?;
    let version = watched??.map(|info| info.custom_status_version);
    expect_eq!("the version that the watch gives", version, Some(1));
    Ok(())
}

pub(crate) async fn a_watch_sees_a_value(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    let seen = Some(fx.info("a").await?.revision);
    let watching = fx.soon("a watch", fx.store().watch(watch("a", seen, HOUR_MS)));
    let (watched, committed) = join(watching, a.turn().set("k", "v").keep().commit()).await;
    committed?;
    let changed = watched??.map(|info| info.revision) != seen;
    expect_eq!("whether the watch gives another revision", changed, true);
    Ok(())
}

pub(crate) async fn a_watch_of_what_changed_before_is_answered_at_once(
    fx: &Fixture,
) -> CheckResult {
    let mut a = fx.begun("a").await?;
    let seen = Some(fx.info("a").await?.revision);
    a.turn().complete("1").commit().await?;
    let info = fx.soon("a watch", fx.store().watch(watch("a", seen, HOUR_MS))).await??;
    ensure!(info.is_some_and(|info| info.state.is_terminal()), "the end is expected to be seen");
    Ok(())
}

pub(crate) async fn a_watch_sees_an_instance_come(fx: &Fixture) -> CheckResult {
    let watching = fx.soon("a watch", fx.store().watch(watch("a", None, HOUR_MS)));
    let (watched, started) = join(watching, fx.start("a")).await;
    started?;
    ensure!(watched??.is_some(), "the watch is expected to see the new instance");
    Ok(())
}

pub(crate) async fn a_watch_ends_after_its_time(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    let seen = Some(fx.info("a").await?.revision);
    let watching = fx.soon("a watch", fx.store().watch(watch("a", seen, 30)));
    let (watched, ()) = join(watching, fx.advance(60)).await;
    expect_eq!("what the watch gives", watched??.map(|info| Some(info.revision)), Some(seen));
    Ok(())
}

pub(crate) async fn ids_are_listed_on_from_one_that_is_gone(fx: &Fixture) -> CheckResult {
    for id in ["a", "b", "c"] {
        fx.start(id).await?;
    }
    fx.store().delete(InstanceKey::new("b"), true).await?;
    let page = fx.store().list(ListFilter::default(), Some("b".into()), 10).await?;
    expect_eq!("the ids behind it", page.ids, ["c".into()]);
    Ok(())
}
