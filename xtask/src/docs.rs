//! `cargo xtask docs`: the API reference, written anew from the types by the npm package's script;
//! and the check that what is checked in is what the script writes. Not here: the pages that
//! people write.

use crate::runner::{Failure, Runner};
use crate::{node, tools};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Where the script writes, among the pages.
const DOCS: &str = "docs";

/// Path and text of each page.
type Pages = BTreeMap<String, Vec<u8>>;

/// Write the reference.
pub(crate) fn run(runner: &mut Runner) -> Result<(), Failure> {
    tools::require_node(runner)?;
    node::install(runner)?;
    let script = node::npm(&node::package_dir(runner), &["run", "docs"]);
    runner.run("write the API reference", script)
}

/// Write it, and fail if that changed a page.
pub(crate) fn check(runner: &mut Runner) -> Result<(), Failure> {
    const STEP: &str = "the API reference is current";
    let docs = runner.root().join(DOCS);
    let before = pages(&docs)?;
    run(runner)?;
    let after = pages(&docs)?;
    runner.step(STEP, |_| {
        let changed = changed(&before, &after);
        if changed.is_empty() {
            return Ok(());
        }
        let what = format!(
            "what is checked in was not what the types say; written anew: {}",
            changed.join(", ")
        );
        Err(Failure::Check { step: STEP.into(), what })
    })
}

/// Every file in a folder and below.
fn pages(folder: &Path) -> Result<Pages, Failure> {
    let mut pages = Pages::new();
    let io = |error| Failure::io(folder.display().to_string(), error);
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.is_dir() {
            pages.extend(self::pages(&path)?);
        } else {
            pages.insert(path.display().to_string(), fs::read(&path).map_err(io)?);
        }
    }
    Ok(pages)
}

/// Pages that are new, gone or different.
fn changed(before: &Pages, after: &Pages) -> Vec<String> {
    let all: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    all.into_iter().filter(|page| before.get(*page) != after.get(*page)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(texts: &[(&str, &str)]) -> Pages {
        texts.iter().map(|(page, text)| ((*page).into(), (*text).into())).collect()
    }

    #[test]
    fn a_page_that_is_new_gone_or_different_is_named() {
        let before = pages(&[("same", "a"), ("gone", "b"), ("different", "c")]);
        let after = pages(&[("same", "a"), ("different", "d"), ("new", "e")]);
        assert_eq!(changed(&before, &after), ["different", "gone", "new"]);
        assert!(changed(&after, &after).is_empty());
    }

    #[test]
    fn pages_in_folders_are_read() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let pages = super::pages(&source).expect("readable");
        assert!(pages.keys().any(|page| page.ends_with("tidy/mod.rs")));
    }
}
