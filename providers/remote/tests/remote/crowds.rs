//! Many at the door: connections that never greet, more clients than there are seats, and
//! frames that are announced and never come. Who behaves is served through all of it.

use super::malformed::{HELLO, greeted, read_frame, write_frame};
use super::methods::wait;
use super::support::{ADDRESS, World, run, token};
use duroxide_provider::{Inspect as _, InstanceKey, Provider as _, ProviderError};
use duroxide_remote::{ClientOptions, RemoteProvider};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

/// Of these, the server still has the door open for so many.
async fn open(world: &World, streams: &mut [DuplexStream]) -> usize {
    let mut open = 0;
    for stream in streams {
        let closed = world.env.timeout(Duration::from_millis(1), stream.read_u8()).await;
        open += usize::from(closed.is_none());
    }
    open
}

#[test]
fn a_crowd_that_never_greets_is_kept_small_and_keeps_nobody_out() {
    run(async {
        let world = World::with(|options| options.max_strangers = 8).await;
        let before = world.client();
        before.metrics().await.unwrap();
        let mut crowd = Vec::new();
        for n in 0..500 {
            let mut stream = world.network.raw(ADDRESS).unwrap();
            // Half a greeting, and no more of it.
            stream.write_all(&[0, 0, 1][..n % 4]).await.unwrap();
            crowd.push(stream);
            if n == 400 {
                world.client().metrics().await.unwrap();
            }
        }
        before.metrics().await.unwrap();
        world.client().metrics().await.unwrap();
        let left = open(&world, &mut crowd).await;
        assert!((1..=8).contains(&left), "{left} of the crowd are still at the door");
        assert_eq!(open(&world, &mut crowd[..400]).await, 0, "the oldest had to go");
        world.env.sleep(Duration::from_secs(10)).await;
        assert_eq!(open(&world, &mut crowd).await, 0, "nobody waits longer than the patience");
        before.metrics().await.unwrap();
    });
}

#[test]
fn a_client_too_many_is_busy_until_another_leaves() {
    run(async {
        let world = World::with(|options| options.max_connections = 2).await;
        let (first, second, third) = (world.client(), world.client(), world.client());
        first.metrics().await.unwrap();
        second.metrics().await.unwrap();
        let error = third.metrics().await.unwrap_err();
        assert!(matches!(error, ProviderError::Busy { .. }), "{error}");
        first.metrics().await.unwrap();
        drop(second);
        third.metrics().await.unwrap();
        first.metrics().await.unwrap();
    });
}

#[test]
fn a_client_that_announces_a_large_frame_and_stops_is_closed_when_idle() {
    run(async {
        let world = World::new().await;
        let mut slow = greeted(&world).await;
        slow.write_all(&(128_u32 << 20).to_be_bytes()).await.unwrap();
        slow.write_all(b"{\"Call\":").await.unwrap();
        world.client().metrics().await.unwrap();
        let closed = world.env.timeout(Duration::from_mins(11), slow.read_u8()).await;
        assert!(closed.expect("the server closes it").is_err());
    });
}

#[test]
fn the_poll_of_a_client_that_vanished_ends_in_time() {
    run(async {
        let world = World::new().await;
        let mut stream = greeted(&world).await;
        let call = r#"{"Call":{"id":1,"call":{"wait_for_work":{"node":{"name":"n","run":1},"after":1,"max":{"secs":18446744073709551615,"nanos":0}}}}}"#;
        write_frame(&mut stream, call.as_bytes()).await.unwrap();
        world.until("it waits", |store| store.waiting() == 1).await;
        world.env.sleep(Duration::from_mins(10)).await;
        world.until("it does not", |store| store.waiting() == 0).await;
        assert!(read_frame(&mut stream).await.contains("\"Ok\""), "an early answer is one");
        // One that is shorter is held as long as it asks for.
        let client = world.client();
        let begun = world.env.clock.monotonic();
        client.wait_for_work(wait(Duration::from_mins(3))).await.unwrap();
        assert_eq!(world.env.clock.monotonic().saturating_sub(begun), Duration::from_mins(3));
    });
}

#[test]
fn large_requests_under_way_are_read_one_after_the_other() {
    run(async {
        let world = World::with(|options| options.max_frame = 10_000).await;
        world.store.gate.forget_permits(usize::MAX);
        let mut stream = greeted(&world).await;
        let commit = serde_json::to_string(&super::methods::commit(1)).unwrap();
        let padding = " ".repeat(9_000 - commit.len());
        let frame = format!(r#"{{"Call":{{"id":1,"call":{{"commit_turn":{commit}{padding}}}}}}}"#);
        for _ in 0..10 {
            // The pipe holds one such frame, so most of this waits in the writer.
            let write = write_frame(&mut stream, frame.as_bytes());
            if world.env.timeout(Duration::from_secs(1), write).await.is_none() {
                break;
            }
        }
        assert_eq!(world.store.called(), 2, "the second begins while one is under way");
        world.store.gate.add_permits(10);
        world.until("they go on", |store| store.called() > 2).await;
        world.client().metrics().await.unwrap();
    });
}

#[test]
fn a_client_may_ask_for_smaller_answers_and_not_for_larger_ones_than_the_server_gives() {
    run(async {
        let world = World::with(|options| options.max_frame = 10_000).await;
        let options = ClientOptions { max_frame: usize::MAX, ..ClientOptions::default() };
        let client = RemoteProvider::new(&world.env, ADDRESS, token(), options);
        client.instance(InstanceKey::new("x".repeat(9_000))).await.unwrap();
        // What the fake knows of it makes the answer larger than the question.
        let error = client.instance(InstanceKey::new("x".repeat(9_800))).await.unwrap_err();
        assert!(matches!(error, ProviderError::Invalid { .. }), "{error}");
        assert!(error.to_string().contains("10000"), "{error}");
        client.metrics().await.unwrap();
        assert_eq!(world.network.connections(), 1);
    });
}

#[test]
fn what_is_no_greeting_is_answered_with_silence() {
    run(async {
        let world = World::new().await;
        for frame in [
            r#"{"Call":{"id":1,"call":"metrics"}}"#,
            r#"{"Withdraw":{"id":1}}"#,
            r#"{"Hello":{"protocol":2,"max_frame":1}}"#,
            r#"{"Hello":{"protocol":2,"token":null,"max_frame":1}}"#,
            "{}",
            "",
        ] {
            let mut stream = world.network.raw(ADDRESS).unwrap();
            write_frame(&mut stream, frame.as_bytes()).await.unwrap();
            let mut said = Vec::new();
            let ended = world.env.timeout(Duration::from_secs(1), stream.read_to_end(&mut said));
            assert!(ended.await.is_some(), "`{frame}` leaves the connection open");
            assert!(said.is_empty(), "{said:?}");
        }
        // Nor may it be said twice.
        let mut stream = greeted(&world).await;
        write_frame(&mut stream, HELLO.as_bytes()).await.unwrap();
        assert!(stream.read_u8().await.is_err());
        assert_eq!(world.store.called(), 0);
    });
}
