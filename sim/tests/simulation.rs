//! The simulation as a test: it is deterministic, it delivers its faults, it can fail,
//! and the engine passes it. `DUROXIDE_SIM_SEED=7 cargo test -p duroxide-sim` replays one
//! seed; `cargo xtask sim run --seeds 500` runs many.

#![expect(clippy::unwrap_used, reason = "helpers of tests are outside of them")]

use duroxide_sim::{Batch, Orders, Outcome, Plan, Seeds, Swarm, Workload, cli, run};
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

const PROGRAM: &str = env!("CARGO_BIN_EXE_duroxide-sim");

fn program(args: &[&str]) -> (bool, String) {
    let directory = env!("CARGO_TARGET_TMPDIR");
    let output = Command::new(PROGRAM).args(args).current_dir(directory).output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

fn draw(seed: u64) -> Plan {
    Plan::draw(seed, &Orders, &Swarm::all())
}

fn run_orders(plan: &Plan) -> Outcome {
    run(plan, &(Arc::new(Orders) as Arc<dyn Workload>))
}

fn processes() -> u64 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64)
}

#[test]
fn a_first_two_processes_with_one_seed_print_one_trace_hash() {
    for seed in ["3", "4"] {
        let (passed, first) = program(&["run", "--seed", seed]);
        let (_, second) = program(&["run", "--seed", seed]);
        assert!(passed, "{first}");
        assert!(first.contains("trace hash"), "{first}");
        assert_eq!(first, second);
    }
}

/// A few, for this may be an unoptimised build: `cargo xtask test` runs two hundred, and wants
/// every kind of fault and every point among them.
#[test]
fn a_range_of_seeds_passes_with_as_many_hashes() {
    let seeds = Seeds { first: 1_000, count: 12 };
    let jobs = processes();
    let batch =
        Batch { program: Path::new(PROGRAM), seeds, jobs, drawn: &[], until_failure: false };
    let summary = batch.run(&mut |_| true).unwrap();
    for outcome in summary.failed() {
        println!("{}", cli::tell(outcome, &draw(outcome.seed)).unwrap());
    }
    println!("{summary}");
    assert_eq!(summary.failed().count(), 0, "the seeds above failed");
    assert_eq!(summary.problems(), Vec::<String>::new());
    let hashes: BTreeSet<_> = summary.outcomes.values().map(|outcome| &outcome.hash).collect();
    assert_eq!(hashes.len(), 12);
    for outcome in summary.outcomes.values() {
        assert!(outcome.compared > 0, "seed {}: nothing was compared", outcome.seed);
    }
}

#[test]
fn ctrl_c_tells_what_is_known_so_far() {
    let mut running = Command::new(PROGRAM)
        .args(["run", "--seeds", "1000000", "--jobs", "1"])
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(running.stderr.take().unwrap()).lines();
    let first = told.next().unwrap().unwrap();
    assert!(first.contains("0/1000000 seeds") && first.contains("Ctrl-C"), "{first}");
    let interrupt = Command::new("kill").args(["-INT", &running.id().to_string()]).status();
    assert!(interrupt.unwrap().success());
    let output = running.wait_with_output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    for part in ["stopped before its end; what is known so far:", "seeds: ", "virtual time: "] {
        assert!(told.contains(part), "{part} is not in: {told}");
    }
}

#[test]
fn a_range_is_told_as_one_json_value_for_programs() {
    let (passed, told) = program(&["run", "--seeds", "2", "--from", "3", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert!(passed, "{told}");
    assert_eq!((&value["seeds"], &value["whole"]), (&json!(2), &json!(true)));
    assert_eq!((&value["failed"], &value["problems"]), (&json!([]), &json!([])));
    assert_eq!(value["hash"].as_str().map(str::len), Some(64));
}

#[test]
fn the_seed_of_the_environment_passes() {
    let seed = std::env::var("DUROXIDE_SIM_SEED").map_or(5, |seed| seed.parse().unwrap());
    let plan = draw(seed);
    let outcome = run_orders(&plan);
    let told = cli::tell(&outcome, &plan).unwrap();
    println!("{told}");
    assert_eq!(outcome.failure, None, "{told}");
}

#[test]
fn a_world_without_faults_counts_none_and_repeats_nothing() {
    let outcome = run_orders(&draw(6).calm());
    assert_eq!(outcome.failure, None);
    for kind in Swarm::kinds() {
        assert_eq!(outcome.counts.of(kind), 0, "{kind}");
    }
    assert_eq!(outcome.repeated, 0);
}

#[test]
fn one_changed_byte_in_one_result_changes_the_hash() {
    let plan = draw(6);
    let mut changed = plan.clone();
    // What this step gives back is thrown away: nothing else depends on it.
    changed.flip = Some("pick".to_owned());
    let (one, other) = (run_orders(&plan), run_orders(&changed));
    assert_eq!((&one.failure, &other.failure), (&None, &None));
    assert_eq!(one.entries, other.entries);
    assert_ne!(one.hash, other.hash);
}

#[test]
fn a_failure_names_its_seed_its_plan_and_how_to_see_it_again() {
    let mut plan = draw(8);
    plan.flip = Some("ship".to_owned());
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wrong.json");
    std::fs::write(&file, serde_json::to_string(&plan).unwrap()).unwrap();
    let (passed, told) = program(&["replay", file.to_str().unwrap()]);
    assert!(!passed, "{told}");
    let again = format!("replay {}", file.display());
    for part in ["seed 8 FAILED", "[workload] `order-", &again] {
        assert!(told.contains(part), "{part} is not in: {told}");
    }
}
