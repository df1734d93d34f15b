//! The client: what it refuses, what it reports, how it waits.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]
#![allow(clippy::items_after_statements, reason = "each test shows the code it runs first")]

mod common;

use common::{World, json};
use duroxide_core::{Headers, Payload};
use duroxide_provider::{ListFilter, ProviderError, PruneRule, Selection};
use duroxide_runtime::{ClientError, RuntimeOptions, StartRequest, Started};
use duroxide_sdk::{OrchestrationContext, OrchestrationError, Registry};
use std::sync::atomic::Ordering;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(30);

fn registry() -> Registry {
    async fn echo(_: OrchestrationContext, text: String) -> Result<String, OrchestrationError> {
        Ok(text)
    }
    async fn refuse(_: OrchestrationContext, text: String) -> Result<(), OrchestrationError> {
        Err(OrchestrationError::from(text.as_str()))
    }
    async fn report(ctx: OrchestrationContext, (): ()) -> Result<(), OrchestrationError> {
        for n in 1..=3 {
            ctx.set_custom_status(format!("at {n}"))?;
            ctx.set_value("at", &n.to_string())?;
            ctx.wait_event::<()>("next").await?;
        }
        Ok(())
    }
    Registry::builder()
        .register_orchestration("Echo", echo)
        .register_orchestration("Refuse", refuse)
        .register_orchestration("Report", report)
        .build()
        .unwrap()
}

#[tokio::test]
async fn an_id_in_use_is_left_alone_or_reported_as_the_caller_likes() {
    let World { client, .. } = World::new().await;
    let start = || StartRequest::new("i", "Echo", json("x"));
    assert_eq!(client.start_with(start()).await, Ok(Started::Created));
    assert_eq!(client.start_with(start()).await, Ok(Started::AlreadyExists));
    assert_eq!(client.start_new(start()).await, Err(ClientError::Exists { id: "i".into() }));
}

#[tokio::test]
async fn bad_arguments_are_refused_with_the_value() {
    let World { client, .. } = World::new().await;
    let refused = |answer: Result<Started, ClientError>, part: &str| match answer {
        Err(ClientError::Invalid { message }) => assert!(message.contains(part), "{message}"),
        other => panic!("{other:?}"),
    };
    refused(client.start("", "Echo", Payload::null()).await, "empty");
    refused(client.start("a::sub::1", "Echo", Payload::null()).await, "a::sub::1");
    refused(client.start("i", "", Payload::null()).await, "orchestration name");
    refused(client.start_versioned("i", "Echo", "one", Payload::null()).await, "`one`");
    let huge = json("x".repeat(17 << 20));
    let limit = client.start("i", "Echo", huge).await;
    assert!(matches!(&limit, Err(ClientError::Limit { message }) if message.contains("at most")));
    let header = ("duroxide-attempt".to_owned(), "7".to_owned());
    let start = StartRequest::new("i", "Echo", Payload::null()).headers(Headers::from([header]));
    refused(client.start_with(start).await, "header `duroxide-attempt` is not allowed");
    let event = client.raise_event("i", "", Payload::null()).await;
    assert!(matches!(event, Err(ClientError::Invalid { .. })));
}

#[tokio::test]
async fn an_unknown_id_is_not_found_and_stalls_nothing() {
    let world = World::new().await;
    let not_found = Err(ClientError::NotFound { id: "nobody".into() });
    assert_eq!(world.client.raise_event("nobody", "e", Payload::null()).await, not_found);
    assert_eq!(world.client.enqueue_event("nobody", "q", Payload::null()).await, not_found);
    assert_eq!(world.client.cancel("nobody", "why").await, not_found);
    assert_eq!(world.client.terminate("nobody", "why").await, not_found);
    assert_eq!(world.client.status("nobody").await, Ok(None));
    assert_eq!(world.client.tree("nobody").await, Ok(None));
    assert_eq!(world.client.stats("nobody").await, Ok(None));
    assert_eq!(world.client.executions("nobody").await, Ok(Vec::new()));
    let _runtime = world.node(registry(), RuntimeOptions::default());
    world.start("somebody", "Echo", "x").await;
    assert_eq!(world.output("somebody").await, r#""x""#);
}

#[tokio::test]
async fn a_wait_ends_with_the_instance_or_in_time() {
    let world = World::new().await;
    assert_eq!(world.client.wait("later", SHORT).await, Err(ClientError::Timeout));
    assert_eq!(ClientError::Timeout.to_string(), "Operation timed out");
    let _runtime = world.node(registry(), RuntimeOptions::default());
    let (waited, ()) = tokio::join!(
        world.client.wait_for_output("later", common::PATIENCE),
        world.start("later", "Echo", "done"),
    );
    assert_eq!(waited.unwrap().as_json(), Some(r#""done""#));
}

#[tokio::test]
async fn the_output_of_what_failed_or_was_terminated_is_an_error() {
    let world = World::new().await;
    let _runtime = world.node(registry(), RuntimeOptions::default());
    world.start("refused", "Refuse", "no way").await;
    let failed = world.client.wait_for_output("refused", common::PATIENCE).await;
    assert!(matches!(&failed, Err(ClientError::Failed { failure }) if failure.message == "no way"));
    world.start("stopped", "Report", ()).await;
    world.client.terminate("stopped", "enough").await.unwrap();
    let stopped = world.client.wait_for_output("stopped", common::PATIENCE).await;
    assert!(
        matches!(&stopped, Err(ClientError::Failed { failure }) if failure.message.contains("enough"))
    );
}

#[tokio::test]
async fn status_changes_and_values_are_waited_for() {
    let world = World::new().await;
    let _runtime = world.node(registry(), RuntimeOptions::default());
    world.start("report", "Report", ()).await;
    let (mut version, client) = (0, &world.client);
    for n in 1..=3 {
        let info = client.wait_for_status_change("report", version, common::PATIENCE).await;
        let info = info.unwrap().unwrap();
        assert_eq!(info.custom_status, Some(format!("at {n}")));
        version = info.custom_status_version;
        assert_eq!(client.kv_get("report", "at").await, Ok(Some(n.to_string())));
        assert_eq!(client.wait_for_status_change("report", version, SHORT).await, Ok(None));
        client.raise_event("report", "next", json(())).await.unwrap();
    }
    world.ended("report").await;
    let none = client.wait_for_status_change("report", version, common::PATIENCE).await;
    assert_eq!(none, Ok(None), "nothing newer can come");
    assert_eq!(client.wait_for_value("report", "at", SHORT).await, Ok("3".to_owned()));
    assert_eq!(client.wait_for_value("report", "other", SHORT).await, Err(ClientError::Timeout));
}

#[tokio::test]
async fn a_running_instance_is_deleted_only_with_force() {
    let world = World::new().await;
    let _runtime = world.node(registry(), RuntimeOptions::default());
    world.start("report", "Report", ()).await;
    let refused = world.client.delete("report", false).await;
    assert!(matches!(refused, Err(ClientError::Invalid { .. })), "{refused:?}");
    assert_eq!(world.client.delete("report", true).await.unwrap().instances, 1);
    assert_eq!(world.client.status("report").await, Ok(None));
    let gone = world.client.delete("report", true).await;
    assert_eq!(gone, Err(ClientError::NotFound { id: "report".into() }));
}

#[tokio::test]
async fn lists_and_counts_tell_what_is_there() {
    let world = World::new().await;
    let _runtime = world.node(registry(), RuntimeOptions::default());
    for id in ["a", "b"] {
        world.start(id, "Echo", id).await;
        world.ended(id).await;
    }
    let page = world.client.list(ListFilter::default(), None, 1).await.unwrap();
    assert_eq!((page.ids, page.next.clone()), (vec!["a".into()], Some("a".into())));
    let page = world.client.list(ListFilter::default(), page.next, 10).await.unwrap();
    assert_eq!(page.ids, vec!["b".into()]);
    assert_eq!(world.client.metrics().await.unwrap().completed, 2);
    assert_eq!(world.client.depths().await.unwrap().orchestrations, 0);
    let pruned = world.client.prune(Selection::default(), PruneRule::default()).await.unwrap();
    assert_eq!(pruned.executions, 0);
    assert_eq!(world.client.delete_many(Selection::default()).await.unwrap().instances, 2);
}

#[tokio::test]
async fn a_store_in_trouble_is_asked_again_with_the_same_request() {
    let (world, faulty) = World::faulty().await;
    let client = duroxide_runtime::Client::new(world.env.clone(), world.store.clone());
    faulty.trouble_every(2);
    for n in 0..6 {
        let started = client.start(format!("i-{n}"), "Echo", Payload::null()).await;
        assert_eq!(started, Ok(Started::Created), "also when the first answer was lost");
    }
}

#[tokio::test]
async fn a_deletion_is_sent_again_only_if_it_was_certainly_not_carried_out() {
    let (world, faulty) = World::faulty().await;
    let client = duroxide_runtime::Client::new(world.env.clone(), world.store.clone());
    for id in ["i", "j"] {
        client.start(id, "Echo", Payload::null()).await.unwrap();
    }
    // The third call meets a busy store, the answer to the fourth is lost.
    faulty.trouble_every(1);
    let told = client.delete("i", true).await;
    assert!(
        matches!(told, Err(ClientError::Store { error: ProviderError::Unknown { .. } })),
        "{told:?}"
    );
    assert_eq!(faulty.delivered.load(Ordering::SeqCst), 2);
    faulty.trouble_every(0);
    assert_eq!(client.status("i").await, Ok(None));
}
