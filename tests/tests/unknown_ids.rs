//! What is sent to an id that does not exist is refused, and stalls nobody.

use duroxide_core::Payload;
use duroxide_runtime::ClientError;
use duroxide_tests::{LEASE, Node, PATIENCE, Scratch, client};

fn is_refused<T: std::fmt::Debug>(answer: &Result<T, ClientError>) -> bool {
    matches!(answer, Err(ClientError::NotFound { id }) if id.as_str() == "nobody")
}

#[tokio::test]
async fn an_event_or_cancel_for_an_unknown_id_is_refused_and_stalls_nothing() {
    let scratch = Scratch::new("unknown");
    let client = client(&scratch.database()).await;
    let node = Node::start(&scratch, LEASE).await;
    for n in 0..20 {
        let data = Payload::json("1");
        assert!(is_refused(&client.raise_event("nobody", "go", data.clone()).await));
        assert!(is_refused(&client.enqueue_event("nobody", "queue", data).await));
        assert!(is_refused(&client.cancel("nobody", "enough").await));
        assert!(is_refused(&client.terminate("nobody", "enough").await));

        let id = format!("somebody-{n}");
        client.start(id.as_str(), "Steps", Payload::json("2")).await.unwrap();
        let output = client.wait_for_output(id.as_str(), PATIENCE).await.unwrap();
        assert_eq!(output.as_json(), Some("[1,1]"));
    }
    assert!(client.status("nobody").await.unwrap().is_none());
    assert!(client.history("nobody", duroxide_core::ExecutionId::FIRST).await.unwrap().is_empty());
    node.shutdown().await;
}

#[tokio::test]
async fn what_is_sent_to_an_ended_instance_has_no_effect() {
    let scratch = Scratch::new("ended");
    let client = client(&scratch.database()).await;
    let node = Node::start(&scratch, LEASE).await;
    client.start("w", "Steps", Payload::json("2")).await.unwrap();
    let ended = client.wait("w", PATIENCE).await.unwrap();
    client.raise_event("w", "go", Payload::null()).await.unwrap();
    client.cancel("w", "too late").await.unwrap();
    client.terminate("w", "too late").await.unwrap();

    client.start("next", "Steps", Payload::json("2")).await.unwrap();
    client.wait("next", PATIENCE).await.unwrap();
    let later = client.status("w").await.unwrap().unwrap();
    assert_eq!(later.state, ended.state);
    assert_eq!(later.execution, ended.execution);
    node.shutdown().await;
}

#[tokio::test]
async fn a_name_that_no_node_knows_stalls_only_its_own_instance() {
    let scratch = Scratch::new("no-such-name");
    let client = client(&scratch.database()).await;
    let node = Node::start(&scratch, LEASE).await;
    client.start("misspelt", "Stepz", Payload::json("2")).await.unwrap();
    client.start("w", "Steps", Payload::json("2")).await.unwrap();
    let output = client.wait_for_output("w", PATIENCE).await.unwrap();
    assert_eq!(output.as_json(), Some("[1,1]"));
    let misspelt = client.status("misspelt").await.unwrap().unwrap();
    assert!(!misspelt.state.is_terminal());
    node.shutdown().await;
}
