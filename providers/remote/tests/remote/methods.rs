//! Every method gives, over the network, what the store itself gives.

use super::support::{World, run};
use duroxide_core::{
    Commit, CompatFlags, Event, EventId, EventKind, ExecutionId, Failure, FailureKind, Nonce,
    Payload, TimeMs, TurnNo,
};
use duroxide_provider::*;
use std::collections::BTreeMap;
use std::time::Duration;

const INCARNATION: Incarnation = Incarnation(u64::MAX);

pub(crate) fn key() -> InstanceKey {
    InstanceKey { namespace: Namespace("tenant".to_owned()), id: "order \"7\" ✓".into() }
}

pub(crate) fn node() -> NodeId {
    NodeId { name: "node".to_owned(), run: 1 }
}

pub(crate) fn event(execution: u64) -> Event {
    Event {
        id: EventId::FIRST,
        turn: TurnNo(1),
        at: TimeMs(execution),
        split: false,
        kind: EventKind::OrchestrationStarted {
            name: "hello".to_owned(),
            version: "1.0.0".to_owned(),
            input: Payload::null(),
            parent: None,
            nonce: Nonce(u128::MAX),
            flags: CompatFlags::NONE,
            headers: BTreeMap::new(),
        },
    }
}

pub(crate) fn submit(id: u128) -> Submit {
    Submit {
        request: RequestId(id),
        key: key(),
        what: Submission::Start {
            name: "hello".to_owned(),
            version: None,
            input: Payload::json("{\"a\": [1, 2.5, \"\\u0000\"]}"),
            headers: BTreeMap::from([("trace".to_owned(), "1".to_owned())]),
        },
    }
}

pub(crate) fn wait(max: Duration) -> WaitForWork {
    WaitForWork { node: node(), after: WakeSeq(41), max }
}

pub(crate) fn commit(id: u128) -> CommitTurn {
    CommitTurn {
        incarnation: INCARNATION,
        lease: LeaseId(1),
        node: node(),
        commit_id: CommitId(id),
        base: None,
        turn: Commit {
            execution: ExecutionId::FIRST,
            expect_event: EventId::FIRST,
            turn: TurnNo(1),
            events: vec![event(1)],
            split: false,
            consumed: Vec::new(),
            fused: Vec::new(),
            seen: Vec::new(),
            activities: Vec::new(),
            cancelled_activities: Vec::new(),
            timers: Vec::new(),
            cancelled_timers: Vec::new(),
            starts: Vec::new(),
            sends: Vec::new(),
            status: None,
            kv: Vec::new(),
            end: None,
            waiting: None,
        },
        version: Some("1.0.0".to_owned()),
        flags: CompatFlags::NONE,
        completed: vec![(activity(), LeaseId(2))],
        keep: Some(Duration::from_nanos(1_500_000_001)),
        claim: None,
    }
}

fn activity() -> ActivityKey {
    ActivityKey { incarnation: INCARNATION, execution: ExecutionId(1), event: EventId(2) }
}

fn activity_filter() -> ActivityFilter {
    ActivityFilter {
        names: ["charge".to_owned()].into(),
        tags: TagFilter::DefaultAnd(["gpu".to_owned()].into()),
        sessions: SessionLimits { max: 1, idle: Duration::from_secs(1) },
    }
}

/// Asks both and compares.
macro_rules! same {
    ($world:expr, $remote:expr, $method:ident($($argument:expr),*)) => {
        assert_eq!(
            $remote.$method($($argument),*).await,
            $world.store.$method($($argument),*).await,
            stringify!($method),
        );
    };
}

#[test]
fn every_method_of_the_provider_answers_as_the_store_does() {
    run(async {
        let world = World::new().await;
        let remote = world.client();
        let lease = LeaseId(u128::MAX);
        same!(
            world,
            remote,
            lease_orchestrations(LeaseOrchestrations {
                lease,
                node: node(),
                filter: OrchestrationFilter {
                    names: BTreeMap::from([("hello".to_owned(), ["1.0.0".to_owned()].into())]),
                    flags: CompatFlags(u64::MAX),
                },
                max: 5,
                duration: Duration::from_secs(30),
            })
        );
        let (incarnation, execution) = (INCARNATION, ExecutionId(1));
        same!(
            world,
            remote,
            read_history(ReadHistory {
                incarnation,
                execution,
                lease,
                from: EventId(9),
                max_bytes: 1 << 20,
            })
        );
        same!(world, remote, read_mail(ReadMail { incarnation, lease, names: Vec::new(), max: 3 }));
        same!(world, remote, commit_turn(commit(1)));
        same!(world, remote, submit(submit(3)));
        same!(world, remote, wait_for_work(wait(Duration::from_millis(5))));
        assert_eq!(world.network.connections(), 1);
    });
}

#[test]
fn every_method_for_what_is_leased_answers_as_the_store_does() {
    run(async {
        let world = World::new().await;
        let remote = world.client();
        let (incarnation, lease) = (INCARNATION, LeaseId(u128::MAX));
        same!(
            world,
            remote,
            lease_activities(LeaseActivities {
                lease,
                node: node(),
                filter: activity_filter(),
                max: 2,
                duration: Duration::ZERO,
            })
        );
        for outcome in [
            Ok(Payload::new(duroxide_core::Encoding(3), &[1, 2, 3])),
            Err(Failure::new(FailureKind::Timeout, "too late")),
        ] {
            same!(
                world,
                remote,
                complete_activity(CompleteActivity {
                    activity: activity(),
                    lease,
                    outcome: outcome.clone(),
                })
            );
        }
        let held = vec![
            Held::Activity { activity: activity(), lease },
            Held::Instance { incarnation, lease },
        ];
        same!(world, remote, renew(Renew { held: held.clone(), duration: Duration::MAX }));
        same!(
            world,
            remote,
            release(Release {
                held: held.clone(),
                commit: Some((incarnation, CommitId(2))),
                refund: true,
                delay: Duration::ZERO,
            })
        );
        assert_eq!(world.network.connections(), 1);
    });
}

#[test]
fn every_method_of_inspect_answers_as_the_store_does() {
    run(async {
        let world = World::new().await;
        let remote = world.client();
        assert_eq!(remote.limits(), duroxide_core::Limits::default(), "before it has connected");
        same!(world, remote, instance(key()));
        assert_eq!(remote.limits(), world.store.limits(), "after it has connected");
        assert!(remote.is_read_only(), "as the store says");
        same!(
            world,
            remote,
            watch(WatchRequest { key: key(), seen: Some(1), max: Duration::from_millis(5) })
        );
        same!(world, remote, executions(key()));
        same!(world, remote, history(key(), ExecutionId(6)));
        same!(world, remote, kv(key()));
        same!(world, remote, list(ListFilter::default(), Some("a".into()), 10));
        same!(world, remote, tree(key()));
        same!(world, remote, stats(key()));
        same!(world, remote, metrics());
        same!(world, remote, depths());
        same!(world, remote, unclaimed());
        same!(world, remote, delete(key(), true));
        let selection = Selection { limit: Some(4), ..Selection::default() };
        same!(world, remote, delete_many(selection.clone()));
        let rule = PruneRule { keep_last: Some(2), completed_before: None };
        same!(world, remote, prune(selection.clone(), rule));
        assert_eq!(world.network.connections(), 1);
    });
}

#[test]
fn an_error_of_the_store_comes_as_it_is() {
    run(async {
        let world = World::new().await;
        let remote = world.client();
        let (operation, message) = ("metrics".to_owned(), "m".to_owned());
        let what = "w".to_owned();
        let errors = [
            ProviderError::Busy { operation: operation.clone(), message: message.clone() },
            ProviderError::Full { operation: operation.clone(), message: message.clone() },
            ProviderError::Unknown { operation: operation.clone(), message: message.clone() },
            ProviderError::Invalid { operation: operation.clone(), message: message.clone() },
            ProviderError::Corrupt { operation: operation.clone(), what: what.clone(), message },
            ProviderError::NotFound { operation: operation.clone(), what: what.clone() },
            ProviderError::Exists { operation: operation.clone(), what },
            ProviderError::NewerSchema { operation, found: 2, known: 1 },
        ];
        *world.store.errors.lock().unwrap() = errors.to_vec();
        for error in errors {
            assert_eq!(remote.metrics().await, Err(error));
        }
        assert_eq!(world.store.called(), 8, "each was asked once: back-off is the caller's");
    });
}
