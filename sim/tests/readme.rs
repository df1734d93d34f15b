//! README names every oracle and every workload, and no others; and each plan that is kept
//! says what it showed. Not here: whether what they say is true.

#![expect(clippy::unwrap_used, reason = "helpers of tests are outside of them")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What comes before the name of an oracle that says what is wrong.
const SAYS: [&str; 2] = ["Wrong::of(", "wrong("];

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The words of the first cells of a part of README, which stand in backticks.
fn named(heading: &str) -> BTreeSet<String> {
    let readme = read("README.md");
    rows(readme.split("\n## ").find(|part| part.starts_with(heading)).unwrap())
}

fn rows(part: &str) -> BTreeSet<String> {
    let cells = part.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    cells.flat_map(|cell| cell.trim_end_matches('`').split("`, `")).map(str::to_owned).collect()
}

/// The names under which this source says that something is wrong.
fn oracles_of(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let said = SAYS.iter().flat_map(|says| code.split(says).skip(1));
    let first = said.filter_map(|rest| rest.trim_start().split([',', ')']).next());
    let name = |first: &str| {
        if let Some(literal) = first.strip_prefix('"') {
            return Some(literal.trim_end_matches('"').to_owned());
        }
        let (_, after) = code.split_once(&format!("const {first}: &str = \""))?;
        after.split('"').next().map(str::to_owned)
    };
    first.filter_map(name).collect()
}

#[test]
fn every_oracle_is_named() {
    let sources = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let rust = |path: &&PathBuf| {
        path.extension().is_some_and(|it| it == "rs") && !path.ends_with("tests.rs")
    };
    let found = sources.iter().filter(rust).flat_map(|path| oracles_of(&read(path)));
    let mut found: BTreeSet<String> = found.collect();
    // An error that nobody expected becomes one where it is made.
    found.insert("error".to_owned());
    assert!(found.len() > 30, "{found:?}");
    assert_eq!(named("What is checked"), found);
}

#[test]
fn every_workload_is_named() {
    let found = duroxide_sim::all().iter().map(|workload| workload.name().to_owned()).collect();
    assert_eq!(named("What runs"), found);
}

#[test]
fn every_plan_that_is_kept_says_what_it_showed() {
    let kept = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions"));
    let plans = kept.iter().filter(|path| path.extension().is_some_and(|it| it == "json"));
    let found = plans.map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
    assert_eq!(rows(&read("regressions/README.md")), found.collect());
}

#[test]
fn a_name_is_found_as_text_or_constant_and_not_in_tests() {
    let source = "const NAME: &str = \"chain\";\nreturn wrong(NAME, key, it);\n\
        Err(Wrong::of(\n\"counts\", it))\n#[cfg(test)]\nmod tests {\nWrong::of(\"none\", it)}";
    assert_eq!(oracles_of(source), ["counts", "chain"]);
}
