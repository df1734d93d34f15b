//! Greeting, limits of a connection, idleness, closing.

use super::methods::{commit, key, submit, wait};
use super::support::network::Verdict;
use super::support::{ADDRESS, World, run, token};
use duroxide_core::Payload;
use duroxide_provider::{
    Inspect as _, Provider as _, ProviderError, Submission, Submit, Submitted,
};
use duroxide_remote::{ClientOptions, RemoteProvider, ServerOptions, Token};
use std::sync::atomic::Ordering;
use std::time::Duration;

fn submit_of(bytes: usize) -> Submit {
    let what = Submission::Start {
        name: "hello".to_owned(),
        version: None,
        input: Payload::json(format!("\"{}\"", "x".repeat(bytes))),
        headers: std::collections::BTreeMap::new(),
    };
    Submit { what, ..submit(1) }
}

#[test]
fn a_wrong_token_is_refused_with_a_clear_error_and_without_the_token() {
    run(async {
        let world = World::new().await;
        let wrong = Token::new("tried and wrong").unwrap();
        let client = RemoteProvider::new(&world.env, ADDRESS, wrong, ClientOptions::default());
        let error = client.submit(submit(1)).await.unwrap_err();
        assert_eq!(
            error,
            ProviderError::Unusable {
                operation: "submit".to_owned(),
                message: "store:7070 refuses this client: the server does not accept this token"
                    .to_owned(),
            }
        );
        assert_eq!(world.store.called(), 0);
        let printed = format!("{client:?} {:?}", ServerOptions::new(token()));
        assert!(!printed.contains("wrong") && !printed.contains("for tests"), "{printed}");
    });
}

#[test]
fn a_client_of_another_protocol_version_is_told_so() {
    run(async {
        let world = World::new().await;
        let answer = super::malformed::greet(
            &world,
            r#"{"Hello":{"protocol":999,"token":"a token for tests","max_frame":1,"new":[]}}"#,
        )
        .await;
        assert!(answer.contains("Refused") && answer.contains("version 999"), "{answer}");
    });
}

#[test]
fn a_request_larger_than_the_server_takes_is_refused_before_it_is_sent() {
    run(async {
        let world = World::with(|options| options.max_frame = 10_000).await;
        let client = world.client();
        let error = client.submit(submit_of(10_000)).await.unwrap_err();
        assert!(matches!(error, ProviderError::Invalid { .. }), "{error}");
        assert!(error.to_string().contains("frames of 10000"), "{error}");
        assert_eq!(client.submit(submit_of(9_000)).await, Ok(Submitted::Created));
        assert_eq!((world.store.called(), world.network.connections()), (1, 1));
    });
}

#[test]
fn an_answer_larger_than_the_client_takes_is_an_error_of_that_call_only() {
    run(async {
        let world = World::new().await;
        let options = ClientOptions { max_frame: 4096, ..ClientOptions::default() };
        let client = RemoteProvider::new(&world.env, ADDRESS, token(), options);
        let long = "x".repeat(5000);
        let list = client.list(duroxide_provider::ListFilter::default(), Some(long.into()), 1);
        let error = list.await.unwrap_err();
        assert!(matches!(error, ProviderError::Invalid { .. }), "{error}");
        assert!(client.metrics().await.is_ok());
        assert_eq!(world.network.connections(), 1);
    });
}

#[test]
fn a_large_payload_crosses_pipes_that_are_smaller_in_both_directions_at_once() {
    run(async {
        let world = World::new().await;
        let client = world.client();
        let long = "x".repeat(300_000);
        let lists = (0..20).map(|_| {
            client.list(duroxide_provider::ListFilter::default(), Some(long.clone().into()), 1)
        });
        for page in futures_util::future::join_all(lists).await {
            assert_eq!(page.unwrap().ids[0].as_str().len(), 300_000);
        }
        assert_eq!(world.network.connections(), 1);
    });
}

#[test]
fn more_calls_than_may_be_in_flight_wait_for_their_turn() {
    run(async {
        let world = World::with(|options| options.max_in_flight = 4).await;
        let client = world.client();
        let polls = futures_util::future::join_all(
            (0..2).map(|_| client.wait_for_work(wait(Duration::from_hours(1)))),
        );
        let others = async {
            world.until("the polls wait", |store| store.waiting() == 2).await;
            let error = client.wait_for_work(wait(Duration::from_secs(1))).await.unwrap_err();
            assert!(matches!(error, ProviderError::Busy { .. }), "{error}");
            let calls = (0..100).map(|id| client.submit(submit(id)));
            for answer in futures_util::future::join_all(calls).await {
                assert_eq!(answer, Ok(Submitted::Created));
            }
            world.store.news.notify_waiters();
        };
        tokio::join!(polls, others);
        assert_eq!((world.store.applied(), world.network.connections()), (100, 1));
    });
}

#[test]
fn a_poll_that_nobody_waits_for_ends_on_the_server() {
    run(async {
        let world = World::new().await;
        let client = world.client();
        {
            let dropped = client.wait_for_work(wait(Duration::from_hours(1)));
            tokio::pin!(dropped);
            let waits = world.until("it waits", |store| store.waiting() == 1);
            tokio::select! { biased; _ = &mut dropped => unreachable!(), () = waits => () }
        }
        world.until("it was withdrawn", |store| store.waiting() == 0).await;
        assert!(client.metrics().await.is_ok());
        assert_eq!(world.network.connections(), 1);
    });
}

#[test]
fn a_connection_without_calls_is_closed_by_the_server_and_made_again_when_needed() {
    run(async {
        let world = World::new().await;
        let client = world.client();
        client.metrics().await.unwrap();
        world.env.sleep(Duration::from_hours(1)).await;
        client.submit(submit(1)).await.unwrap();
        assert_eq!((world.store.applied(), world.network.connections()), (1, 2));
    });
}

#[test]
fn a_client_that_takes_no_answers_is_cut_off() {
    run(async {
        let world = World::with(|options| options.max_in_flight = 10).await;
        let mut stream = super::malformed::greeted(&world).await;
        for id in 0..10_000 {
            let call = format!(r#"{{"Call":{{"id":{id},"call":"metrics"}}}}"#);
            if super::malformed::write_frame(&mut stream, call.as_bytes()).await.is_err() {
                assert!(world.store.called() < 1000, "{}", world.store.called());
                return;
            }
        }
        panic!("the server took {} calls without an answer being read", world.store.called());
    });
}

#[test]
fn a_closed_client_finishes_what_is_under_way_and_takes_nothing_new() {
    run(async {
        let world = World::new().await;
        world.store.gate.forget_permits(usize::MAX);
        let client = world.client();
        let committed = client.commit_turn(commit(1));
        let polled = client.wait_for_work(wait(Duration::from_hours(1)));
        let closed = async {
            world.until("both are under way", |store| store.called() == 2).await;
            let opened = async {
                world.until("the poll has ended", |store| store.waiting() <= 1).await;
                world.store.gate.add_permits(1);
            };
            let (closed, ()) = tokio::join!(client.close(), opened);
            closed
        };
        let (committed, polled, closed) = tokio::join!(committed, polled, closed);
        assert!(committed.is_ok(), "{committed:?}");
        assert!(matches!(polled, Err(ProviderError::Unusable { .. })), "{polled:?}");
        assert_eq!(closed, Ok(()));
        let error = client.instance(key()).await.unwrap_err();
        assert!(matches!(error, ProviderError::Unusable { .. }), "{error}");
        assert_eq!(client.close().await, Ok(()), "closing twice is no error");
        assert!(world.client().metrics().await.is_ok(), "the store is open for others");
    });
}

#[test]
fn an_unreachable_server_is_tried_at_growing_intervals() {
    run(async {
        let world = World::new().await;
        world.rule(|_| Verdict::Cut);
        let client = world.client();
        let start = world.env.clock.monotonic();
        for id in 0..20 {
            client.submit(submit(id)).await.unwrap_err();
        }
        let took = world.env.clock.monotonic().saturating_sub(start);
        assert!(took > Duration::from_secs(50), "60 tries within {took:?}");
    });
}

#[test]
fn a_client_owns_a_timer_only_while_a_call_is_under_way() {
    run(async {
        let world = World::new().await;
        world.store.gate.forget_permits(usize::MAX);
        let (client, timers) = world.client_with_timers();
        let timers = || timers.load(Ordering::Relaxed);
        assert_eq!(timers(), 0, "before the first call");
        client.metrics().await.unwrap();
        tokio::task::yield_now().await;
        assert_eq!(timers(), 0, "after a call");
        let under_way = async {
            world.until("the commit began", |store| store.called() == 2).await;
            assert_eq!(timers(), 1, "during a call");
            world.store.gate.add_permits(1);
        };
        let (committed, ()) = tokio::join!(client.commit_turn(commit(1)), under_way);
        committed.unwrap();
        tokio::task::yield_now().await;
        assert_eq!(timers(), 0, "after another");
        assert_eq!(world.network.open(), 1);
    });
}

#[test]
fn a_dropped_client_ends_its_connection_and_no_other() {
    run(async {
        let world = World::new().await;
        let (client, other) = (world.client(), world.client());
        client.metrics().await.unwrap();
        other.metrics().await.unwrap();
        assert_eq!(world.network.open(), 2);
        drop(client);
        world.env.sleep(Duration::from_secs(1)).await;
        assert_eq!(world.network.open(), 1);
        other.metrics().await.unwrap();
        assert_eq!(world.network.connections(), 2);
    });
}

#[test]
fn an_aborted_server_ends_its_connections() {
    run(async {
        let world = World::new().await;
        let clients = [world.client(), world.client()];
        for client in &clients {
            client.metrics().await.unwrap();
        }
        world.server.abort();
        world.env.sleep(Duration::from_secs(1)).await;
        assert_eq!(world.network.open(), 0);
    });
}
