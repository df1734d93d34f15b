//! What a caller learns, and what the store does, when the network fails.

use super::methods::{commit, key, submit, wait};
use super::support::network::{Passing, Towards, Verdict};
use super::support::{ADDRESS, World, run, start, token};
use duroxide_provider::{CommitOutcome, Inspect as _, Provider as _, ProviderError, Submitted};
use duroxide_remote::ServerOptions;
use proptest::prelude::*;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// This verdict for the first so many frames that match, `Pass` for all others.
fn first(
    mut count: u32,
    matches: impl Fn(&Passing<'_>) -> bool,
    verdict: impl Fn() -> Verdict,
) -> impl FnMut(&Passing<'_>) -> Verdict {
    move |frame| {
        if count > 0 && matches(frame) {
            count -= 1;
            verdict()
        } else {
            Verdict::Pass
        }
    }
}

fn is_submit(frame: &Passing<'_>) -> bool {
    frame.text.contains("\"submit\"")
}

fn is_answer(frame: &Passing<'_>) -> bool {
    frame.towards == Towards::Client && frame.text.contains("\"Answer\"")
}

#[test]
fn an_answer_lost_with_its_connection_is_asked_for_again_and_applied_once() {
    run(async {
        let world = World::new().await;
        world.rule(first(1, is_answer, || Verdict::Cut));
        let answer = world.client().submit(submit(1)).await;
        assert_eq!(answer, Ok(Submitted::Created));
        assert_eq!((world.store.called(), world.store.applied()), (2, 1));
        assert_eq!(world.network.connections(), 2);
        let sent = world.network.frames_to_server();
        assert_eq!(sent[1], sent[3], "the same request is sent again, byte for byte");
    });
}

#[test]
fn a_request_lost_with_its_connection_is_sent_again() {
    run(async {
        let world = World::new().await;
        world.rule(first(1, is_submit, || Verdict::Cut));
        assert_eq!(world.client().submit(submit(1)).await, Ok(Submitted::Created));
        assert_eq!((world.store.called(), world.store.applied()), (1, 1));
    });
}

#[test]
fn a_stream_that_hangs_without_a_word_is_given_up_at_the_deadline() {
    for (matches, calls) in
        [(is_submit as fn(&Passing<'_>) -> bool, 1), (is_answer as fn(&Passing<'_>) -> bool, 2)]
    {
        run(async {
            let world = World::new().await;
            world.rule(first(1, matches, || Verdict::Vanish));
            let start = world.env.clock.monotonic();
            assert_eq!(world.client().submit(submit(1)).await, Ok(Submitted::Created));
            let took = world.env.clock.monotonic().saturating_sub(start);
            assert!((5..6).contains(&took.as_secs()), "took {took:?}");
            assert_eq!((world.store.called(), world.store.applied()), (calls, 1));
        });
    }
}

#[test]
fn an_answer_after_the_deadline_is_asked_for_again_and_applied_once() {
    run(async {
        let world = World::new().await;
        world.rule(first(1, is_answer, || Verdict::Delay(Duration::from_mins(1))));
        assert_eq!(world.client().submit(submit(1)).await, Ok(Submitted::Created));
        assert_eq!((world.store.called(), world.store.applied()), (2, 1));
    });
}

#[test]
fn an_answer_late_but_in_time_costs_nothing() {
    run(async {
        let world = World::new().await;
        world.rule(first(1, is_answer, || Verdict::Delay(Duration::from_secs(4))));
        assert_eq!(world.client().submit(submit(1)).await, Ok(Submitted::Created));
        assert_eq!((world.store.called(), world.network.connections()), (1, 1));
    });
}

#[test]
fn a_request_that_arrives_twice_is_answered_twice_and_applied_once() {
    run(async {
        let world = World::new().await;
        world.rule(|frame| if is_submit(frame) { Verdict::Twice } else { Verdict::Pass });
        let client = world.client();
        for id in 1..=3 {
            assert_eq!(client.submit(submit(id)).await, Ok(Submitted::Created));
        }
        assert_eq!((world.store.called(), world.store.applied()), (6, 3));
        assert_eq!(world.network.connections(), 1, "the second answer disturbs nobody");
    });
}

#[test]
fn when_the_tries_are_used_up_an_applied_call_is_unknown_and_a_read_is_busy() {
    run(async {
        let world = World::new().await;
        world.rule(first(u32::MAX, is_answer, || Verdict::Cut));
        let client = world.client();
        let error = client.submit(submit(1)).await.unwrap_err();
        assert!(matches!(error, ProviderError::Unknown { .. }), "{error}");
        assert_eq!((world.store.called(), world.store.applied()), (3, 1));
        let error = client.metrics().await.unwrap_err();
        assert!(matches!(error, ProviderError::Busy { .. }), "{error}");
    });
}

#[test]
fn a_call_that_was_never_sent_is_busy() {
    run(async {
        let world = World::new().await;
        world.network.shut(ADDRESS);
        let error = world.client().submit(submit(1)).await.unwrap_err();
        assert!(matches!(error, ProviderError::Busy { .. }), "{error}");
        assert!(error.to_string().starts_with("submit: the store is busy: store:7070"), "{error}");
    });
}

#[test]
fn busy_on_a_second_try_does_not_deny_that_the_first_was_applied() {
    run(async {
        let world = World::new().await;
        let busy =
            || ProviderError::Busy { operation: "submit".to_owned(), message: String::new() };
        let client = world.client();
        // The first try is applied, its answer lost; from then on the store is busy.
        world.rule(first(1, is_answer, || Verdict::Cut));
        let asked = async {
            let error = client.submit(submit(1)).await.unwrap_err();
            assert!(matches!(error, ProviderError::Unknown { .. }), "{error}");
        };
        let busied = async {
            world.until("it was applied", |store| store.applied() == 1).await;
            *world.store.errors.lock().unwrap() = vec![busy(); 2];
        };
        tokio::join!(asked, busied);
        assert_eq!(world.store.called(), 3);
    });
}

#[test]
fn a_deletion_that_may_have_arrived_is_not_sent_again() {
    run(async {
        let world = World::new().await;
        world.rule(first(1, is_answer, || Verdict::Cut));
        let error = world.client().delete(key(), true).await.unwrap_err();
        assert!(matches!(error, ProviderError::Unknown { .. }), "{error}");
        assert_eq!(world.store.applied(), 1);
    });
}

#[test]
fn one_lost_connection_loses_none_of_its_calls() {
    run(async {
        let world = World::new().await;
        let client = world.client();
        world.rule(first(1, is_answer, || Verdict::Cut));
        let calls = (0..50).map(|id| client.submit(submit(id)));
        let answers = futures_util::future::join_all(calls).await;
        assert!(answers.iter().all(|answer| *answer == Ok(Submitted::Created)), "{answers:?}");
        assert_eq!((world.store.applied(), world.network.connections()), (50, 2));
    });
}

#[test]
fn a_long_poll_survives_the_loss_of_its_connection() {
    run(async {
        let world = World::new().await;
        let client = world.client();
        let polled = client.wait_for_work(wait(Duration::from_hours(1)));
        let disturbed = async {
            world.until("the poll waits", |store| store.waiting() == 1).await;
            world.rule(first(1, is_answer, || Verdict::Cut));
            client.submit(submit(1)).await.unwrap();
            world.until("both polls wait, or one", |store| store.waiting() == 1).await;
            world.until("it waits again", |store| store.called() >= 4).await;
            world.store.news.notify_waiters();
        };
        let (answer, ()) = tokio::join!(polled, disturbed);
        assert!(answer.is_ok(), "{answer:?}");
        assert_eq!(world.network.connections(), 2);
    });
}

#[test]
fn a_server_that_comes_back_is_found_again() {
    run(async {
        let world = World::new().await;
        let client = world.client();
        client.metrics().await.unwrap();
        let World { env, network, store, server } = world;
        server.abort();
        network.shut(ADDRESS);
        let error = client.submit(submit(1)).await.unwrap_err();
        assert!(matches!(error, ProviderError::Busy { .. } | ProviderError::Unknown { .. }));
        start(&env, &network, store.clone(), ServerOptions::new(token())).await;
        assert_eq!(client.submit(submit(1)).await, Ok(Submitted::Created));
        assert_eq!(store.applied(), 1);
    });
}

#[test]
fn a_commit_under_way_is_carried_through_though_its_client_is_gone() {
    run(async {
        let world = World::new().await;
        world.store.gate.forget_permits(usize::MAX);
        let client = world.client();
        {
            let abandoned = client.commit_turn(commit(1));
            tokio::pin!(abandoned);
            let begun = world.until("the commit began", |store| store.called() == 1);
            tokio::select! { biased; _ = &mut abandoned => unreachable!(), () = begun => () }
        }
        drop(client);
        world.env.sleep(Duration::from_secs(1)).await;
        assert_eq!(world.store.applied.load(Ordering::Relaxed), 0);
        world.store.gate.add_permits(1);
        world.until("it was applied", |store| store.applied() == 1).await;
    });
}

#[test]
fn slow_calls_do_not_hold_up_others() {
    run(async {
        let world = World::new().await;
        world.store.gate.forget_permits(usize::MAX);
        let client = world.client();
        let slow = client.commit_turn(commit(1));
        let poll = client.wait_for_work(wait(Duration::from_hours(1)));
        let others = async {
            world.until("both wait", |store| store.called() == 2).await;
            assert_eq!(client.submit(submit(1)).await, Ok(Submitted::Created));
            assert_eq!(client.metrics().await.unwrap().instances, 11);
            world.store.gate.add_permits(1);
            world.store.news.notify_waiters();
        };
        let (slow, poll, ()) = tokio::join!(slow, poll, others);
        assert!(matches!(slow, Ok(CommitOutcome::Applied(_))), "{slow:?}");
        assert!(poll.is_ok(), "{poll:?}");
    });
}

fn any_verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        12 => Just(Verdict::Pass),
        1 => (0_u64..20_000).prop_map(|ms| Verdict::Delay(Duration::from_millis(ms))),
        1 => Just(Verdict::Twice),
        1 => Just(Verdict::Vanish),
        1 => Just(Verdict::Cut),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    /// Whatever the network does to the first 60 frames: an acknowledged call was applied, one
    /// that is said not to be was not, and every caller is told within bounded time.
    #[test]
    fn whatever_the_network_does_no_answer_is_a_lie(
        verdicts in prop::collection::vec(any_verdict(), 60),
    ) {
        run(async {
            let world = World::new().await;
            let mut verdicts = verdicts.into_iter();
            world.rule(move |_| verdicts.next().unwrap_or(Verdict::Pass));
            let client = world.client();
            let calls = (0..12_u64).map(|id| {
                let (client, env) = (&client, &world.env);
                async move {
                    env.sleep(Duration::from_millis(id * 700)).await;
                    env.timeout(Duration::from_mins(1), client.submit(submit(id.into()))).await
                }
            });
            let answers = futures_util::future::join_all(calls).await;
            world.env.sleep(Duration::from_hours(1)).await;
            for (id, answer) in (0..).zip(answers) {
                match answer.expect("every caller is told") {
                    Ok(Submitted::Created) => assert!(world.store.knows(id), "{id} is lost"),
                    Err(ProviderError::Busy { .. }) => assert!(!world.store.knows(id), "{id}"),
                    Err(ProviderError::Unknown { .. }) => (),
                    other => panic!("{other:?}"),
                }
            }
            world.rule(|_| Verdict::Pass);
            assert_eq!(client.metrics().await.unwrap().instances, 11);
        });
    }
}
