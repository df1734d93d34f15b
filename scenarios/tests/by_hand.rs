//! Every scenario ends as it says, when it is played by hand.

use duroxide_scenarios::{Outcome, all, by_hand};
use serde_json::Value;

#[test]
fn every_scenario_ends_as_it_says() {
    for scenario in all() {
        let played = by_hand::play(&scenario).expect("it registers");
        let expected = match scenario.expected {
            Outcome::Completed(output) => Ok(output),
            Outcome::Failed(message) => Err(message.to_owned()),
        };
        assert_eq!(played.run.output::<Value>(), expected, "{}", scenario.name);
    }
}

#[test]
fn the_names_of_scenarios_are_unique() {
    let mut names: Vec<_> = all().iter().map(|scenario| scenario.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all().len());
}
