//! Starts, duplicates, and messages for instances that are not there.

use super::prelude::*;
use duroxide_core::{Encoding, Headers};
use duroxide_provider::{Namespace, Submit};

pub(crate) async fn an_instance_exists_once_its_start_is_acknowledged(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let info = fx.info("a").await?;
    expect_eq!("the name", info.name, "Flow");
    expect_eq!("the version", info.version, None);
    expect_eq!("the state", info.state, InstanceState::Running);
    expect_eq!("the execution", info.execution, ExecutionId::FIRST);
    expect_eq!("the parent", info.parent, None);
    ensure!(info.created_at.0 > 1_500_000_000_000, "a real time, got {:?}", info.created_at);
    ensure!(info.updated_at >= info.created_at, "updated before it was created");
    Ok(())
}

pub(crate) async fn a_start_arrives_as_it_was_sent(fx: &Fixture) -> CheckResult {
    let headers = Headers::from([("trace".to_owned(), "t1".to_owned())]);
    let submission = Submission::Start {
        name: "Flow".to_owned(),
        version: Some("1.0.0".to_owned()),
        input: Payload::json("{\"n\":1}"),
        headers: headers.clone(),
    };
    fx.submit("a", submission).await?;
    let a = fx.node("n1").lease_instance("a").await?;
    let body = a.arrivals.first().map(|arrival| arrival.body.clone());
    let want = ArrivalBody::Start {
        name: "Flow".to_owned(),
        version: Some("1.0.0".to_owned()),
        input: Payload::json("{\"n\":1}"),
        parent: None,
        headers,
    };
    expect_eq!("the arrival", body, Some(want));
    Ok(())
}

pub(crate) async fn a_new_instance_is_leased_at_its_beginning(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let a = fx.node("n1").lease_instance("a").await?;
    expect_eq!("the execution", a.got.execution, ExecutionId::FIRST);
    expect_eq!("the last commit", a.got.last_commit, None);
    expect_eq!("the next event", a.got.next_event, EventId::FIRST);
    expect_eq!("the name", a.got.name, "Flow");
    expect_eq!("the version", a.got.version, None);
    ensure!(!a.got.more_arrivals, "there is only its start");
    Ok(())
}

pub(crate) async fn a_lease_says_where_the_instance_stands(fx: &Fixture) -> CheckResult {
    let before = fx.waiting("a").await?;
    fx.event("a", "go", "1").await?;
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the last commit", a.got.last_commit, before.base);
    expect_eq!("the next event", a.got.next_event, EventId(2));
    expect_eq!("the version", a.got.version.as_deref(), Some("1.0.0"));
    expect_eq!("the incarnation", a.got.incarnation, before.got.incarnation);
    Ok(())
}

pub(crate) async fn a_second_start_changes_nothing(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let again = fx.submit("a", start("Child", Some("2.0.0"))).await?;
    expect_eq!("the answer", again, Submitted::AlreadyExists);
    let a = fx.node("n1").lease_instance("a").await?;
    expect_eq!("the name", a.got.name, "Flow");
    expect_eq!("the inbox", a.inbox(), ["start"]);
    Ok(())
}

pub(crate) async fn a_start_of_a_waiting_instance_changes_nothing(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    let again = fx.submit("a", start("Flow", None)).await?;
    expect_eq!("the answer", again, Submitted::AlreadyExists);
    fx.node("n1").finds_no_instance("nothing was sent to it").await
}

pub(crate) async fn a_start_of_an_ended_instance_changes_nothing(fx: &Fixture) -> CheckResult {
    fx.ended("a").await?;
    let again = fx.submit("a", start("Flow", None)).await?;
    expect_eq!("the answer", again, Submitted::AlreadyExists);
    fx.node("n1").finds_no_instance("it has ended").await?;
    ensure!(fx.info("a").await?.state.is_terminal(), "it has ended");
    Ok(())
}

pub(crate) async fn a_start_between_two_executions_changes_nothing(fx: &Fixture) -> CheckResult {
    let mut a = fx.begun("a").await?;
    a.turn().continue_as_new().commit().await?;
    let again = fx.submit("a", start("Child", None)).await?;
    expect_eq!("the answer", again, Submitted::AlreadyExists);
    let a = fx.node("n2").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["start"]);
    expect_eq!("the name", a.got.name, "Flow");
    Ok(())
}

pub(crate) async fn a_message_for_nobody_says_so_and_stalls_nothing(fx: &Fixture) -> CheckResult {
    let submitted = fx.submit("ghost", mail(Channel::Event, "go", "1")).await?;
    expect_eq!("an event", submitted, Submitted::NotFound);
    expect_eq!("a cancel", fx.cancel("ghost").await?, Submitted::NotFound);
    expect_eq!("a terminate", fx.terminate("ghost").await?, Submitted::NotFound);
    ensure!(fx.find("ghost").await?.is_none(), "a message must not create an instance");
    fx.start("a").await?;
    fx.node("n1").lease_instance("a").await?;
    Ok(())
}

pub(crate) async fn a_message_for_nobody_is_not_kept_for_a_later_start(
    fx: &Fixture,
) -> CheckResult {
    fx.submit("a", mail(Channel::Event, "go", "1")).await?;
    fx.start("a").await?;
    let a = fx.node("n1").lease_instance("a").await?;
    expect_eq!("the inbox", a.inbox(), ["start"]);
    Ok(())
}

pub(crate) async fn a_message_for_an_ended_instance_has_no_effect(fx: &Fixture) -> CheckResult {
    fx.ended("a").await?;
    let submitted = fx.submit("a", mail(Channel::Queue, "go", "1")).await?;
    expect_eq!("a message", submitted, Submitted::Ended);
    expect_eq!("a cancel", fx.cancel("a").await?, Submitted::Ended);
    expect_eq!("a terminate", fx.terminate("a").await?, Submitted::Ended);
    fx.node("n1").finds_no_instance("it has ended").await?;
    expect_eq!("ready instances", fx.store().depths().await?.orchestrations, 0);
    Ok(())
}

pub(crate) async fn an_id_is_free_in_each_namespace(fx: &Fixture) -> CheckResult {
    fx.start("a").await?;
    let key = InstanceKey { namespace: Namespace("other".to_owned()), id: "a".into() };
    let request = Submit { request: fx.request_id(), key: key.clone(), what: start("Flow", None) };
    expect_eq!("the answer", fx.store().submit(request).await?, Submitted::Created);
    let leased = fx.node("n1").lease(5).await?;
    expect_eq!("instances leased", leased.len(), 2);
    ensure!(leased[0].got.incarnation != leased[1].got.incarnation, "they are two instances");
    expect_eq!("the key", fx.store().instance(key.clone()).await?.map(|i| i.key), Some(key));
    Ok(())
}

pub(crate) async fn ids_and_names_are_opaque_text(fx: &Fixture) -> CheckResult {
    for id in ["a b", "Ä/ö?", "%_'\";--", "日本語", "a::b", "A", "a"] {
        fx.submit(id, start("Fl'ow %\"", None)).await?;
        let node = fx.node("n1").runs("Fl'ow %\"", &["1.0.0"]);
        let mut a = node.lease_instance(id).await?;
        a.turn().admit_all().complete("1").commit().await?;
        expect_eq!("the name", fx.info(id).await?.name, "Fl'ow %\"");
    }
    Ok(())
}

pub(crate) async fn payloads_are_opaque_bytes(fx: &Fixture) -> CheckResult {
    fx.waiting("a").await?;
    let data = Payload::new(Encoding(7), &[0, 255, 1, 128, 10]);
    let mailbox = MailName { channel: Channel::Event, name: "go".to_owned() };
    fx.submit("a", Submission::Mail { mailbox: mailbox.clone(), data: data.clone() }).await?;
    let mut a = fx.node("n2").lease_instance("a").await?;
    let body = a.arrivals.first().map(|arrival| arrival.body.clone());
    let MailName { channel, name } = mailbox.clone();
    expect_eq!("the arrival", body, Some(ArrivalBody::Mail { channel, name, data: data.clone() }));
    a.turn().see_all().keep().commit().await?;
    let unread: Vec<_> = a.mail(mailbox, None, 5).await?.unread;
    expect_eq!("the unread", unread.into_iter().map(|m| m.data).collect::<Vec<_>>(), [data]);
    Ok(())
}

pub(crate) async fn json_text_is_kept_to_the_letter(fx: &Fixture) -> CheckResult {
    let text = "{ \"b\" : 1.0,\n \"a\":\"\\u0041\" , \"big\":12345678901234567890123 }";
    fx.waiting("a").await?;
    fx.event("a", "go", text).await?;
    let a = fx.node("n2").lease_instance("a").await?;
    let body = a.arrivals.first().map(|arrival| arrival.body.clone());
    expect_matches!(
        "the arrival",
        body,
        Some(ArrivalBody::Mail { data, .. }) if data.as_json() == Some(text)
    );
    Ok(())
}
