//! What an instance waits on, in a phrase for people: it is that of its latest commit.

use super::prelude::*;

/// The phrase; empty without one.
async fn phrase(fx: &Fixture, id: &str) -> CheckResult<String> {
    Ok(fx.info(id).await?.waiting.unwrap_or_default())
}

pub(crate) async fn before_the_first_commit_there_is_no_phrase(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    expect_eq!("the phrase", phrase(fx, "a").await?, "");
    fx.node("n1").lease_instance("a").await?;
    expect_eq!("the phrase while it is held", phrase(fx, "a").await?, "");
    Ok(())
}

pub(crate) async fn the_phrase_is_that_of_the_latest_commit(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().timer(5).waiting("a timer").keep().commit().await?;
    expect_eq!("the phrase", phrase(fx, "a").await?, "a timer");
    a.turn().activity("Greet").waiting("activity “Grüße”").keep().commit().await?;
    expect_eq!("the next phrase", phrase(fx, "a").await?, "activity “Grüße”");
    a.turn().status(Some("s")).keep().commit().await?;
    expect_eq!("the phrase of a commit without one", phrase(fx, "a").await?, "");
    Ok(())
}

pub(crate) async fn every_kind_of_end_takes_the_phrase_away(fx: &Fixture) -> CheckResult {
    for id in ["completed", "failed", "terminated"] {
        let mut a = fx.begun(id).await?;
        a.turn().timer(5).waiting("a timer").keep().commit().await?;
        match id {
            "completed" => a.turn().complete("1").commit().await?,
            "failed" => a.turn().fail("broken").commit().await?,
            _ => a.turn().terminate("stopped").commit().await?,
        };
        expect_eq!(format!("the phrase of a {id} one"), phrase(fx, id).await?, "");
    }
    Ok(())
}

pub(crate) async fn the_next_execution_waits_on_its_own(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().timer(5).waiting("a timer").keep().commit().await?;
    a.turn().continue_as_new().keep().commit().await?;
    expect_eq!("before its first turn", phrase(fx, "a").await?, "");
    a.turn().admit_all().timer(5).waiting("another timer").keep().commit().await?;
    expect_eq!("after it", phrase(fx, "a").await?, "another timer");
    Ok(())
}

pub(crate) async fn a_refused_commit_leaves_the_phrase(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().timer(5).waiting("a timer").keep().commit().await?;
    a.turn().timer(5).waiting("what never came").on_base(None).refused().await?;
    expect_eq!("the phrase", phrase(fx, "a").await?, "a timer");
    Ok(())
}

pub(crate) async fn mail_and_leases_leave_the_phrase(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().timer(600_000).waiting("a timer").commit().await?;
    fx.event("a", "go", "1").await?;
    fx.node("n2").lease_instance("a").await?;
    expect_eq!("the phrase", phrase(fx, "a").await?, "a timer");
    Ok(())
}

pub(crate) async fn the_phrase_survives_a_restart(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().timer(600_000).waiting("a timer").commit().await?;
    let fx = fx.reopened().await?;
    expect_eq!("the phrase", phrase(&fx, "a").await?, "a timer");
    Ok(())
}
