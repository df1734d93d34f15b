//! The project's own orchestration under every fault: crashes, power cuts, partitions,
//! lost answers, clocks that jump. `DUROXIDE_SIM_SEED=7 cargo test` runs one seed again.

#![allow(clippy::unwrap_used, reason = "tests")]

use duroxide_sim::{Finished, Swarm, simulate};
use duroxide_sim_example::{Outcome, Transfer, registry};
use std::path::PathBuf;
use std::process::Command;

fn pay(to: &str) -> Transfer {
    Transfer { from: "anna".to_owned(), to: to.to_owned(), amount: 500 }
}

#[test]
fn a_transfer_is_done_or_undone_whatever_goes_wrong() {
    simulate(registry)
        .start("Transfer", pay("ben"))
        .completes_with(Outcome::Done)
        .start("Transfer", pay("closed"))
        .completes_with(Outcome::Undone)
        .faults(Swarm::all())
        .seeds(1..12)
        .check();
}

#[test]
fn an_oracle_of_its_own_says_what_must_hold_of_every_transfer() {
    let even = |ended: &Finished<'_>| {
        let scheduled = ended.activities().len();
        if scheduled == 2 || scheduled == 3 {
            Ok(())
        } else {
            Err(format!("{scheduled} payments were made"))
        }
    };
    simulate(registry)
        .start("Transfer", pay("ben"))
        .start("Transfer", pay("closed"))
        .oracle(even)
        .faults(Swarm::all().without("power_cut"))
        .seeds(40..46)
        .check();
}

#[test]
fn a_wrong_expectation_is_told_with_the_seed_that_shows_it() {
    let told = simulate(registry)
        .named("wrong")
        .start("Transfer", pay("closed"))
        .completes_with(Outcome::Done)
        .seeds(7..8)
        .outcomes()
        .unwrap_err();
    for part in [
        "seed 7 FAILED",
        "[workload]",
        "Undone",
        "what happened to `transfer-",
        "target/sim/wrong-7",
        "cargo test a_wrong_expectation_is_told_with_the_seed_that_shows_it",
        ".html",
    ] {
        assert!(told.contains(part), "{part} is not in: {told}");
    }
}

#[test]
fn a_failure_is_made_small_where_that_is_asked_for() {
    let small = PathBuf::from("target/sim/wrong-7.small.json");
    let _ = std::fs::remove_file(&small);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_wrong_expectation_is_told_with_the_seed_that_shows_it"])
        .envs([("DUROXIDE_SIM_SEED", "7"), ("DUROXIDE_SIM_SHRINK", "60")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let plan: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(small).unwrap()).unwrap();
    assert_eq!(plan["faults"], serde_json::json!([]));
    assert_eq!(plan["instances"].as_array().map(Vec::len), Some(1));
}

/// What it runs is decided by the environment; see the test below.
#[test]
fn a_range_that_one_seed_or_a_plan_may_replace() {
    let ran = simulate(registry)
        .named("replaced")
        .start("Transfer", pay("ben"))
        .faults(Swarm::all())
        .seeds(3..5)
        .outcomes();
    match ran {
        Ok(ran) => {
            let ran: Vec<_> = ran.iter().map(|outcome| (outcome.seed, &outcome.hash)).collect();
            println!("ran {ran:?}");
        }
        Err(told) => panic!("{told}"),
    }
}

#[test]
fn the_environment_replays_one_seed_or_a_plan_and_says_what_it_cannot_read() {
    let run = |name: &str, value: &str| {
        let program = std::env::current_exe().unwrap();
        let output = Command::new(program)
            .args(["--exact", "a_range_that_one_seed_or_a_plan_may_replace", "--nocapture"])
            .env_remove("DUROXIDE_SIM_SEED")
            .env_remove("DUROXIDE_SIM_PLAN")
            .env(name, value)
            .output()
            .unwrap();
        let told = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (output.status.success(), told.concat())
    };
    let (passed, told) = run("DUROXIDE_SIM_SEED", "9");
    assert!(passed && told.contains("ran [(9, "), "{told}");
    for (name, value, named) in [
        ("DUROXIDE_SIM_SEED", "nine", "DUROXIDE_SIM_SEED=nine is not a number"),
        ("DUROXIDE_SIM_PLAN", "no-such-plan.json", "no-such-plan.json: No such file"),
        ("DUROXIDE_SIM_SHRINK", "much", "DUROXIDE_SIM_SHRINK=much is not a number"),
        ("DUROXIDE_SIM_SHRINK", "9", "DUROXIDE_SIM_SHRINK is set alone"),
    ] {
        let (passed, told) = run(name, value);
        assert!(!passed && told.contains(named), "{told}");
    }
    let (passed, told) = run("DUROXIDE_SIM_PLAN", saved_plan("other").to_str().unwrap());
    assert!(
        !passed && told.contains("the simulation `other`, and this one is `replaced`"),
        "{told}"
    );
    let plan = saved_plan("replaced");
    let (passed, told) = run("DUROXIDE_SIM_PLAN", plan.to_str().unwrap());
    assert!(passed && told.contains("ran [(7, "), "{told}");
    let again = run("DUROXIDE_SIM_PLAN", plan.to_str().unwrap()).1;
    let hash =
        |told: &str| told.split("ran [").nth(1).map(|rest| rest.lines().next().map(str::to_owned));
    assert_eq!(hash(&told), hash(&again));
}

/// The plan of a seed that fails, under this name: that of the range above, where it passes.
fn saved_plan(name: &str) -> PathBuf {
    let told = simulate(registry)
        .named(name)
        .start("Transfer", pay("ben"))
        .completes_with(Outcome::Undone)
        .seeds(7..8)
        .outcomes()
        .unwrap_err();
    let file = format!("target/sim/{name}-7.json");
    assert!(told.contains(&file), "{told}");
    PathBuf::from(file).canonicalize().unwrap()
}

#[test]
fn what_would_check_nothing_is_refused() {
    let nothing = simulate(registry).seeds(1..3).outcomes().unwrap_err();
    assert!(nothing.contains("nothing is started"), "{nothing}");
    let (first, end) = (5, 1);
    let reversed = simulate(registry).start("Transfer", pay("ben")).seeds(first..end).outcomes();
    assert!(reversed.unwrap_err().contains("5..1 is no seed"));
}

#[test]
fn what_the_readme_shows_is_a_test_of_this_file() {
    let readme = include_str!("../../README.md");
    let shown = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(include_str!("simulated.rs").contains(shown), "{shown}");
}
