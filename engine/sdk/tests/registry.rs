//! Registration: what is refused, what is latest, and that activities run as they are told.

#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use duroxide_core::{EventId, ExecutionId, Failure, InstanceId, Payload};
use duroxide_sdk::{
    ActivityContext, ActivityFacts, OrchestrationContext, Registry, RegistryBuilder, RegistryError,
};
use tokio_util::sync::CancellationToken;

async fn nothing(_: OrchestrationContext, (): ()) -> Result<(), String> {
    Ok(())
}

async fn echo(_: ActivityContext, text: String) -> Result<String, String> {
    Ok(text)
}

fn refusal(builder: RegistryBuilder) -> RegistryError {
    builder.build().unwrap_err()
}

#[test]
fn the_highest_version_is_the_latest_in_whatever_order_they_come() {
    let registry = Registry::builder()
        .register_orchestration_versioned("It", "1.10.0", nothing)
        .register_orchestration("It", nothing)
        .register_orchestration_versioned("It", "1.9.0", nothing)
        .build()
        .unwrap();
    assert_eq!(registry.latest("It").unwrap().to_string(), "1.10.0");
    assert_eq!(registry.latest("Other"), None);
    assert!(registry.orchestration("It", &semver::Version::new(1, 0, 0)).is_some());
}

#[test]
fn the_same_name_may_stand_for_an_activity_and_an_orchestration() {
    let both =
        Registry::builder().register_activity("It", echo).register_orchestration("It", nothing);
    assert!(both.build().is_ok());
}

#[test]
fn registering_twice_is_an_error_that_names_it() {
    let twice = Registry::builder().register_activity("Echo", echo).register_activity("Echo", echo);
    assert_eq!(refusal(twice).to_string(), "activity \"Echo\" is registered twice");
    let twice = Registry::builder()
        .register_orchestration("It", nothing)
        .register_orchestration_versioned("It", "1.0.0", nothing);
    assert_eq!(
        refusal(twice).to_string(),
        "orchestration \"It\" is registered twice in version 1.0.0"
    );
}

#[test]
fn empty_overlong_and_reserved_names_are_refused() {
    for name in ["", &"x".repeat(257), "duroxide::mine"] {
        let activity = Registry::builder().register_activity(name, echo);
        assert!(matches!(refusal(activity), RegistryError::Name { what: "activity", .. }));
        let orchestration = Registry::builder().register_orchestration(name, nothing);
        assert!(matches!(
            refusal(orchestration),
            RegistryError::Name { what: "orchestration", .. }
        ));
    }
    assert!(Registry::builder().register_activity("x".repeat(256), echo).build().is_ok());
}

#[test]
fn a_version_that_is_not_semver_is_refused_with_its_text() {
    let builder = Registry::builder().register_orchestration_versioned("It", "v1", nothing);
    assert!(matches!(refusal(builder), RegistryError::Version { version, .. } if version == "v1"));
}

#[test]
fn the_first_wrong_registration_is_the_one_reported() {
    let builder = Registry::builder()
        .register_activity("", echo)
        .register_orchestration_versioned("It", "?", nothing);
    assert!(matches!(refusal(builder), RegistryError::Name { .. }));
}

fn context(token: CancellationToken) -> ActivityContext {
    let facts = ActivityFacts {
        instance: InstanceId::from("order-1"),
        execution: ExecutionId::FIRST,
        orchestration_name: "Order".to_owned(),
        orchestration_version: "1.0.0".to_owned(),
        activity_name: "Echo".to_owned(),
        activity: EventId(2),
        attempt: 3,
        worker: "node-1/0".to_owned(),
        session: None,
        tag: Some("gpu".to_owned()),
    };
    ActivityContext::new(facts, token)
}

async fn run(registry: &Registry, name: &str, input: &str) -> Result<Payload, Failure> {
    let code = registry.activity(name).unwrap();
    code(context(CancellationToken::new()), Payload::json(input)).await
}

#[tokio::test]
async fn an_activity_takes_and_gives_json() {
    let registry = Registry::builder().register_activity("Echo", echo).build().unwrap();
    assert_eq!(run(&registry, "Echo", "\"hi\"").await.unwrap().as_json(), Some("\"hi\""));
    let unreadable = run(&registry, "Echo", "1").await.unwrap_err();
    assert!(unreadable.message.starts_with("the input of activity \"Echo\""), "{unreadable}");
}

#[tokio::test]
async fn an_activity_fails_with_the_message_of_its_error() {
    let registry = Registry::builder()
        .register_activity("Io", |_, (): ()| async {
            Err::<(), _>(std::io::Error::other("disk gone"))
        })
        .build()
        .unwrap();
    assert_eq!(run(&registry, "Io", "null").await, Err(Failure::application("disk gone")));
}

#[tokio::test]
async fn an_activity_knows_its_facts_and_sees_its_cancellation() {
    let token = CancellationToken::new();
    let ctx = context(token.clone());
    assert_eq!((ctx.instance_id(), ctx.attempt(), ctx.tag()), ("order-1", 3, Some("gpu")));
    assert_eq!(
        (ctx.activity_id(), ctx.worker_id(), ctx.session_id()),
        (EventId(2), "node-1/0", None)
    );
    assert!(!ctx.is_cancelled());
    token.cancel();
    ctx.cancelled().await;
    assert!(ctx.is_cancelled());
}
