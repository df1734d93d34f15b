//! Children: created by the parent's commit, told apart by their creation, reporting once.

use super::prelude::*;
use duroxide_core::{ChildRequest, Parent};
use duroxide_provider::{Namespace, Submit};

pub(crate) async fn a_child_exists_with_its_parent_s_commit(fx: &Fixture) -> CheckResult {
    fx.family("p").await?;
    let child = fx.info("p-child").await?;
    expect_eq!("the name", child.name, "Child");
    expect_eq!("the state", child.state, InstanceState::Running);
    expect_eq!("the parent", child.parent, Some("p".into()));
    Ok(())
}

pub(crate) async fn a_child_s_start_names_who_waits(fx: &Fixture) -> CheckResult {
    fx.family("p").await?;
    let child = fx.node("n2").lease_instance("p-child").await?;
    let body = child.arrivals.first().map(|arrival| arrival.body.clone());
    let (instance, event) = ("p".into(), EventId(2));
    let want = ArrivalBody::Start {
        name: "Child".to_owned(),
        version: None,
        input: Payload::json("3"),
        parent: Some(Parent { instance, execution: ExecutionId::FIRST, event }),
        headers: trace(),
    };
    expect_eq!("the start", body, Some(want));
    Ok(())
}

pub(crate) async fn a_child_runs_the_version_it_was_started_with(fx: &Fixture) -> CheckResult {
    fx.start("p").await?;
    let mut parent = fx.node("n1").lease_instance("p").await?;
    let turn = parent.turn().admit_all().child_of_version("Child", Some("2.0.0"), "c");
    turn.keep().commit().await?;
    fx.node("n2").finds_no_instance("it runs 1.0.0").await?;
    let child = fx.node("n2").runs("Child", &["2.0.0"]).lease_instance("c").await?;
    expect_eq!("the version", child.got.version.as_deref(), Some("2.0.0"));
    Ok(())
}

pub(crate) async fn an_id_in_use_is_a_refusal_in_the_parent_s_mail(fx: &Fixture) -> CheckResult {
    fx.waiting("c").await?;
    fx.start("p").await?;
    let mut parent = fx.node("n1").lease_instance("p").await?;
    parent.turn().admit_all().child("Child", "c").keep().commit().await?;
    expect_eq!("the parent's inbox", parent.inbox(), ["child #2 err invalid"]);
    expect_eq!("the name of the one that was there", fx.info("c").await?.name, "Flow");
    expect_eq!("its parent", fx.info("c").await?.parent, None);
    Ok(())
}

pub(crate) async fn a_refused_child_makes_its_parent_ready(fx: &Fixture) -> CheckResult {
    fx.waiting("c").await?;
    fx.start("p").await?;
    let mut parent = fx.node("n1").lease_instance("p").await?;
    parent.turn().admit_all().child("Child", "c").commit().await?;
    let parent = fx.node("n2").lease_instance("p").await?;
    expect_eq!("the parent's inbox", parent.inbox(), ["child #2 err invalid"]);
    Ok(())
}

pub(crate) async fn the_end_of_an_unrelated_instance_tells_nobody(fx: &Fixture) -> CheckResult {
    let mut other = fx.begun("c").await?;
    fx.start("p").await?;
    let mut parent = fx.node("n2").lease_instance("p").await?;
    parent.turn().admit_all().child("Child", "c").keep().commit().await?;
    parent.turn().admit_all().keep().commit().await?;
    other.turn().complete("1").commit().await?;
    parent.turn().status(Some("s")).keep().commit().await?;
    expect_eq!("the parent's inbox", parent.inbox(), Vec::<String>::new());
    Ok(())
}

pub(crate) async fn a_detached_start_has_no_parent(fx: &Fixture) -> CheckResult {
    let mut p = fx.begun("p").await?;
    p.turn().detached("Child", "d").keep().commit().await?;
    expect_eq!("the parent", fx.info("d").await?.parent, None);
    let mut d = fx.node("n2").lease_instance("d").await?;
    d.turn().admit_all().complete("1").commit().await?;
    p.turn().status(Some("s")).keep().commit().await?;
    expect_eq!("the inbox of who started it", p.inbox(), Vec::<String>::new());
    Ok(())
}

pub(crate) async fn a_detached_start_of_an_id_in_use_is_left_alone(fx: &Fixture) -> CheckResult {
    fx.waiting("d").await?;
    let mut p = fx.begun("p").await?;
    p.turn().detached("Child", "d").keep().commit().await?;
    expect_eq!("the inbox of who started it", p.inbox(), Vec::<String>::new());
    expect_eq!("the name of the one that was there", fx.info("d").await?.name, "Flow");
    fx.node("n2").finds_no_instance("nothing was sent to it").await
}

pub(crate) async fn a_parent_is_told_of_every_kind_of_end(fx: &Fixture) -> CheckResult {
    fx.start("p").await?;
    let mut parent = fx.node("n1").lease_instance("p").await?;
    let turn = parent.turn().admit_all().child("Child", "c1").child("Child", "c2");
    turn.child("Child", "c3").keep().commit().await?;
    for id in ["c1", "c2", "c3"] {
        let child = fx.node("n2").lease(1).await?.pop();
        expect_eq!("the child", child.as_ref().map(Tenure::id), Some(id));
        let Some(mut child) = child else { continue };
        let turn = child.turn().admit_all();
        match id {
            "c1" => turn.complete("5").commit().await?,
            "c2" => turn.fail("broken").commit().await?,
            _ => turn.terminate("stopped").commit().await?,
        };
    }
    parent.turn().status(Some("s")).keep().commit().await?;
    let want = ["child #2 ok 5", "child #3 err application", "child #4 err terminated"];
    expect_eq!("the parent's inbox", parent.inbox(), want);
    Ok(())
}

pub(crate) async fn an_ended_child_makes_its_waiting_parent_ready(fx: &Fixture) -> CheckResult {
    let parent = fx.family("p").await?;
    parent.release(true, 0).await?;
    let mut child = fx.node("n2").lease_instance("p-child").await?;
    child.turn().admit_all().complete("5").commit().await?;
    let parent = fx.node("n3").lease_instance("p").await?;
    expect_eq!("the parent's inbox", parent.inbox(), ["child #2 ok 5"]);
    Ok(())
}

pub(crate) async fn a_parent_is_told_only_at_the_final_end(fx: &Fixture) -> CheckResult {
    let mut parent = fx.family("p").await?;
    let mut child = fx.node("n2").lease_instance("p-child").await?;
    child.turn().admit_all().continue_as_new().keep().commit().await?;
    parent.turn().status(Some("s")).keep().commit().await?;
    expect_eq!("the parent's inbox between", parent.inbox(), Vec::<String>::new());
    child.turn().admit_all().complete("6").commit().await?;
    parent.turn().status(Some("t")).keep().commit().await?;
    expect_eq!("the parent's inbox at the end", parent.inbox(), ["child #2 ok 6"]);
    Ok(())
}

pub(crate) async fn the_next_execution_of_a_child_knows_its_parent(fx: &Fixture) -> CheckResult {
    fx.family("p").await?;
    let mut child = fx.node("n2").lease_instance("p-child").await?;
    child.turn().admit_all().continue_as_new().keep().commit().await?;
    let body = child.arrivals.first().map(|arrival| arrival.body.clone());
    expect_matches!(
        "the start",
        body,
        Some(ArrivalBody::Start { parent: Some(p), .. }) if p.event == EventId(2)
    );
    Ok(())
}

pub(crate) async fn an_end_for_a_former_execution_is_dropped(fx: &Fixture) -> CheckResult {
    let mut parent = fx.family("p").await?;
    let mut child = fx.node("n2").lease_instance("p-child").await?;
    parent.turn().continue_as_new().keep().commit().await?;
    child.turn().admit_all().complete("5").commit().await?;
    parent.turn().admit_all().keep().commit().await?;
    expect_eq!("the parent's inbox", parent.inbox(), Vec::<String>::new());
    Ok(())
}

pub(crate) async fn an_end_for_an_ended_parent_is_dropped(fx: &Fixture) -> CheckResult {
    let mut parent = fx.family("p").await?;
    let mut child = fx.node("n2").lease_instance("p-child").await?;
    parent.turn().complete("1").commit().await?;
    child.turn().admit_all().complete("5").commit().await?;
    fx.node("n3").finds_no_instance("both have ended").await?;
    expect_eq!("ready instances", fx.store().depths().await?.orchestrations, 0);
    Ok(())
}

pub(crate) async fn a_parent_s_cancel_reaches_its_child(fx: &Fixture) -> CheckResult {
    let mut parent = fx.family("p").await?;
    let child = parent.scheduled[0];
    parent.turn().tell_child("p-child", child, ChildRequest::Cancel).keep().commit().await?;
    let child = fx.node("n2").lease_instance("p-child").await?;
    expect_eq!("the child's inbox", child.inbox(), ["start", "cancel from parent"]);
    Ok(())
}

pub(crate) async fn a_parent_s_terminate_reaches_its_child(fx: &Fixture) -> CheckResult {
    let mut parent = fx.family("p").await?;
    let child = parent.scheduled[0];
    parent.turn().tell_child("p-child", child, ChildRequest::Terminate).keep().commit().await?;
    let child = fx.node("n2").runs_nothing().lease_instance("p-child").await?;
    let body = child.arrivals.last().map(|arrival| arrival.body.clone());
    expect_matches!("the child's last message", body, Some(ArrivalBody::Terminate { .. }));
    Ok(())
}

pub(crate) async fn a_message_to_an_ended_child_is_dropped(fx: &Fixture) -> CheckResult {
    let mut parent = fx.family("p").await?;
    let event = parent.scheduled[0];
    let mut child = fx.node("n2").lease_instance("p-child").await?;
    child.turn().admit_all().complete("5").commit().await?;
    parent.turn().tell_child("p-child", event, ChildRequest::Cancel).keep().commit().await?;
    fx.node("n2").finds_no_instance("the child has ended").await
}

pub(crate) async fn a_message_for_another_child_of_that_id_is_dropped(fx: &Fixture) -> CheckResult {
    let mut parent = fx.family("p").await?;
    let mut child = fx.node("n2").lease_instance("p-child").await?;
    child.turn().admit_all().commit().await?;
    let turn = parent.turn().tell_child("p-child", EventId(77), ChildRequest::Cancel);
    turn.keep().commit().await?;
    fx.node("n2").finds_no_instance("the message is for another child").await
}

pub(crate) async fn a_message_to_an_instance_that_is_no_child_is_dropped(
    fx: &Fixture,
) -> CheckResult {
    fx.waiting("other").await?;
    let mut parent = fx.family("p").await?;
    let event = parent.scheduled[0];
    parent.turn().tell_child("other", event, ChildRequest::Terminate).keep().commit().await?;
    fx.node("n2").lease_instance("p-child").await?;
    fx.node("n2").finds_no_instance("`other` is nobody's child").await
}

pub(crate) async fn the_end_of_a_parent_cancels_its_children(fx: &Fixture) -> CheckResult {
    let mut parent = fx.family("p").await?;
    let mut child = fx.node("n2").lease_instance("p-child").await?;
    child.turn().admit_all().commit().await?;
    parent.turn().complete("1").commit().await?;
    let child = fx.node("n2").lease_instance("p-child").await?;
    expect_eq!("the child's inbox", child.inbox(), ["cancel from parent"]);
    Ok(())
}

pub(crate) async fn the_next_execution_of_a_parent_cancels_its_children(
    fx: &Fixture,
) -> CheckResult {
    let mut parent = fx.family("p").await?;
    let mut child = fx.node("n2").lease_instance("p-child").await?;
    child.turn().admit_all().commit().await?;
    parent.turn().continue_as_new().keep().commit().await?;
    let child = fx.node("n2").lease_instance("p-child").await?;
    expect_eq!("the child's inbox", child.inbox(), ["cancel from parent"]);
    Ok(())
}

pub(crate) async fn a_commit_that_ends_the_parent_still_tells_its_children(
    fx: &Fixture,
) -> CheckResult {
    let mut parent = fx.family("p").await?;
    let event = parent.scheduled[0];
    let mut child = fx.node("n2").lease_instance("p-child").await?;
    child.turn().admit_all().commit().await?;
    let turn = parent.turn().tell_child("p-child", event, ChildRequest::Cancel);
    turn.complete("1").commit().await?;
    let child = fx.node("n2").lease_instance("p-child").await?;
    let mut inbox = child.inbox();
    // Told by name and by the end itself: once or twice, a parent's cancel counts once.
    inbox.dedup();
    expect_eq!("the child's inbox", inbox, ["cancel from parent"]);
    Ok(())
}

pub(crate) async fn a_commit_that_continues_the_parent_still_tells_its_children(
    fx: &Fixture,
) -> CheckResult {
    let mut parent = fx.family("p").await?;
    let event = parent.scheduled[0];
    let mut child = fx.node("n2").lease_instance("p-child").await?;
    child.turn().admit_all().commit().await?;
    let turn = parent.turn().tell_child("p-child", event, ChildRequest::Cancel);
    turn.continue_as_new().keep().commit().await?;
    let child = fx.node("n2").lease_instance("p-child").await?;
    let mut inbox = child.inbox();
    // Told by name and by the end itself: once or twice, a parent's cancel counts once.
    inbox.dedup();
    expect_eq!("the child's inbox", inbox, ["cancel from parent"]);
    Ok(())
}

pub(crate) async fn one_event_tells_several_children(fx: &Fixture) -> CheckResult {
    fx.start("p").await?;
    let mut parent = fx.node("n1").lease_instance("p").await?;
    parent.turn().admit_all().child("Child", "c1").child("Child", "c2").keep().commit().await?;
    let [one, two] = [parent.scheduled[0], parent.scheduled[1]];
    let turn = parent.turn().tell_child("c1", one, ChildRequest::Cancel);
    let mut request = turn.tell_child("c2", two, ChildRequest::Cancel).keep().build();
    // An end tells every open child by the one event that ends the parent.
    request.turn.sends[1].event = request.turn.sends[0].event;
    parent.apply(&request).await?;
    for child in fx.node("n2").lease(2).await? {
        let inbox = child.inbox();
        expect_eq!(
            format!("the inbox of `{}`", child.id()),
            inbox,
            ["start", "cancel from parent"]
        );
    }
    Ok(())
}

pub(crate) async fn a_message_of_a_later_execution_is_dropped(fx: &Fixture) -> CheckResult {
    let mut parent = fx.family("p").await?;
    let event = parent.scheduled[0];
    let mut child = fx.node("n2").lease_instance("p-child").await?;
    child.turn().admit_all().commit().await?;
    parent.turn().continue_as_new().keep().commit().await?;
    let mut child = fx.node("n2").lease_instance("p-child").await?;
    child.turn().admit_all().commit().await?;
    let turn = parent.turn().admit_all().tell_child("p-child", event, ChildRequest::Terminate);
    turn.keep().commit().await?;
    fx.node("n2").finds_no_instance("it is the child of another execution").await
}

pub(crate) async fn a_detached_start_survives_the_end_of_who_started_it(
    fx: &Fixture,
) -> CheckResult {
    let mut p = fx.begun("p").await?;
    p.turn().detached("Child", "d").complete("1").commit().await?;
    let d = fx.node("n2").lease_instance("d").await?;
    expect_eq!("its inbox", d.inbox(), ["start"]);
    Ok(())
}

pub(crate) async fn a_child_is_created_by_the_commit_that_ends_its_starter(
    fx: &Fixture,
) -> CheckResult {
    fx.start("p").await?;
    let mut p = fx.node("n1").lease_instance("p").await?;
    p.turn()
        .admit_all()
        .detached("Child", "d1")
        .detached("Child", "d2")
        .complete("1")
        .commit()
        .await?;
    expect_eq!("instances leased", fx.node("n2").lease(5).await?.len(), 2);
    Ok(())
}

pub(crate) async fn a_child_lives_in_its_parent_s_namespace(fx: &Fixture) -> CheckResult {
    let key = |id: &str| InstanceKey { namespace: Namespace("other".to_owned()), id: id.into() };
    let request = Submit { request: fx.request_id(), key: key("p"), what: start("Flow", None) };
    fx.store().submit(request).await?;
    let mut parent = fx.node("n1").lease_instance("p").await?;
    parent.turn().admit_all().child("Child", "c").keep().commit().await?;
    ensure!(fx.find("c").await?.is_none(), "there is no child in the default namespace");
    ensure!(fx.store().instance(key("c")).await?.is_some(), "the child is beside its parent");
    let mut child = fx.node("n2").lease_instance("c").await?;
    child.turn().admit_all().complete("5").commit().await?;
    parent.turn().status(Some("s")).keep().commit().await?;
    expect_eq!("the parent's inbox", parent.inbox(), ["child #2 ok 5"]);
    Ok(())
}
