//! Leases of instances: one holder, fenced; expiry only permits take-over.

use super::prelude::*;
use duroxide_provider::Renew;
use std::time::Duration;

pub(crate) async fn an_instance_has_one_holder(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    fx.node("n1").lease_instance("a").await?;
    fx.node("n2").finds_no_instance("n1 holds it").await
}

pub(crate) async fn holding_one_instance_leaves_others_free(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    fx.node("n1").lease_instance("a").await?;
    fx.start("b").await?;
    fx.node("n2").lease_instance("b").await?;
    Ok(())
}

pub(crate) async fn no_more_are_leased_than_asked_for(fx: &Fixture) -> CheckResult {
    for id in ["a", "b", "c"] {
        fx.start(id).await?;
    }
    expect_eq!("instances leased", fx.node("n1").lease(2).await?.len(), 2);
    expect_eq!("instances left", fx.node("n2").lease(5).await?.len(), 1);
    Ok(())
}

pub(crate) async fn the_longest_ready_is_leased_first(fx: &Fixture) -> CheckResult {
    for id in ["z", "m", "a"] {
        fx.start(id).await?;
        fx.advance(2).await;
    }
    let leased = fx.node("n1").lease(2).await?;
    let ids: Vec<_> = leased.iter().map(Tenure::id).collect();
    expect_eq!("leased", ids, ["z", "m"]);
    Ok(())
}

pub(crate) async fn an_expired_lease_is_taken_over(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let first = fx.node("n1").lease_ms(20).lease_instance("a").await?;
    fx.advance(30).await;
    let second = fx.node("n2").lease_instance("a").await?;
    ensure!(first.got.lease != second.got.lease, "a take-over has the lease of its own call");
    expect_eq!("the inbox", second.inbox(), ["start"]);
    Ok(())
}

pub(crate) async fn a_commit_after_take_over_is_refused(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut first = fx.node("n1").lease_ms(20).lease_instance("a").await?;
    fx.advance(30).await;
    let mut second = fx.node("n2").lease_instance("a").await?;
    let refusal = first.turn().admit_all().complete("1").refused().await?;
    expect_eq!("the late commit", refusal, CommitRefusal::LeaseLost);
    second.turn().admit_all().complete("2").commit().await?;
    let state = fx.info("a").await?.state;
    expect_eq!("the state", state, InstanceState::Completed { output: Payload::json("2") });
    Ok(())
}

pub(crate) async fn a_commit_after_take_over_and_commit_is_refused(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut first = fx.node("n1").lease_ms(20).lease_instance("a").await?;
    fx.advance(30).await;
    let mut second = fx.node("n2").lease_instance("a").await?;
    second.turn().admit_all().keep().commit().await?;
    let refusal = first.turn().admit_all().complete("1").refused().await?;
    expect_eq!("the late commit", refusal, CommitRefusal::Conflict);
    Ok(())
}

pub(crate) async fn an_expired_lease_nobody_took_over_still_commits(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_ms(10).lease_instance("a").await?;
    fx.advance(30).await;
    a.turn().admit_all().complete("1").commit().await?;
    Ok(())
}

pub(crate) async fn an_expired_lease_without_work_makes_nothing_ready(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().keep_ms(10).commit().await?;
    fx.advance(30).await;
    fx.node("n2").finds_no_instance("it has no work").await?;
    a.turn().complete("1").commit().await?;
    Ok(())
}

pub(crate) async fn an_expired_lease_with_new_mail_is_taken_over(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().keep_ms(10).commit().await?;
    fx.advance(30).await;
    fx.event("a", "go", "1").await?;
    let b = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", b.inbox(), ["event go 1"]);
    expect_eq!(
        "the late commit",
        a.turn().complete("1").refused().await?,
        CommitRefusal::LeaseLost
    );
    Ok(())
}

pub(crate) async fn a_renewed_lease_outlives_its_first_deadline(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let a = fx.node("n1").lease_ms(20).lease_instance("a").await?;
    expect_eq!("the renewal", a.renew(600_000).await?, LeaseState::Held);
    fx.advance(40).await;
    fx.node("n2").finds_no_instance("n1 renewed its lease").await
}

pub(crate) async fn an_expired_lease_nobody_took_over_is_renewed(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let a = fx.node("n1").lease_ms(10).lease_instance("a").await?;
    fx.advance(30).await;
    expect_eq!("the renewal", a.renew(600_000).await?, LeaseState::Held);
    fx.node("n2").finds_no_instance("n1 renewed its lease").await
}

pub(crate) async fn a_renewal_after_take_over_says_lost(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let first = fx.node("n1").lease_ms(20).lease_instance("a").await?;
    fx.advance(30).await;
    let mut second = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the renewal", first.renew(600_000).await?, LeaseState::Lost);
    second.turn().admit_all().complete("1").commit().await?;
    Ok(())
}

pub(crate) async fn renewals_are_answered_each_and_in_order(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    fx.start("b").await?;
    let leased = fx.node("n1").lease(2).await?;
    leased[0].release(false, 0).await?;
    let held = vec![leased[1].held(), leased[0].held(), leased[1].held()];
    let answers = fx.store().renew(Renew { held, duration: Duration::from_mins(1) }).await?;
    expect_eq!("the answers", answers, [LeaseState::Held, LeaseState::Lost, LeaseState::Held]);
    Ok(())
}

pub(crate) async fn new_mail_for_a_held_instance_goes_to_its_holder(fx: &Fixture) -> CheckResult {
    let a = fx.begun("a").await?;
    fx.event("a", "go", "1").await?;
    fx.node("n2").finds_no_instance("n1 holds it").await?;
    let given = fx.node("n1").lease_instance("a").await?;
    expect_eq!("the lease it is held under", given.got.lease, a.got.lease);
    expect_eq!("the inbox", given.inbox(), ["event go 1"]);
    Ok(())
}

pub(crate) async fn mail_given_to_the_holder_is_not_given_again(fx: &Fixture) -> CheckResult {
    fx.begun("a").await?;
    fx.event("a", "go", "1").await?;
    fx.node("n1").lease_instance("a").await?;
    fx.node("n1").finds_no_instance("nothing came since").await?;
    fx.event("a", "go", "2").await?;
    let given = fx.node("n1").lease_instance("a").await?;
    ensure!(given.inbox().contains(&"event go 2".to_owned()), "the new message is given");
    Ok(())
}

pub(crate) async fn an_instance_without_new_mail_is_not_given_to_its_holder(
    fx: &Fixture,
) -> CheckResult {
    fx.start("a").await?;
    fx.node("n1").lease_instance("a").await?;
    fx.node("n1").finds_no_instance("it was given already").await
}

pub(crate) async fn a_commit_that_keeps_the_lease_keeps_others_away(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_ms(20).lease_instance("a").await?;
    let applied = a.turn().admit_all().keep().commit().await?;
    ensure!(applied.held, "the lease is expected to be held");
    fx.event("a", "go", "1").await?;
    fx.advance(40).await;
    fx.node("n2").finds_no_instance("the commit kept the lease for longer").await
}

pub(crate) async fn a_commit_that_does_not_keep_the_lease_releases_it(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let applied = a.turn().admit_all().commit().await?;
    ensure!(!applied.held, "the lease is expected to be released");
    fx.node("n2").finds_no_instance("it waits").await?;
    fx.event("a", "go", "1").await?;
    fx.node("n2").lease_instance("a").await?;
    Ok(())
}

pub(crate) async fn an_ended_instance_is_held_by_nobody(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let applied = a.turn().admit_all().complete("1").keep().commit().await?;
    ensure!(!applied.held, "an instance that ended cannot be held");
    ensure!(a.renew(1000).await? != LeaseState::Held, "its lease must not be renewed");
    Ok(())
}

pub(crate) async fn reads_need_the_lease(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let first = fx.node("n1").lease_ms(20).lease_instance("a").await?;
    fx.advance(30).await;
    fx.node("n2").lease_instance("a").await?;
    let history = fx.store().read_history(first.ask_history(1, 1000)).await;
    expect_matches!("reading history", history, Err(ProviderError::NotFound { .. }));
    let name = MailName { channel: Channel::Event, name: "go".to_owned() };
    let mail = first.mail(name, None, 10).await;
    ensure!(mail.is_err(), "reading mail without the lease must fail, got {mail:?}");
    Ok(())
}

pub(crate) async fn a_holder_reads_the_history_it_committed(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let request = a.turn().admit_all().activity("Greet").timer(60_000).keep().build();
    a.apply(&request).await?;
    let page = a.history().await?;
    expect_eq!("the events", page.events, request.turn.events);
    expect_eq!("a next page", page.next, None);
    Ok(())
}

pub(crate) async fn history_is_read_in_pages_without_gaps(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    let turn = (0..20).fold(a.turn().admit_all(), |turn, _| turn.activity("Greet"));
    turn.keep().commit().await?;
    let (mut from, mut ids, mut pages) = (1, Vec::new(), 0);
    loop {
        let page = fx.store().read_history(a.ask_history(from, 200)).await?;
        ensure!(!page.events.is_empty(), "a page has at least one event (page from {from})");
        ids.extend(page.events.iter().map(|e| e.id.0));
        pages += 1;
        match page.next {
            Some(next) => from = next.0,
            None => break,
        }
    }
    expect_eq!("event ids over all pages", ids, (1..=21).collect::<Vec<u64>>());
    ensure!(pages > 1, "200 bytes a page must need more than one page");
    Ok(())
}
