//! Texts that somebody might take for something else: SQL, patterns, paths, other encodings.
//! They come back as they went in, name what they name, and nothing else.

use crate::stores::{Stand, all};
use duroxide_core::{Headers, InstanceId, Limits, Payload};
use duroxide_provider::{
    ActivityFilter, LeaseActivities, LeaseId, NodeId, SessionLimits, TagFilter,
};
use duroxide_provider::{InstanceKey, ListFilter, Selection};
use duroxide_runtime::{Client, Runtime, RuntimeOptions, SdkHost, StartRequest};
use duroxide_sdk::{ActivityContext, OrchestrationContext, OrchestrationError, Registry};
use duroxide_tests::PATIENCE;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "'",
        "''",
        "\"",
        "`",
        "';--",
        "'; DROP TABLE instances; --",
        "\"; DROP SCHEMA public CASCADE; --",
        "') OR 1=1 --",
        "?1",
        "$1",
        ":name",
        "%",
        "_",
        "%_%",
        "*",
        "[a-z]",
        "\\",
        "\\'",
        "\\x00",
        "\\u0000",
        "E'\\x27'",
        "$$",
        "$body$",
        "/* */",
        "--",
        ";",
        " ",
        "  leading and trailing  ",
        "line\nbreak\r\n\ttab",
        "\u{1}\u{7f}\u{1b}[31m",
        "é",
        "e\u{301}",
        "ﬁ",
        "İıſẞ",
        "日本語",
        "👩‍👩‍👧‍👦",
        "\u{202e}abc",
        "\u{feff}bom",
        "\u{fffd}",
        "\u{10ffff}",
        "NULL",
        "null",
        "NaN",
        "0x41",
        "1e999",
        "-0",
        "true",
        "../../etc/passwd",
        "C:\\con",
        "http://u:p@h/?q#f",
        "{\"a\":1}",
        "[]",
        "<script>",
    ]
    .map(str::to_owned)
    .into();
    texts.push("ü".repeat(125));
    texts
}

async fn tell(ctx: ActivityContext, text: String) -> Result<(String, Option<String>), String> {
    Ok((text, ctx.session_id().map(str::to_owned)))
}

/// Uses its text as everything that can be named.
async fn everything(ctx: OrchestrationContext, text: String) -> Result<String, OrchestrationError> {
    ctx.set_custom_status(&text)?;
    ctx.set_value(&text, &text)?;
    let told: (String, Option<String>) = ctx.activity("Tell", &text).on_session(&text).await?;
    let tagged: (String, Option<String>) = ctx.activity(&text, &text).with_tag(&text).await?;
    let event: String = ctx.wait_event(&text).await?;
    let message: String = ctx.dequeue(&text).await?;
    let child: String = ctx.child(&format!("echo {text}"), &text).await?;
    let value = ctx.get_value(&text)?;
    let all = [told.0, told.1.unwrap(), tagged.0, event, message, child, value.unwrap()];
    if all.iter().all(|one| *one == text) { Ok(text) } else { Err(format!("{all:?}").into()) }
}

async fn echo(_: OrchestrationContext, text: String) -> Result<String, OrchestrationError> {
    Ok(text)
}

fn json(text: &str) -> Payload {
    Payload::json(serde_json::to_string(text).unwrap())
}

fn node(stand: &Stand, texts: &[String]) -> Runtime {
    let mut registry = Registry::builder().register_activity("Tell", tell);
    for text in texts {
        registry = registry
            .register_activity(text, tell)
            .register_orchestration(format!("run {text}"), everything)
            .register_orchestration(format!("echo {text}"), echo);
    }
    let host = Arc::new(SdkHost::new(registry.build().unwrap()));
    let options = RuntimeOptions {
        tags: TagFilter::DefaultAnd(texts.iter().cloned().collect()),
        max_sessions: 1_000,
        node_id: Some("'; DROP TABLE nodes; --".to_owned()),
        ..RuntimeOptions::default()
    };
    let (env, store) = (stand.env.clone(), stand.store.clone());
    Runtime::start(env, store, Arc::clone(&host) as _, host, options).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_text_names_one_thing_and_comes_back_as_it_was() {
    let texts = texts();
    for stand in all(Limits::default()).await {
        let client = Client::new(stand.env.clone(), stand.store.clone());
        let node = node(&stand, &texts);
        for text in &texts {
            let headers = Headers::from([(text.clone(), text.clone())]);
            let request = StartRequest::new(&**text, format!("run {text}"), json(text));
            client.start_new(request.headers(headers)).await.unwrap();
        }
        for text in &texts {
            let id = || InstanceId::from(&**text);
            client.raise_event(id(), text, json(text)).await.unwrap();
            client.enqueue_event(id(), text, json(text)).await.unwrap();
        }
        for text in &texts {
            let output = client.wait_for_output(&**text, PATIENCE).await;
            let output = output.unwrap_or_else(|error| panic!("{}: {text:?}: {error}", stand.name));
            assert_eq!(output, json(text), "{}", stand.name);
            let info = client.status(&**text).await.unwrap().unwrap();
            assert_eq!(info.name, format!("run {text}"));
            assert_eq!(info.custom_status.as_deref(), Some(&**text));
            assert_eq!(client.kv_get(&**text, text).await.unwrap().as_ref(), Some(text));
            assert_eq!(client.kv_all(&**text).await.unwrap().len(), 1);
            let tree = client.tree(&**text).await.unwrap().unwrap();
            assert_eq!((tree.root.as_str(), tree.ids.len()), (&**text, 2));
        }
        deletes_what_it_names(&stand, &client, &texts).await;
        node.shutdown(Duration::from_secs(1)).await;
    }
}

/// Each text, used to delete, deletes that instance with its child, and no other.
async fn deletes_what_it_names(stand: &Stand, client: &Client, texts: &[String]) {
    let listed = async || {
        let filter = ListFilter::default();
        let ids = stand.store.list(filter, None, 1_000).await.unwrap().ids;
        ids.into_iter().map(|id| id.0).collect::<BTreeSet<String>>()
    };
    for (n, text) in texts.iter().enumerate() {
        let before = listed().await;
        let deleted = if n % 2 == 0 {
            client.delete(&**text, false).await.unwrap()
        } else {
            let selection = Selection { ids: Some(vec![(&**text).into()]), ..Selection::default() };
            client.delete_many(selection).await.unwrap()
        };
        assert_eq!(deleted.instances, 2, "{}: {text:?}", stand.name);
        let gone: Vec<String> = before.difference(&listed().await).cloned().collect();
        assert!(gone.contains(text) && gone.len() == 2, "{}: {text:?}: {gone:?}", stand.name);
    }
    assert!(listed().await.is_empty());
}

#[tokio::test]
async fn any_text_may_be_asked_for_and_finds_nothing_where_nothing_is() {
    for stand in all(Limits::default()).await {
        let client = Client::new(stand.env.clone(), stand.store.clone());
        client.start("i", "F", Payload::null()).await.unwrap();
        for text in texts() {
            assert_eq!(client.status(&*text).await.unwrap(), None);
            assert_eq!(client.executions(&*text).await.unwrap(), []);
            assert_eq!(client.tree(&*text).await.unwrap(), None);
            assert_eq!(client.kv_get("i", &text).await.unwrap(), None);
            let filter = ListFilter { status: None, ..ListFilter::default() };
            let after = stand.store.list(filter, Some((&*text).into()), 10).await.unwrap().ids;
            assert!(after.iter().all(|id| id.as_str() > text.as_str()), "{after:?} after {text:?}");
            let filter = ActivityFilter {
                names: [text.clone()].into(),
                tags: TagFilter::Tags([text.clone()].into()),
                sessions: SessionLimits { max: 1, idle: Duration::from_secs(1) },
            };
            let request = LeaseActivities {
                lease: LeaseId(1),
                node: NodeId { name: text.clone(), run: 1 },
                filter,
                max: 10,
                duration: Duration::from_secs(1),
            };
            assert_eq!(stand.store.lease_activities(request).await.unwrap().activities, []);
        }
        let info = stand.store.instance(InstanceKey::new("i")).await.unwrap();
        assert!(info.is_some(), "{}: what is there is there still", stand.name);
    }
}
