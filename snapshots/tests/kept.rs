//! What is kept, snapshots and corpus, is read back, is what is recorded today, and replays.

use duroxide_scenarios::by_hand::play;
use duroxide_scenarios::{all, no_effects};
use duroxide_sdk::Registry;
use duroxide_sdk::testing::replay_instance;
use duroxide_snapshots::corpus::{self, Entry};
use duroxide_snapshots::{cases, parse, text};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots")
}

/// A snapshot's text, without what insta writes above it.
fn snapshot(name: &str) -> String {
    let file = fs::read_to_string(folder().join(format!("{name}.snap"))).expect(name);
    let (_, below) = file.split_once("---\n").expect(name);
    let (_, body) = below.split_once("---\n").expect(name);
    body.to_owned()
}

fn replays(what: &str, id: &str, executions: &[Vec<duroxide_core::Event>], registry: &Registry) {
    match replay_instance(id, executions, registry) {
        Ok(found) => {
            assert_eq!(found.len(), executions.len());
            for execution in found {
                assert_eq!(execution.remarks, [], "{what}, {id}: another input");
            }
        }
        Err(error) => panic!("{what}, instance {id}: {error}"),
    }
}

#[test]
fn every_snapshot_is_read_back_to_the_events_it_was_rendered_from_and_replays() {
    for case in cases().expect("they register") {
        let kept = snapshot(case.name);
        let read = parse(&kept).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert_eq!(text(&read), kept, "{}", case.name);
        for recording in &read {
            replays(case.name, &recording.instance, &recording.executions, &case.registry);
        }
        assert_eq!(read, case.recordings, "{}", case.name);
    }
}

#[test]
fn there_is_one_snapshot_of_everything_that_is_played() {
    let cases: BTreeSet<String> =
        cases().expect("they register").iter().map(|case| format!("{}.snap", case.name)).collect();
    let files = fs::read_dir(folder()).expect("there are snapshots");
    let files: BTreeSet<String> = files
        .map(|file| file.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "snap"))
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    assert_eq!(files, cases);
}

#[test]
fn every_recorded_history_replays() {
    let scenarios = all();
    let mut instances = 0;
    for (path, entry) in corpus::read(&corpus::folder()).expect("the corpus can be read") {
        let Entry { scenario: name, .. } = &entry;
        assert!(path.ends_with(entry.file_name()), "{} says {name}", path.display());
        let scenario = scenarios.iter().find(|scenario| scenario.name == name);
        let scenario = scenario.unwrap_or_else(|| panic!("scenario {name} has gone: keep it"));
        let registry = (scenario.registry)(&no_effects()).expect("it registers");
        for instance in &entry.instances {
            replays(&entry.file_name(), &instance.id, &instance.executions, &registry);
            instances += 1;
        }
    }
    assert!(instances > scenarios.len(), "only {instances} instances were found");
}

#[test]
fn every_scenario_is_in_the_corpus_of_this_build() {
    let kept = corpus::read(&corpus::folder()).expect("the corpus can be read");
    for scenario in all() {
        let recordings = play(&scenario).expect("it registers").recordings();
        let name = Entry::new(scenario.name, recordings).file_name();
        assert!(
            kept.iter().any(|(path, _)| path.ends_with(&name)),
            "{name} is missing: cargo run -p duroxide-snapshots --example record"
        );
    }
}

#[test]
fn no_recorded_history_was_edited_or_removed() {
    let folder = corpus::folder();
    let list = fs::read_to_string(folder.join(corpus::SUMS)).expect("there is a list of them");
    let mut listed: Vec<_> = list.lines().collect();
    let found = corpus::sums(&folder).expect("the corpus can be read");
    let mut found: Vec<_> = found.iter().map(String::as_str).collect();
    listed.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, listed, "compared with the list in {}", corpus::SUMS);
}

#[test]
fn recording_again_leaves_what_is_there_as_it_is() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("corpus");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for the test");
    let written = corpus::record_missing(&folder).expect("it records");
    assert_eq!(written.len(), all().len());
    let entries = corpus::read(&folder).expect("what was written can be read");
    for (scenario, written) in all().iter().zip(&written) {
        let recordings = play(scenario).expect("it registers").recordings();
        let (_, entry) = entries.iter().find(|(path, _)| path == written).expect("it was read");
        assert_eq!(*entry, Entry::new(scenario.name, recordings));
    }
    fs::write(&written[0], "edited").expect("it can be written");
    fs::remove_file(&written[1]).expect("it can be removed");
    assert_eq!(corpus::record_missing(&folder).expect("it records"), [written[1].clone()]);
    assert_eq!(fs::read_to_string(&written[0]).expect("it is there"), "edited");
    let list = fs::read_to_string(folder.join(corpus::SUMS)).expect("there is a list");
    let found = corpus::sums(&folder).expect("it can be read");
    let told: Vec<_> = found.iter().filter(|line| !list.contains(line.as_str())).collect();
    assert_eq!(told.len(), 1, "what was edited: {told:?}");
}
