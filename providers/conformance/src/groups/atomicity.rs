//! A commit is applied whole or not at all; so is the end of an activity.

use super::prelude::*;

pub(crate) async fn a_commit_lands_whole(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let turn = a.turn().admit_all().activity("Greet").timer(600_000).child("Child", "c");
    turn.status(Some("busy")).set("k", "v").keep().commit().await?;
    expect_eq!("events", fx.events("a", 1).await?.len(), 6);
    expect_eq!("the status", fx.info("a").await?.custom_status.as_deref(), Some("busy"));
    expect_eq!("the keys", fx.kv("a").await?, [("k".to_owned(), "v".to_owned())]);
    ensure!(fx.find("c").await?.is_some(), "the child is expected to exist");
    let depths = fx.store().depths().await?;
    expect_eq!("queued activities", depths.activities, 1);
    expect_eq!("timers", depths.timers, 1);
    Ok(())
}

pub(crate) async fn a_refused_commit_changes_nothing(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let turn = a.turn().admit_all().activity("Greet").timer(600_000).child("Child", "c");
    let turn = turn.status(Some("busy")).set("k", "v").keep();
    expect_eq!("the answer", turn.expecting(9).refused().await?, CommitRefusal::Conflict);
    expect_eq!("events", fx.events("a", 1).await?.len(), 0);
    expect_eq!("the status", fx.info("a").await?.custom_status, None);
    expect_eq!("the keys", fx.kv("a").await?, []);
    ensure!(fx.find("c").await?.is_none(), "no child is expected");
    let depths = fx.store().depths().await?;
    expect_eq!("queued activities", depths.activities, 0);
    expect_eq!("timers", depths.timers, 0);
    Ok(())
}

pub(crate) async fn a_refused_commit_keeps_lease_and_mail(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().expecting(9).refused().await?;
    fx.node("n2").finds_no_instance("n1 holds it still").await?;
    a.turn().admit_all().complete("1").commit().await?;
    expect_eq!("events", fx.events("a", 1).await?.len(), 2);
    Ok(())
}

pub(crate) async fn one_lost_activity_refuses_the_whole_commit(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let turn = a.turn().admit_all().activity("Greet").activity("Work");
    turn.keep().commit().await?;
    let tasks = fx.node("n1").tasks(2).await?;
    expect_eq!("activities leased", tasks.len(), 2);
    tasks[1].release(false, 0).await?;
    let turn = a.turn().finishing(&tasks[0], "1").finishing(&tasks[1], "2");
    let refusal = turn.keep().refused().await?;
    expect_eq!("the answer", refusal, CommitRefusal::ActivityLost { activity: tasks[1].activity });
    expect_eq!("the other one", tasks[0].complete("1").await?, ActivityFate::Applied);
    expect_eq!("events", fx.events("a", 1).await?.len(), 3);
    Ok(())
}

pub(crate) async fn a_completion_removes_the_activity_and_brings_its_message(
    fx: &Fixture,
) -> CheckResult {
    fx.with_activity("a").await?;
    let task = fx.node("w").task().await?;
    expect_eq!("the answer", task.complete("\"hi\"").await?, ActivityFate::Applied);
    fx.node("w2").lease_ms(1).finds_no_activity("it was completed").await?;
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["done #2 ok \"hi\""]);
    Ok(())
}

pub(crate) async fn a_failure_arrives_as_it_was_sent(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    fx.node("w").task().await?.fail("no network").await?;
    let a = fx.node("n2").lease_instance("a").await?;
    let body = a.arrivals.first().map(|arrival| arrival.body.clone());
    let want = duroxide_core::Failure::application("no network");
    let want = ArrivalBody::ActivityDone { source: EventId(2), outcome: Err(want) };
    expect_eq!("the arrival", body, Some(want));
    Ok(())
}

pub(crate) async fn a_fused_completion_leaves_no_activity_and_no_message(
    fx: &Fixture,
) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().activity("Greet").keep().commit().await?;
    let task = fx.node("n1").task().await?;
    let applied = a.turn().finishing(&task, "1").keep().commit().await?;
    expect_eq!("arrivals", applied.arrivals, []);
    expect_eq!("completed once more", task.complete("1").await?, ActivityFate::Gone);
    a.release(true, 0).await?;
    fx.node("n2").finds_no_instance("the completion came with the commit").await?;
    Ok(())
}

pub(crate) async fn an_activity_completed_on_its_own_cannot_be_fused(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().activity("Greet").keep().commit().await?;
    let task = fx.node("n1").task().await?;
    task.complete("1").await?;
    let refusal = a.turn().finishing(&task, "1").keep().refused().await?;
    expect_eq!("the answer", refusal, CommitRefusal::ActivityLost { activity: task.activity });
    Ok(())
}
