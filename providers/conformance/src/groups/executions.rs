//! Continue-as-new: the next execution starts in the same commit; what carries over and
//! what does not.

use super::prelude::*;

pub(crate) async fn the_next_execution_starts_in_the_same_commit(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().continue_as_new().commit().await?;
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the execution", a.got.execution, ExecutionId(2));
    expect_eq!("the next event", a.got.next_event, EventId::FIRST);
    expect_eq!("the inbox", a.inbox(), ["start"]);
    let body = a.arrivals.first().map(|arrival| arrival.body.clone());
    let (name, version, input) = ("Flow".to_owned(), None, Payload::json("4"));
    let want = ArrivalBody::Start { name, version, input, parent: None, headers: trace() };
    expect_eq!("the start", body, Some(want));
    Ok(())
}

pub(crate) async fn the_next_execution_may_stay_with_the_holder(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    let applied = a.turn().continue_as_new().keep().commit().await?;
    ensure!(applied.held, "the lease is expected to be held");
    expect_eq!("what the commit gives", a.inbox(), ["start"]);
    a.turn().admit_all().complete("1").commit().await?;
    ensure!(fx.info("a").await?.state.is_terminal(), "the second execution ended");
    Ok(())
}

pub(crate) async fn executions_are_numbered_one_by_one(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    for execution in 1..=4 {
        let mut a = fx.node("n1").lease_instance("a").await?;
        expect_eq!("the execution", a.got.execution, ExecutionId(execution));
        a.turn().admit_all().continue_as_new().commit().await?;
    }
    let executions = fx.store().executions(InstanceKey::new("a")).await?;
    let numbers: Vec<_> = executions.iter().map(|e| e.execution.0).collect();
    expect_eq!("the executions", numbers, [1, 2, 3, 4, 5]);
    expect_eq!("the current one", fx.info("a").await?.execution, ExecutionId(5));
    Ok(())
}

pub(crate) async fn each_execution_keeps_its_own_history(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().activity("Greet").continue_as_new().commit().await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    expect_eq!("the history of the new one", a.history().await?.events, []);
    a.turn().admit_all().complete("1").commit().await?;
    expect_eq!("events of the first", fx.events("a", 1).await?.len(), 3);
    expect_eq!("events of the second", fx.events("a", 2).await?.len(), 2);
    let executions = fx.store().executions(InstanceKey::new("a")).await?;
    let states: Vec<_> = executions.iter().map(|e| e.state.clone()).collect();
    let output = Payload::json("1");
    let want = [InstanceState::ContinuedAsNew, InstanceState::Completed { output }];
    expect_eq!("the states", states, want);
    Ok(())
}

pub(crate) async fn between_two_executions_the_instance_runs(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().continue_as_new().commit().await?;
    expect_eq!("the state", fx.info("a").await?.state, InstanceState::Running);
    Ok(())
}

pub(crate) async fn unseen_mail_is_carried_over_behind_the_start(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    fx.event("a", "go", "1").await?;
    fx.event("a", "go", "2").await?;
    a.turn().continue_as_new().commit().await?;
    fx.event("a", "go", "3").await?;
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["start", "event go 1", "event go 2", "event go 3"]);
    Ok(())
}

pub(crate) async fn unread_mail_is_carried_over(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    for n in 0..130 {
        fx.event("a", "go", &n.to_string()).await?;
    }
    while let Some(mut a) = fx.node("n1").lease(1).await?.pop() {
        a.turn().see_all().commit().await?;
    }
    fx.event("a", "next", "1").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().continue_as_new().commit().await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    // Whether it comes as unread mail or as arrivals once more is the provider's choice.
    while !a.arrivals.is_empty() {
        a.turn().see_all().keep().commit().await?;
    }
    let name = MailName { channel: Channel::Event, name: "go".to_owned() };
    let got = letters(&a.mail(name, None, 1000).await?.unread);
    let want: Vec<_> = (0..130).map(|n| format!("go {n}")).collect();
    expect_eq!("unread mail", got, want);
    Ok(())
}

pub(crate) async fn a_consumed_message_is_not_carried_over(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    fx.event("a", "go", "1").await?;
    a.turn().keep().commit().await?;
    a.turn().admit_all().continue_as_new().commit().await?;
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["start"]);
    Ok(())
}

pub(crate) async fn a_pending_cancel_is_carried_over(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    fx.cancel("a").await?;
    a.turn().continue_as_new().commit().await?;
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["start", "cancel enough"]);
    Ok(())
}

pub(crate) async fn status_is_carried_over_and_its_version_goes_on(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().status(Some("one")).continue_as_new().commit().await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let base = a.history().await?.base.unwrap_or_default();
    expect_eq!("the status at its start", base.status.as_deref(), Some("one"));
    a.turn().admit_all().status(Some("two")).commit().await?;
    expect_eq!("the version", fx.info("a").await?.custom_status_version, 2);
    Ok(())
}

pub(crate) async fn keys_are_carried_over(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().set("k", "1").set("l", "2").clear("l").continue_as_new().commit().await?;
    let a = fx.node("n1").lease_instance("a").await?;
    let base = a.history().await?.base.unwrap_or_default();
    expect_eq!("the keys at its start", pairs(&base.kv), [("k".to_owned(), "1".to_owned())]);
    expect_eq!("the keys now", fx.kv("a").await?, [("k".to_owned(), "1".to_owned())]);
    Ok(())
}

pub(crate) async fn timers_are_not_carried_over(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().timer(30).timer(600_000).keep().commit().await?;
    a.turn().continue_as_new().commit().await?;
    expect_eq!("timers", fx.store().depths().await?.timers, 0);
    fx.advance(50).await;
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["start"]);
    Ok(())
}

pub(crate) async fn a_due_timer_is_not_carried_over(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().timer(10).keep().commit().await?;
    fx.advance(30).await;
    a.turn().continue_as_new().commit().await?;
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["start"]);
    Ok(())
}

pub(crate) async fn open_activities_are_cancelled_by_the_next_execution(
    fx: &Fixture,
) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().activity("Greet").activity("Work").keep().commit().await?;
    let task = fx.node("w").works(&["Greet"]).task().await?;
    a.turn().continue_as_new().commit().await?;
    fx.node("w").finds_no_activity("its execution is over").await?;
    expect_eq!("the renewal", task.renew(1000).await?, LeaseState::CancelRequested);
    expect_eq!("the completion", task.complete("1").await?, ActivityFate::Gone);
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["start"]);
    Ok(())
}

pub(crate) async fn an_unread_completion_is_not_carried_over(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().activity("Greet").keep().commit().await?;
    fx.node("w").task().await?.complete("1").await?;
    a.turn().continue_as_new().commit().await?;
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["start"]);
    Ok(())
}

pub(crate) async fn a_commit_for_the_former_execution_is_refused(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    let mut late = a.clone();
    a.turn().continue_as_new().keep().commit().await?;
    let refusal = late.turn().complete("1").refused().await?;
    expect_eq!("the late commit", refusal, CommitRefusal::Gone);
    Ok(())
}

pub(crate) async fn the_next_execution_is_latest_unless_named(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().continue_as_new().commit().await?;
    let mut a = fx.node("n2").runs("Flow", &["2.0.0"]).lease_instance("a").await?;
    expect_eq!("the version", a.got.version, None);
    a.turn().admit_all().continue_with(Some("3.0.0")).commit().await?;
    fx.node("n2").runs("Flow", &["2.0.0"]).finds_no_instance("it asks for 3.0.0").await?;
    let a = fx.node("n2").runs("Flow", &["3.0.0"]).lease_instance("a").await?;
    expect_eq!("the version", a.got.version.as_deref(), Some("3.0.0"));
    Ok(())
}

pub(crate) async fn the_incarnation_stays(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().continue_as_new().commit().await?;
    let next = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the incarnation", next.got.incarnation, a.got.incarnation);
    expect_eq!("the commit it builds on", next.got.last_commit, a.base);
    Ok(())
}
