//! The world by itself: time, faults and determinism, with a workload of no meaning.

use super::{LIVENESS, MOST_STEPS, World, has_time_left};
use crate::counts::IDLE;
use crate::fault::{Fault, Hold, HostLoss, Kill, Partition};
use crate::plan::{ClockPlan, Plan, Planned, STORE};
use crate::point::Boundary;
use crate::stage::Stage;
use crate::swarm::Swarm;
use crate::workload::Orders;
use crate::wrong::Verdict;
use duroxide_provider::env::{Env, Stream};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];
const CLIENT: &str = "client-1";
const HOUR: Duration = Duration::from_hours(1);

/// A store that answers each byte with itself.
async fn echo(env: Env) -> Verdict {
    let listener = env.network.listen("0.0.0.0:9000").await?;
    loop {
        let mut stream = listener.accept().await?;
        env.spawn("echo", async move {
            while let Ok(byte) = stream.read_u8().await {
                if stream.write_u8(byte).await.is_err() {
                    break;
                }
            }
        });
    }
}

async fn ask(stream: &mut Box<dyn Stream>) -> Verdict {
    stream.write_u8(1).await?;
    stream.read_u8().await?;
    Ok(())
}

/// Nodes ask once an hour, for ever; each asks anew when it hears nothing.
async fn asker(env: Env, asked: Arc<Mutex<Vec<Duration>>>) -> Verdict {
    loop {
        let Ok(mut stream) = env.network.connect("store:9000").await else {
            env.sleep(Duration::from_secs(1)).await;
            continue;
        };
        while let Some(Ok(())) = env.timeout(Duration::from_secs(5), ask(&mut stream)).await {
            asked.lock().unwrap().push(env.clock.monotonic());
            env.sleep(HOUR).await;
        }
    }
}

struct Ran {
    hash: String,
    lasted: Duration,
    steps: u64,
    counts: crate::Counts,
    asked: usize,
}

fn run(plan: Plan, lasting: Duration) -> Ran {
    let stage = Stage::new(plan, false);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let mut world = World::new(&stage);
    world.host(STORE, |_, env| echo(env));
    for node in NODES {
        let asked = Arc::clone(&asked);
        world.host(node, move |_, env| asker(env, Arc::clone(&asked)));
    }
    world.client(CLIENT, |_, env| async move {
        env.sleep(lasting).await;
        Ok(())
    });
    world.run(lasting * 2).unwrap();
    drop(world);
    let asked = asked.lock().unwrap().len();
    let (hash, lasted) = (stage.trace.finish().0, stage.timeline.now());
    Ran { hash, lasted, steps: stage.steps(), counts: stage.counts(), asked }
}

/// A calm world with right clocks, and chaos without end.
fn plan(seed: u64) -> Plan {
    let mut plan = Plan::draw(seed, &Orders, &Swarm::calm());
    plan.nodes.clear();
    plan.store.clock = ClockPlan::default();
    plan.chaos_ms = u64::MAX;
    plan
}

fn kill_at(nth: u64, fault: impl Into<Fault>) -> Plan {
    let (mut plan, fault) = (plan(1), fault.into());
    plan.faults.push(Planned { host: NODES[0].to_owned(), boundary: Boundary::Wrote, nth, fault });
    plan
}

#[test]
fn thirty_days_of_hourly_work_take_few_steps() {
    let ran = run(plan(1), HOUR * 24 * 30);
    assert_eq!(ran.asked, 3 * 24 * 30);
    assert!(ran.lasted >= HOUR * 24 * 30);
    assert!(ran.steps < 4 * ran.asked as u64, "{} steps", ran.steps);
}

#[test]
fn a_seed_is_a_run() {
    let of = |seed| run(plan(seed), HOUR * 48).hash;
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

#[test]
fn a_host_that_died_is_silent_until_it_starts_again() {
    let down_ms = 7_200_000;
    for fault in [Fault::from(Kill { down_ms }), Fault::from(HostLoss { down_ms })] {
        let ran = run(kill_at(10, fault.clone()), HOUR * 24);
        // It died with its tenth question, whose answer it did not hear, and slept two hours.
        assert_eq!(ran.asked, 3 * 24 - 2, "{fault:?}");
        assert_eq!(ran.counts.of(IDLE), 2, "this workload has no calls in flight");
    }
}

#[test]
fn what_a_partition_cuts_off_is_asked_again() {
    let calm = run(plan(1), HOUR * 24);
    let cut = run(kill_at(10, Partition { for_ms: 60_000 }), HOUR * 24);
    assert_eq!(cut.asked, calm.asked);
    assert_ne!(cut.hash, calm.hash);
}

#[test]
fn what_is_held_up_arrives_later() {
    let held = run(kill_at(10, Hold { for_ms: 3_000 }), HOUR * 24);
    assert_eq!(held.asked, 3 * 24);
}

#[test]
fn a_world_in_which_everybody_waits_for_ever_is_a_failure() {
    let stage = Stage::new(plan(1), false);
    let mut world = World::new(&stage);
    world.host(STORE, |_, env| echo(env));
    world.client(CLIENT, |_, _| std::future::pending());
    let reason = world.run(HOUR).unwrap_err().to_string();
    assert!(reason.contains("everybody waits"), "{reason}");
}

#[test]
fn a_world_that_is_not_done_in_time_is_a_failure() {
    let stage = Stage::new(plan(1), false);
    let mut world = World::new(&stage);
    world.client(CLIENT, |_, env| async move {
        for _ in 0..3 {
            env.sleep(HOUR).await;
        }
        Ok(())
    });
    let wrong = world.run(HOUR).unwrap_err();
    assert_eq!(wrong.oracle, LIVENESS);
    assert!(wrong.sentence.ends_with("within 3600s of virtual time"), "{wrong}");
}

#[test]
fn a_run_has_so_many_steps_and_so_much_time_and_no_more() {
    let most = MOST_STEPS + HOUR.as_secs() / 4;
    has_time_left(most, HOUR, HOUR).unwrap();
    let wrong = has_time_left(most + 1, HOUR, HOUR).unwrap_err();
    assert_eq!(wrong.oracle, LIVENESS);
    assert!(wrong.sentence.ends_with(&format!("within {most} steps")), "{wrong}");
    assert_eq!(
        has_time_left(1, HOUR + Duration::from_millis(1), HOUR).unwrap_err().oracle,
        LIVENESS
    );
}

#[test]
fn a_task_that_panics_fails_the_run() {
    let stage = Stage::new(plan(1), false);
    let mut world = World::new(&stage);
    world.client(CLIENT, |_, env| async move {
        env.spawn("doomed", async { panic!("as planned") });
        env.sleep(HOUR).await;
        Ok(())
    });
    let reason = world.run(HOUR).unwrap_err().to_string();
    assert!(reason.contains("doomed") && reason.contains("as planned"), "{reason}");
}
