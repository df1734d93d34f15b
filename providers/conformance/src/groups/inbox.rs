//! The inbox: order, what makes ready and what no longer does, unread mail.

use super::prelude::*;
use duroxide_core::{ArrivalId, Origin};

fn mailbox(name: &str) -> MailName {
    MailName { channel: Channel::Event, name: name.to_owned() }
}

fn ids(tenure: &Tenure) -> Vec<ArrivalId> {
    let id = |origin| match origin {
        Origin::Inbox(id) => Some(id),
        Origin::Fused(_) => None,
    };
    tenure.arrivals.iter().filter_map(|a| id(a.origin)).collect()
}

pub(crate) async fn mail_arrives_in_the_order_it_was_acknowledged(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    for n in 0..10 {
        fx.event("a", "go", &n.to_string()).await?;
    }
    let a = fx.node("n2").lease_instance("a").await?;
    let want: Vec<_> = (0..10).map(|n| format!("event go {n}")).collect();
    expect_eq!("the inbox", a.inbox(), want);
    Ok(())
}

pub(crate) async fn of_two_arrivals_the_earlier_has_the_smaller_time_and_id(
    fx: &Fixture,
) -> CheckResult {
    fx.waiting("a").await?;
    for n in 0..10 {
        fx.event("a", "go", &n.to_string()).await?;
        fx.advance(1).await;
    }
    let a = fx.node("n2").lease_instance("a").await?;
    let stamps: Vec<_> = a.arrivals.iter().map(|a| a.at).zip(ids(&a)).collect();
    expect_eq!("arrivals", stamps.len(), 10);
    ensure!(stamps.is_sorted_by(|a, b| a < b), "(time, id) must rise: {stamps:?}");
    Ok(())
}

pub(crate) async fn mail_before_the_first_turn_is_kept_behind_the_start(
    fx: &Fixture,
) -> CheckResult {
    fx.start("a").await?;
    fx.event("a", "go", "1").await?;
    let a = fx.node("n1").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["start", "event go 1"]);
    Ok(())
}

pub(crate) async fn readiness_is_cleared_for_exactly_the_ids_consumed(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    fx.event("a", "go", "1").await?;
    let mut a = fx.node("n2").lease_instance("a").await?;
    fx.event("a", "go", "2").await?;
    a.turn().admit_all().commit().await?;
    let a = fx.node("n3").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["event go 2"]);
    Ok(())
}

pub(crate) async fn readiness_is_cleared_for_exactly_the_ids_seen(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    fx.event("a", "go", "1").await?;
    fx.event("a", "go", "2").await?;
    let mut a = fx.node("n2").lease_instance("a").await?;
    // The newer one is seen, the older is not: "up to n" would lose the older.
    a.arrivals.remove(0);
    a.turn().see_all().commit().await?;
    let a = fx.node("n3").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["event go 1"]);
    Ok(())
}

pub(crate) async fn unadmitted_arrivals_keep_the_instance_ready(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    for n in 0..3 {
        fx.event("a", "go", &n.to_string()).await?;
    }
    let mut a = fx.node("n2").lease_instance("a").await?;
    a.turn().admit(1).commit().await?;
    let a = fx.node("n3").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["event go 1", "event go 2"]);
    Ok(())
}

pub(crate) async fn unadmitted_arrivals_come_back_with_the_commit(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    for n in 0..3 {
        fx.event("a", "go", &n.to_string()).await?;
    }
    let mut a = fx.node("n2").lease_instance("a").await?;
    a.turn().admit(1).keep().commit().await?;
    expect_eq!("what the commit gives", a.inbox(), ["event go 1", "event go 2"]);
    Ok(())
}

pub(crate) async fn mail_that_came_during_a_turn_comes_back_with_its_commit(
    fx: &Fixture,
) -> CheckResult {
    let mut a = fx.begun("a").await?;
    fx.event("a", "go", "1").await?;
    a.turn().status(Some("s")).keep().commit().await?;
    expect_eq!("what the commit gives", a.inbox(), ["event go 1"]);
    Ok(())
}

pub(crate) async fn a_split_turn_keeps_the_instance_ready(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().activity("Greet").split().commit().await?;
    let mut a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), Vec::<String>::new());
    a.turn().activity("Work").commit().await?;
    fx.node("n2").finds_no_instance("the rest of the turn was made").await
}

pub(crate) async fn a_split_turn_survives_the_death_of_its_node(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let mut a = fx.node("n1").lease_instance("a").await?;
    a.turn().admit_all().activity("Greet").split().keep_ms(10).commit().await?;
    fx.advance(30).await;
    fx.node("n2").lease_instance("a").await?;
    Ok(())
}

pub(crate) async fn seen_mail_no_longer_makes_ready(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    fx.event("a", "go", "1").await?;
    let mut a = fx.node("n2").lease_instance("a").await?;
    a.turn().see_all().commit().await?;
    fx.node("n3").finds_no_instance("its mail was seen").await
}

pub(crate) async fn seen_mail_is_unread_in_its_order(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    for n in 0..3 {
        fx.event("a", "go", &n.to_string()).await?;
    }
    let mut a = fx.node("n2").lease_instance("a").await?;
    a.turn().see_all().keep().commit().await?;
    expect_eq!("arrivals", a.inbox(), Vec::<String>::new());
    expect_eq!("unread", letters(&a.history().await?.unread), ["go 0", "go 1", "go 2"]);
    Ok(())
}

pub(crate) async fn unseen_mail_is_not_unread(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    fx.event("a", "go", "1").await?;
    let mut a = fx.node("n2").lease_instance("a").await?;
    a.turn().see_all().keep().commit().await?;
    fx.event("a", "go", "2").await?;
    expect_eq!("unread", letters(&a.history().await?.unread), ["go 1"]);
    Ok(())
}

pub(crate) async fn seen_mail_is_taken_by_a_later_turn(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    fx.event("a", "go", "1").await?;
    fx.event("a", "go", "2").await?;
    let mut a = fx.node("n2").lease_instance("a").await?;
    let oldest = ids(&a)[0];
    a.turn().see_all().keep().commit().await?;
    a.turn().consume(&[oldest]).keep().commit().await?;
    expect_eq!("unread", letters(&a.history().await?.unread), ["go 2"]);
    expect_eq!(
        "pending",
        fx.store().stats(InstanceKey::new("a")).await?.map(|s| s.pending_messages),
        Some(1)
    );
    Ok(())
}

pub(crate) async fn new_mail_makes_ready_without_the_seen(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    fx.event("a", "go", "1").await?;
    let mut a = fx.node("n2").lease_instance("a").await?;
    a.turn().see_all().commit().await?;
    fx.event("a", "go", "2").await?;
    let a = fx.node("n3").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["event go 2"]);
    expect_eq!("unread", letters(&a.history().await?.unread), ["go 1"]);
    Ok(())
}

pub(crate) async fn consumed_mail_never_comes_again(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    fx.event("a", "go", "1").await?;
    let mut a = fx.node("n2").lease_instance("a").await?;
    a.turn().admit_all().keep().commit().await?;
    expect_eq!("arrivals", a.inbox(), Vec::<String>::new());
    expect_eq!("unread", a.history().await?.unread, []);
    a.release(true, 0).await?;
    fx.node("n3").finds_no_instance("its mail was taken").await
}

pub(crate) async fn unread_mail_is_read_in_windows(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    for n in 0..5 {
        fx.event("a", "go", &n.to_string()).await?;
    }
    let mut a = fx.node("n2").lease_instance("a").await?;
    a.turn().see_all().keep().commit().await?;
    let first = a.mail(mailbox("go"), None, 2).await?;
    expect_eq!("the first window", letters(&first.unread), ["go 0", "go 1"]);
    expect_eq!("names with more", first.more_mail, [mailbox("go")]);
    let after = first.unread.last().map(|m| m.id);
    let rest = a.mail(mailbox("go"), after, 10).await?;
    expect_eq!("the second window", letters(&rest.unread), ["go 2", "go 3", "go 4"]);
    expect_eq!("names with more", rest.more_mail, []);
    Ok(())
}

pub(crate) async fn a_window_that_just_fits_has_no_more(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    fx.event("a", "go", "1").await?;
    fx.event("a", "go", "2").await?;
    let mut a = fx.node("n2").lease_instance("a").await?;
    a.turn().see_all().keep().commit().await?;
    let page = a.mail(mailbox("go"), None, 2).await?;
    expect_eq!("the window", letters(&page.unread), ["go 1", "go 2"]);
    expect_eq!("names with more", page.more_mail, []);
    Ok(())
}

pub(crate) async fn mailboxes_do_not_mix(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    fx.event("a", "go", "1").await?;
    fx.submit("a", mail(Channel::Queue, "go", "2")).await?;
    fx.event("a", "stop", "3").await?;
    let mut a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["event go 1", "queue go 2", "event stop 3"]);
    a.turn().see_all().keep().commit().await?;
    let page = a.mail(mailbox("go"), None, 10).await?;
    expect_eq!("events named go", letters(&page.unread), ["go 1"]);
    let queue = MailName { channel: Channel::Queue, name: "go".to_owned() };
    expect_eq!("the queue go", letters(&a.mail(queue, None, 10).await?.unread), ["go 2"]);
    Ok(())
}

pub(crate) async fn many_unread_of_one_name_hide_no_other_name(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    for n in 0..100 {
        fx.event("a", "noise", &n.to_string()).await?;
    }
    fx.event("a", "go", "1").await?;
    loop {
        let Some(mut a) = fx.node("n2").lease(1).await?.pop() else { break };
        a.turn().see_all().commit().await?;
    }
    fx.event("a", "last", "1").await?;
    let a = fx.node("n2").lease_instance("a").await?;
    let unread = letters(&a.history().await?.unread);
    ensure!(unread.contains(&"go 1".to_owned()), "`go` is in its own window: {unread:?}");
    Ok(())
}

pub(crate) async fn a_long_inbox_is_drained_whole_and_in_order(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    for n in 0..200 {
        fx.event("a", "go", &n.to_string()).await?;
    }
    let mut got = Vec::new();
    while let Some(mut a) = fx.node("n2").lease(1).await?.pop() {
        ensure!(!a.arrivals.is_empty(), "an instance was ready without arrivals");
        got.extend(a.inbox());
        let more = a.got.more_arrivals;
        a.turn().admit_all().commit().await?;
        ensure!(
            more || got.len() >= 200,
            "{} of 200 arrived, and no more were announced",
            got.len()
        );
    }
    let want: Vec<_> = (0..200).map(|n| format!("event go {n}")).collect();
    expect_eq!("all that arrived", got, want);
    Ok(())
}
