//! Cancels and terminations as the store carries them, and activities that are cancelled.

use super::prelude::*;

/// An instance with a queued and a held activity, `Greet` #2 (held) and `Work` #3.
async fn with_work(fx: &Fixture) -> CheckResult<(Tenure, Task)> {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().activity("Greet").activity("Work").keep().commit().await?;
    let held = fx.node("w").works(&["Greet"]).task().await?;
    Ok((a, held))
}

pub(crate) async fn a_cancel_arrives_and_ends_nothing_by_itself(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    expect_eq!("the answer", fx.cancel("a").await?, Submitted::Accepted);
    expect_eq!("the state", fx.info("a").await?.state, InstanceState::Running);
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["cancel enough"]);
    Ok(())
}

pub(crate) async fn a_second_cancel_is_a_message_of_its_own(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    fx.cancel("a").await?;
    fx.cancel("a").await?;
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["cancel enough", "cancel enough"]);
    Ok(())
}

pub(crate) async fn a_cancel_before_the_first_turn_comes_after_the_start(
    fx: &Fixture,
) -> CheckResult {
    fx.start("a").await?;
    fx.cancel("a").await?;
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["start", "cancel enough"]);
    Ok(())
}

pub(crate) async fn a_termination_is_for_every_node(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    fx.terminate("a").await?;
    let mut a = fx.node("n2").runs_nothing().lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["terminate at once"]);
    a.turn().admit_all().terminate("at once").commit().await?;
    let state = fx.info("a").await?.state;
    expect_eq!("the state", state, InstanceState::Terminated { reason: "at once".to_owned() });
    Ok(())
}

pub(crate) async fn a_termination_before_the_first_turn_is_for_every_node(
    fx: &Fixture,
) -> CheckResult {
    fx.submit("a", start("Unknown", Some("9.9.9"))).await?;
    fx.node("n2").finds_no_instance("nobody runs `Unknown`").await?;
    fx.terminate("a").await?;
    let mut a = fx.node("n2").lease_instance("a").await?;
    a.turn().admit_all().terminate("at once").commit().await?;
    ensure!(fx.info("a").await?.state.is_terminal(), "it was terminated");
    Ok(())
}

pub(crate) async fn a_termination_of_a_held_instance_goes_to_its_holder(
    fx: &Fixture,
) -> CheckResult {
    let a = fx.begun("a").await?;
    fx.terminate("a").await?;
    fx.node("n2").finds_no_instance("n1 holds it").await?;
    let given = fx.node("n1").lease_instance("a").await?;
    expect_eq!("the lease it is held under", given.got.lease, a.got.lease);
    Ok(())
}

pub(crate) async fn a_cancelled_activity_is_never_leased(fx: &Fixture) -> CheckResult {
    let (mut a, _) = with_work(fx).await?;
    a.turn().cancel_activity(EventId(3)).keep().commit().await?;
    fx.node("w2").finds_no_activity("it was cancelled").await?;
    expect_eq!("queued activities", fx.store().depths().await?.activities, 0);
    Ok(())
}

pub(crate) async fn a_cancelled_activity_tells_its_worker_to_stop(fx: &Fixture) -> CheckResult {
    let (mut a, held) = with_work(fx).await?;
    a.turn().cancel_activity(held.event()).keep().commit().await?;
    expect_eq!("the renewal", held.renew(60_000).await?, LeaseState::CancelRequested);
    Ok(())
}

pub(crate) async fn a_cancelled_activity_completes_nothing(fx: &Fixture) -> CheckResult {
    let (mut a, held) = with_work(fx).await?;
    a.turn().cancel_activity(held.event()).keep().commit().await?;
    expect_eq!("the completion", held.complete("1").await?, ActivityFate::Gone);
    a.turn().status(Some("s")).keep().commit().await?;
    expect_eq!("the inbox", a.inbox(), Vec::<String>::new());
    Ok(())
}

pub(crate) async fn a_cancelled_activity_cannot_be_fused(fx: &Fixture) -> CheckResult {
    let (mut a, held) = with_work(fx).await?;
    a.turn().cancel_activity(held.event()).keep().commit().await?;
    let refusal = a.turn().finishing(&held, "1").keep().refused().await?;
    expect_eq!("the answer", refusal, CommitRefusal::ActivityLost { activity: held.activity });
    Ok(())
}

pub(crate) async fn a_cancelled_activity_never_comes_back(fx: &Fixture) -> CheckResult {
    let (mut a, held) = with_work(fx).await?;
    a.turn().cancel_activity(EventId(2)).cancel_activity(EventId(3)).keep().commit().await?;
    held.release(false, 0).await?;
    fx.advance(10).await;
    fx.node("w2").finds_no_activity("it was cancelled").await
}

pub(crate) async fn cancelling_an_activity_leaves_the_others(fx: &Fixture) -> CheckResult {
    let (mut a, held) = with_work(fx).await?;
    a.turn().cancel_activity(held.event()).keep().commit().await?;
    let other = fx.node("w2").task().await?;
    expect_eq!("the other's event", other.event(), EventId(3));
    expect_eq!("the other's renewal", other.renew(60_000).await?, LeaseState::Held);
    Ok(())
}

pub(crate) async fn cancelling_an_activity_leaves_other_instances(fx: &Fixture) -> CheckResult {
    let (mut a, held) = with_work(fx).await?;
    fx.with_activity("b").await?;
    a.turn().cancel_activity(EventId(2)).cancel_activity(EventId(3)).keep().commit().await?;
    let other = fx.node("w2").task().await?;
    expect_eq!("whose activity", other.instance.as_str(), "b");
    ensure!(other.activity.incarnation != held.activity.incarnation, "it is of another instance");
    Ok(())
}

pub(crate) async fn cancelling_an_activity_that_is_done_is_harmless(fx: &Fixture) -> CheckResult {
    let (mut a, held) = with_work(fx).await?;
    held.complete("1").await?;
    a.turn().cancel_activity(held.event()).keep().commit().await?;
    expect_eq!("events", fx.events("a", 1).await?.len(), 4);
    Ok(())
}

pub(crate) async fn the_end_cancels_open_activities(fx: &Fixture) -> CheckResult {
    let (mut a, held) = with_work(fx).await?;
    a.turn().complete("1").commit().await?;
    fx.node("w2").finds_no_activity("its instance has ended").await?;
    expect_eq!("the renewal", held.renew(60_000).await?, LeaseState::CancelRequested);
    expect_eq!("the completion", held.complete("1").await?, ActivityFate::Gone);
    fx.node("n2").finds_no_instance("it has ended").await
}

pub(crate) async fn every_kind_of_end_cancels_open_activities(fx: &Fixture) -> CheckResult {
    for id in ["fails", "stops"] {
        fx.with_activity(id).await?;
        fx.cancel(id).await?;
        let mut a = fx.node("n2").lease_instance(id).await?;
        let turn = a.turn().admit_all();
        match id {
            "fails" => turn.fail("broken").commit().await?,
            _ => turn.terminate("stopped").commit().await?,
        };
        fx.node("w").finds_no_activity("its instance has ended").await?;
    }
    Ok(())
}
