//! Attempts: counted when something is newly leased, given back by a refund, set back by
//! an applied commit.

use super::prelude::*;

pub(crate) async fn the_first_attempt_of_an_instance_is_one(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    expect_eq!("the attempt", fx.node("n1").lease_instance("a").await?.got.attempt, 1);
    Ok(())
}

pub(crate) async fn a_take_over_of_an_instance_counts(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    fx.node("n1").lease_ms(10).lease_instance("a").await?;
    fx.advance(30).await;
    expect_eq!("the attempt", fx.node("n2").lease_instance("a").await?.got.attempt, 2);
    Ok(())
}

pub(crate) async fn a_release_without_refund_counts(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    for attempt in 1..=4 {
        let a = fx.node("n1").lease_instance("a").await?;
        expect_eq!("the attempt", a.got.attempt, attempt);
        a.release(false, 0).await?;
    }
    Ok(())
}

pub(crate) async fn a_refund_gives_the_attempt_back(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    for _ in 0..3 {
        let a = fx.node("n1").lease_instance("a").await?;
        expect_eq!("the attempt", a.got.attempt, 1);
        a.release(true, 0).await?;
    }
    Ok(())
}

pub(crate) async fn an_applied_commit_sets_the_attempts_back(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    fx.node("n1").lease_instance("a").await?.release(false, 0).await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    expect_eq!("the attempt before", a.got.attempt, 2);
    a.turn().admit_all().commit().await?;
    fx.event("a", "go", "1").await?;
    expect_eq!("the attempt after", fx.node("n1").lease_instance("a").await?.got.attempt, 1);
    Ok(())
}

pub(crate) async fn a_refused_commit_does_not_set_the_attempts_back(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().expecting(9).refused().await?;
    a.release(false, 0).await?;
    expect_eq!("the attempt", fx.node("n1").lease_instance("a").await?.got.attempt, 2);
    Ok(())
}

pub(crate) async fn mail_for_the_holder_counts_no_attempt(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    fx.node("n1").lease_instance("a").await?;
    fx.event("a", "go", "1").await?;
    expect_eq!("the attempt", fx.node("n1").lease_instance("a").await?.got.attempt, 1);
    Ok(())
}

pub(crate) async fn new_mail_does_not_set_the_attempts_back(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    fx.node("n1").lease_instance("a").await?.release(false, 0).await?;
    fx.event("a", "go", "1").await?;
    expect_eq!("the attempt", fx.node("n1").lease_instance("a").await?.got.attempt, 2);
    Ok(())
}

pub(crate) async fn attempts_are_counted_per_instance(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    fx.node("n1").lease_instance("a").await?.release(false, 600_000).await?;
    fx.start("b").await?;
    expect_eq!("the attempt", fx.node("n1").lease_instance("b").await?.got.attempt, 1);
    Ok(())
}

pub(crate) async fn the_first_attempt_of_an_activity_is_one(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    expect_eq!("the attempt", fx.node("w").task().await?.attempt, 1);
    Ok(())
}

pub(crate) async fn a_take_over_of_an_activity_counts(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    fx.node("w1").lease_ms(10).task().await?;
    fx.advance(30).await;
    expect_eq!("the attempt", fx.node("w2").task().await?.attempt, 2);
    Ok(())
}

pub(crate) async fn a_released_activity_counts_unless_refunded(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    for (attempt, refund) in [(1, true), (1, false), (2, true), (2, false), (3, true)] {
        let task = fx.node("w").task().await?;
        expect_eq!("the attempt", task.attempt, attempt);
        task.release(refund, 0).await?;
    }
    Ok(())
}

pub(crate) async fn attempts_are_counted_per_activity(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().activity("Greet").activity("Work").commit().await?;
    let first = fx.node("w").works(&["Greet"]).task().await?;
    first.release(false, 0).await?;
    let attempts: Vec<_> = fx.node("w").tasks(2).await?.iter().map(|t| t.attempt).collect();
    expect_eq!("the attempts", attempts, [2, 1]);
    Ok(())
}

pub(crate) async fn a_claim_counts_an_attempt(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let node = fx.node("n1");
    let mut a = node.lease_instance("a").await?;
    let request = a.turn().admit_all().activity("Greet").keep().claim(node.claim(1)).build();
    let applied = a.apply(&request).await?;
    let tasks = a.claimed(request.commit_id, &applied);
    expect_eq!("attempts of the claims", tasks.iter().map(|t| t.attempt).collect::<Vec<_>>(), [1]);
    tasks[0].release(false, 0).await?;
    expect_eq!("the next attempt", fx.node("w").task().await?.attempt, 2);
    Ok(())
}

pub(crate) async fn an_attempt_of_an_activity_is_not_the_instance_s(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    fx.node("w").task().await?.release(false, 0).await?;
    fx.node("w").task().await?.complete("1").await?;
    expect_eq!("the attempt", fx.node("n1").lease_instance("a").await?.got.attempt, 1);
    Ok(())
}
