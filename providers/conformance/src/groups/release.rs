//! Handing back: leases at once or later, with or without the attempt; and commits given up.

use super::prelude::*;
use duroxide_provider::Release;
use std::time::Duration;

pub(crate) async fn a_released_instance_is_ready_at_once(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let first = fx.node("n1").lease_instance("a").await?;
    first.release(false, 0).await?;
    let second = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", second.inbox(), ["start"]);
    Ok(())
}

pub(crate) async fn a_commit_after_release_is_refused(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.release(false, 0).await?;
    expect_eq!("the renewal", a.renew(1000).await?, LeaseState::Lost);
    let refusal = a.turn().admit_all().complete("1").refused().await?;
    expect_eq!("the commit", refusal, CommitRefusal::LeaseLost);
    Ok(())
}

pub(crate) async fn release_touches_only_what_it_names(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    fx.start("b").await?;
    let leased = fx.node("n1").lease(2).await?;
    leased[0].release(false, 0).await?;
    fx.node("n2").lease_instance("a").await?;
    expect_eq!("the other one's renewal", leased[1].renew(60_000).await?, LeaseState::Held);
    Ok(())
}

pub(crate) async fn a_release_under_another_lease_frees_nothing(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let late = fx.node("n1").lease_ms(20).lease_instance("a").await?;
    fx.advance(30).await;
    fx.node("n2").lease_instance("a").await?;
    late.release(false, 0).await?;
    fx.node("n3").finds_no_instance("n2 holds it").await
}

pub(crate) async fn a_delayed_release_hides_the_instance_until_then(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let first = fx.node("n1").lease_instance("a").await?;
    first.release(false, 600_000).await?;
    fx.node("n2").finds_no_instance("it is not to run before its delay").await?;
    fx.start("b").await?;
    let second = fx.node("n1").lease_instance("b").await?;
    second.release(false, 20).await?;
    fx.advance(30).await;
    fx.node("n2").lease_instance("b").await?;
    Ok(())
}

pub(crate) async fn a_delayed_instance_loses_no_mail(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let first = fx.node("n1").lease_instance("a").await?;
    first.release(false, 20).await?;
    fx.event("a", "go", "1").await?;
    fx.advance(30).await;
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["start", "event go 1"]);
    Ok(())
}

pub(crate) async fn a_released_activity_is_leased_at_once(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    let task = fx.node("w1").task().await?;
    task.release(false, 0).await?;
    let other = fx.node("w2").task().await?;
    expect_eq!("the first worker's", task.complete("1").await?, ActivityFate::LeaseLost);
    expect_eq!("the second worker's", other.complete("2").await?, ActivityFate::Applied);
    Ok(())
}

pub(crate) async fn a_released_activity_is_lost_to_its_worker(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    let task = fx.node("w1").task().await?;
    task.release(false, 0).await?;
    expect_eq!("the renewal", task.renew(1000).await?, LeaseState::Lost);
    expect_eq!("the completion", task.complete("1").await?, ActivityFate::LeaseLost);
    fx.node("n2").finds_no_instance("nothing was completed").await
}

pub(crate) async fn a_delayed_activity_is_hidden_until_then(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    fx.node("w1").task().await?.release(false, 600_000).await?;
    fx.node("w2").finds_no_activity("it is not to run before its delay").await?;
    fx.with_activity("b").await?;
    fx.node("w1").task().await?.release(false, 20).await?;
    fx.advance(30).await;
    expect_eq!("whose activity", fx.node("w2").task().await?.instance, "b");
    Ok(())
}

pub(crate) async fn instances_and_activities_are_released_together(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    fx.start("b").await?;
    let node = fx.node("n1");
    let (task, b) = (node.task().await?, node.lease_instance("b").await?);
    let held = vec![task.held(), b.held()];
    let request = Release { held, commit: None, refund: true, delay: Duration::ZERO };
    fx.store().release(request).await?;
    fx.node("n2").task().await?;
    fx.node("n2").lease_instance("b").await?;
    Ok(())
}

pub(crate) async fn a_commit_given_up_is_never_applied(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let request = a.turn().admit_all().activity("Greet").keep().build();
    a.give_up(request.commit_id).await?;
    let late = fx.store().commit_turn(request).await?;
    expect_matches!("the commit given up", late, CommitOutcome::Refused(_));
    expect_eq!("events", fx.events("a", 1).await?.len(), 0);
    expect_eq!("activities", fx.store().depths().await?.activities, 0);
    Ok(())
}

pub(crate) async fn giving_up_an_applied_commit_releases_its_claims(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let node = fx.node("n1");
    let mut a = node.lease_instance("a").await?;
    let request = a.turn().admit_all().activity("Greet").keep().claim(node.claim(1)).build();
    let applied = a.apply(&request).await?;
    expect_eq!("claims", applied.claimed.len(), 1);
    a.give_up(request.commit_id).await?;
    let task = fx.node("w2").task().await?;
    expect_eq!("the activity", task.event(), EventId(2));
    Ok(())
}

pub(crate) async fn giving_up_an_applied_commit_releases_the_instance(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let request = a.turn().admit_all().keep().build();
    a.apply(&request).await?;
    a.give_up(request.commit_id).await?;
    fx.event("a", "go", "1").await?;
    let b = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the commit it builds on", b.base, Some(request.commit_id));
    Ok(())
}

pub(crate) async fn giving_up_an_old_commit_leaves_the_next_holder_alone(
    fx: &Fixture,
) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let request = a.turn().admit_all().build();
    a.apply(&request).await?;
    fx.event("a", "go", "1").await?;
    let mut b = fx.node("n2").lease_instance("a").await?;
    a.give_up(request.commit_id).await?;
    fx.node("n3").finds_no_instance("n2 holds it").await?;
    b.turn().admit_all().complete("1").commit().await?;
    Ok(())
}

pub(crate) async fn mail_does_not_shorten_a_delay(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    fx.node("n1").lease_instance("a").await?.release(false, 600_000).await?;
    fx.event("a", "go", "1").await?;
    fx.node("n2").finds_no_instance("it is not to run before its delay").await
}

pub(crate) async fn a_termination_does_not_wait_for_a_delay(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    fx.node("n1").lease_instance("a").await?.release(false, 600_000).await?;
    fx.terminate("a").await?;
    let a = fx.node("n2").runs_nothing().lease_instance("a").await?;
    ensure!(a.inbox().contains(&"terminate at once".to_owned()), "it is told: {:?}", a.inbox());
    Ok(())
}
