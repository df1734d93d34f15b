//! Every workload runs and tells what a suite needs. Not here: how fast.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

const CLOSED: [&str; 8] = ["hello", "seq", "fanout", "stagger", "event", "timer", "subs", "can"];

/// One measurement of a few ms, in memory: what it printed last.
fn one(workload: &str, count: u64) -> serde_json::Value {
    let mut process = Command::new(env!("CARGO_BIN_EXE_duroxide-bench"))
        .args(["one", workload, "--store", "memory", "--at-once", "2", "--ms", "40"])
        .args(["--count", &count.to_string(), "--folder", env!("CARGO_TARGET_TMPDIR")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready", "{workload}");
    writeln!(stdin, "go").unwrap();
    let told = lines.next().unwrap().unwrap();
    drop(stdin);
    assert!(process.wait().unwrap().success(), "{workload}");
    serde_json::from_str(&told).unwrap()
}

#[test]
fn a_closed_loop_completes_workflows_and_counts_their_steps() {
    for (workload, steps) in CLOSED.into_iter().zip([1, 20, 100, 100, 1, 1, 10, 50]) {
        let told = one(workload, 0);
        let workflows = told["workflows"].as_u64().unwrap();
        assert!(workflows > 0, "{workload}: {told}");
        assert_eq!(told["steps"].as_u64(), Some(workflows * steps), "{workload}: {told}");
        assert!(told["p50_ms"].as_f64() <= told["p99_ms"].as_f64(), "{workload}: {told}");
    }
}

#[test]
fn what_is_filled_is_drained() {
    assert_eq!(one("backlog", 30)["workflows"], 30);
    let told = one("longhist", 60);
    assert_eq!((&told["workflows"], &told["steps"]), (&1.into(), &60.into()));
    assert!(told["growth"].as_f64() > Some(0.0), "{told}");
    assert_eq!(one("idle", 30)["workflows"], 0);
}
