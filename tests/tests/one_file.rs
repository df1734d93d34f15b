//! Several runtimes on one SQLite file, and one that comes after another.

use duroxide_core::Payload;
use duroxide_tests::{LEASE, Node, PATIENCE, Phase, Scratch, World, client, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_runtimes_share_the_work_of_one_file_and_no_step_runs_twice() {
    const INSTANCES: u32 = 30;
    let scratch = Scratch::new("shared");
    let world = World::new(scratch.path());
    let client = client(&scratch.database()).await;
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(Node::start(&scratch, LEASE).await);
    }
    for n in 0..INSTANCES {
        client.start(format!("w{n}"), "Steps", Payload::json("4")).await.unwrap();
    }
    for n in 0..INSTANCES {
        let output = client.wait_for_output(format!("w{n}"), PATIENCE).await.unwrap();
        assert_eq!(output.as_json(), Some("[1,1,1,1]"));
        assert_eq!(world.runs(&format!("w{n}"), 4), [1, 1, 1, 1]);
    }
    for node in nodes {
        node.shutdown().await;
    }
}

#[tokio::test]
async fn a_restart_resumes_everything() {
    let scratch = Scratch::new("restart");
    let world = World::new(scratch.path());
    let client = client(&scratch.database()).await;
    let first = Node::start(&scratch, LEASE).await;
    client.start("waits", "Approval", Payload::null()).await.unwrap();
    client.start("sleeps", "Nap", Payload::json("300")).await.unwrap();
    until("the first step", async || world.find(Phase::Ended, 0, 1)).await;
    first.shutdown().await;

    // What is sent while nobody runs is kept; what became due meanwhile is done.
    client.raise_event("waits", "go", Payload::json("\"yes\"")).await.unwrap();
    client.start("starts", "Steps", Payload::json("2")).await.unwrap();

    let second = Node::start(&scratch, LEASE).await;
    for (id, output) in [("waits", "\"yes\""), ("sleeps", "1"), ("starts", "[1,1]")] {
        assert_eq!(client.wait_for_output(id, PATIENCE).await.unwrap().as_json(), Some(output));
    }
    assert_eq!(world.runs("waits", 2), [1, 1]);
    assert_eq!(world.runs("sleeps", 1), [1]);
    second.shutdown().await;
}

#[tokio::test]
async fn a_shut_down_runtime_hands_its_work_over_without_waiting_for_a_lease() {
    let scratch = Scratch::new("hand-over");
    let world = World::new(scratch.path());
    let client = client(&scratch.database()).await;
    world.hold(1, 1).unwrap();
    let first = Node::start(&scratch, LEASE).await;
    client.start("w", "Steps", Payload::json("3")).await.unwrap();
    until("the step to begin", async || world.find(Phase::Began, 1, 1)).await;
    first.shutdown().await;
    world.let_go(1, 1).unwrap();

    let second = Node::start(&scratch, LEASE).await;
    let output = client.wait_for_output("w", PATIENCE).await.unwrap();
    // An orderly hand-over is not held against the activity: it counts as its first attempt.
    assert_eq!(output.as_json(), Some("[1,1,1]"));
    assert_eq!(world.runs("w", 3), [1, 2, 1]);
    second.shutdown().await;
}
