//! Calls that failed: the kind of error says whether anything was applied, and the same
//! request again, with the same ids, is applied once. A provider that tries again by itself
//! may answer as if nothing had happened.

use super::prelude::*;
use crate::factory::Trouble;
use duroxide_provider::Submit;

/// What was refused for want of time or room was not applied, and is applied when it is
/// sent again.
async fn refused(fx: &Fixture, trouble: Trouble) -> CheckResult {
    let request = fx.request("a", start("Flow", None));
    fx.trouble(trouble).await?;
    match fx.store().submit(request.clone()).await {
        Err(ProviderError::Busy { .. } | ProviderError::Full { .. }) => {
            ensure!(fx.find("a").await?.is_none(), "what was refused must not be applied");
        }
        Ok(answer) => expect_eq!("the answer after tries of its own", answer, Submitted::Created),
        Err(other) => {
            ensure!(false, "expected `Busy`, `Full` or an answer, got: {other}");
        }
    }
    again(fx, request).await
}

async fn again(fx: &Fixture, request: Submit) -> CheckResult {
    expect_eq!("the same again", fx.store().submit(request).await?, Submitted::Created);
    let a = fx.node("n1").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["start"]);
    Ok(())
}

/// An error that leaves open whether the call was applied.
fn leaves_it_open<T>(answer: &Result<T, ProviderError>) -> CheckResult {
    match answer {
        Ok(_) | Err(ProviderError::Unknown { .. }) => Ok(()),
        Err(other) => {
            ensure!(false, "it may have been applied, so expected `Unknown`, got: {other}");
            Ok(())
        }
    }
}

pub(crate) async fn what_a_busy_store_refused_is_not_applied(fx: &Fixture) -> CheckResult {
    refused(fx, Trouble::Busy).await
}

pub(crate) async fn what_a_full_store_refused_is_not_applied(fx: &Fixture) -> CheckResult {
    refused(fx, Trouble::Full).await
}

pub(crate) async fn a_start_whose_answer_was_lost_creates_once(fx: &Fixture) -> CheckResult {
    let request = fx.request("a", start("Flow", None));
    fx.trouble(Trouble::LostAnswer).await?;
    leaves_it_open(&fx.store().submit(request.clone()).await)?;
    again(fx, request).await
}

pub(crate) async fn a_commit_whose_answer_was_lost_is_applied_once(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let node = fx.node("n1");
    let mut a = node.lease_instance("a").await?;
    let turn = a.turn().admit_all().activity("Greet").status(Some("s"));
    let request = turn.keep().claim(node.claim(1)).build();
    fx.trouble(Trouble::LostAnswer).await?;
    leaves_it_open(&fx.store().commit_turn(request.clone()).await)?;
    let applied = a.apply(&request).await?;
    expect_eq!("claims", applied.claimed.len(), 1);
    expect_eq!("events", fx.events("a", 1).await?.len(), 3);
    expect_eq!("the status version", fx.info("a").await?.custom_status_version, 1);
    a.turn().complete("1").commit().await?;
    Ok(())
}

pub(crate) async fn a_completion_whose_answer_was_lost_arrives_once(fx: &Fixture) -> CheckResult {
    fx.with_activity("a").await?;
    let task = fx.node("w").task().await?;
    fx.trouble(Trouble::LostAnswer).await?;
    leaves_it_open(&fx.store().complete_activity(task.completion("1")).await)?;
    let fate = task.complete("1").await?;
    ensure!(fate != ActivityFate::LeaseLost, "the retry must not say that the lease was lost");
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["done #2 ok 1"]);
    Ok(())
}

pub(crate) async fn a_lease_whose_answer_was_lost_counts_one_attempt(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let request = fx.node("n1").ask_instances(5);
    fx.trouble(Trouble::LostAnswer).await?;
    leaves_it_open(&fx.store().lease_orchestrations(request.clone()).await)?;
    let leased = fx.store().lease_orchestrations(request).await?;
    let attempts: Vec<_> = leased.instances.iter().map(|instance| instance.attempt).collect();
    expect_eq!("the attempts of what the retry gives", attempts, [1]);
    Ok(())
}

pub(crate) async fn a_commit_whose_answer_was_lost_can_be_given_up(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let request = a.turn().admit_all().activity("Greet").keep().build();
    fx.trouble(Trouble::LostAnswer).await?;
    leaves_it_open(&fx.store().commit_turn(request.clone()).await)?;
    a.give_up(request.commit_id).await?;
    a.release(false, 0).await?;
    let events = fx.events("a", 1).await?.len();
    ensure!(events == 0 || events == 2, "it was applied whole or not at all: {events} events");
    fx.event("a", "go", "1").await?;
    let mut next = fx.node("n2").lease_instance("a").await?;
    next.turn().admit_all().complete("1").commit().await?;
    Ok(())
}
