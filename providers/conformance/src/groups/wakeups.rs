//! Waiting for work: at once if anything happened since, else on what concerns the node;
//! never missed.

use super::prelude::*;
use duroxide_provider::WaitForWork;
use futures_util::future::join;
use std::future::Future;
use std::time::Duration;

/// Whether a node that waits already is woken by what is done.
async fn wakes(node: &Node, why: &str, done: impl Future<Output = CheckResult>) -> CheckResult {
    let after = node.wake_seq().await?;
    // The wait is polled first, so it waits already when something is done.
    let (woken, done) = join(node.is_woken(after, why), done).await;
    done?;
    woken?;
    Ok(())
}

/// Whether a node that waits is woken when time makes this instance ready, and gets it. It may
/// be woken for nothing before, and the time may be there before it waits.
async fn time_brings(fx: &Fixture, node: &Node, id: &str, why: &str) -> CheckResult {
    let mut leased = fx.store().lease_orchestrations(node.ask_instances(5)).await?;
    while leased.instances.is_empty() {
        let (woken, ()) = join(node.is_woken(leased.wake_seq, why), fx.advance(60)).await;
        woken?;
        leased = fx.store().lease_orchestrations(node.ask_instances(5)).await?;
    }
    let ids: Vec<_> = leased.instances.iter().map(|found| found.key.id.as_str()).collect();
    expect_eq!("what it gets", ids, [id]);
    Ok(())
}

pub(crate) async fn what_happened_before_the_wait_is_not_missed(fx: &Fixture) -> CheckResult {
    let node = fx.node("n1");
    let after = node.wake_seq().await?;
    fx.start("a").await?;
    node.is_woken(after, "a start before the wait").await?;
    Ok(())
}

pub(crate) async fn a_wait_goes_on_from_what_the_last_one_gave(fx: &Fixture) -> CheckResult {
    let node = fx.node("n1");
    let after = node.wake_seq().await?;
    fx.start("a").await?;
    let after = node.is_woken(after, "the first start").await?;
    fx.start("b").await?;
    node.is_woken(after, "the second start").await?;
    expect_eq!("instances leased", node.lease(5).await?.len(), 2);
    Ok(())
}

pub(crate) async fn a_start_wakes(fx: &Fixture) -> CheckResult {
    wakes(&fx.node("n1"), "a start", fx.start("a")).await
}

pub(crate) async fn an_event_wakes(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    wakes(&fx.node("n1"), "an event", fx.event("a", "go", "1")).await
}

pub(crate) async fn a_due_timer_wakes(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().timer(50).commit().await?;
    time_brings(fx, &fx.node("n2"), "a", "a due timer").await
}

pub(crate) async fn an_activity_queued_by_another_node_wakes(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    let done = async {
        a.turn().activity("Greet").keep().commit().await?;
        Ok(())
    };
    wakes(&fx.node("w"), "an activity", done).await
}

pub(crate) async fn a_completion_wakes(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    let task = fx.node("w").task().await?;
    let done = async {
        task.complete("1").await?;
        Ok(())
    };
    wakes(&fx.node("n1"), "a completion", done).await
}

pub(crate) async fn mail_for_a_held_instance_wakes_its_holder(fx: &Fixture) -> CheckResult {
    fx.begun("a").await?;
    let node = fx.node("n1");
    wakes(&node, "mail for what it holds", fx.event("a", "go", "1")).await?;
    node.lease_instance("a").await?;
    Ok(())
}

pub(crate) async fn a_due_timer_of_a_held_instance_wakes_its_holder(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().timer(50).keep().commit().await?;
    time_brings(fx, &fx.node("n1"), "a", "a due timer").await
}

pub(crate) async fn the_cancel_of_a_held_activity_wakes_its_worker(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().activity("Greet").keep().commit().await?;
    let worker = fx.node("w");
    let task = worker.task().await?;
    let done = async {
        a.turn().cancel_activity(EventId(2)).keep().commit().await?;
        Ok(())
    };
    wakes(&worker, "the cancel of what it runs", done).await?;
    expect_eq!("the renewal", task.renew(1000).await?, LeaseState::CancelRequested);
    Ok(())
}

pub(crate) async fn the_end_of_an_instance_wakes_who_runs_its_activity(
    fx: &Fixture,
) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().activity("Greet").keep().commit().await?;
    let worker = fx.node("w");
    worker.task().await?;
    let done = async {
        a.turn().complete("1").commit().await?;
        Ok(())
    };
    wakes(&worker, "the end of the instance", done).await
}

pub(crate) async fn a_release_wakes(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let a = fx.node("n1").lease_instance("a").await?;
    wakes(&fx.node("n2"), "a released instance", a.release(false, 0)).await
}

pub(crate) async fn a_released_activity_wakes(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    let task = fx.node("w1").task().await?;
    wakes(&fx.node("w2"), "a released activity", task.release(false, 0)).await
}

pub(crate) async fn the_end_of_a_delay_wakes(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let a = fx.node("n1").lease_instance("a").await?;
    a.release(false, 50).await?;
    time_brings(fx, &fx.node("n2"), "a", "the end of a delay").await
}

pub(crate) async fn a_terminate_wakes(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    let done = async {
        fx.terminate("a").await?;
        Ok(())
    };
    wakes(&fx.node("n1"), "a terminate", done).await
}

pub(crate) async fn a_child_s_end_wakes_its_parent_s_node(fx: &Fixture) -> CheckResult {
    let parent = fx.family("p").await?;
    let mut child = fx.node("n2").lease_instance("p-child").await?;
    parent.release(true, 0).await?;
    let done = async {
        child.turn().admit_all().complete("1").commit().await?;
        Ok(())
    };
    wakes(&fx.node("n1"), "the end of a child", done).await
}

pub(crate) async fn every_waiting_node_is_woken(fx: &Fixture) -> CheckResult {
    let nodes: Vec<_> = (0..5).map(|n| fx.node(&format!("n{n}"))).collect();
    let after = nodes[0].wake_seq().await?;
    let waits = nodes.iter().map(|node| node.is_woken(after, "a start"));
    let (woken, started) = join(futures_util::future::join_all(waits), fx.start("a")).await;
    started?;
    for woken in woken {
        woken?;
    }
    Ok(())
}

pub(crate) async fn a_wait_without_work_ends_after_its_time(fx: &Fixture) -> CheckResult {
    let node = fx.node("n1");
    let request = WaitForWork {
        node: node.id().clone(),
        after: node.wake_seq().await?,
        max: Duration::from_millis(30),
    };
    let waiting = fx.soon("a wait of 30 ms", fx.store().wait_for_work(request));
    let (waited, ()) = join(waiting, fx.advance(60)).await;
    waited??;
    Ok(())
}

pub(crate) async fn a_dropped_wait_disturbs_nobody(fx: &Fixture) -> CheckResult {
    let node = fx.node("n1");
    let after = node.wake_seq().await?;
    let dropped = WaitForWork { node: node.id().clone(), after, max: Duration::from_hours(1) };
    let mut waiting = fx.store().wait_for_work(dropped);
    let _ = futures_util::poll!(&mut waiting);
    drop(waiting);
    wakes(&node, "a start after a dropped wait", fx.start("a")).await
}
