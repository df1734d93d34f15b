//! What is checked: prints the groups with their titles and checks, as JSON. Not here: any
//! store.

#![expect(clippy::print_stdout, reason = "a program that prints")]

use duroxide_conformance::{checks, groups};
use serde_json::json;

fn main() {
    let checks = checks();
    let groups = groups().iter().map(|group| {
        let of_it = checks.iter().filter(|check| check.group == group.name);
        let names: Vec<_> = of_it.map(|check| check.name).collect();
        json!({ "name": group.name, "title": group.title, "checks": names })
    });
    println!("{:#}", json!(groups.collect::<Vec<_>>()));
}
