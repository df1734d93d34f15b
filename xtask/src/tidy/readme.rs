//! The examples in README are the tested ones, word for word: the JavaScript is the
//! package's minimal example, the Rust is that of the facade's documentation.

use super::Finding;
use super::source::SourceFile;
use crate::runner::Failure;
use std::fs;
use std::path::Path;

const README: &str = "README.md";
const JAVASCRIPT: &str = "bindings/node/examples/minimal/minimal.js";
const RUST: &str = "engine/src/lib.rs";

/// The rule.
pub(crate) fn check(root: &Path, files: &[SourceFile]) -> Result<Vec<Finding>, Failure> {
    let path = root.join(README);
    let readme = fs::read_to_string(&path)
        .map_err(|error| Failure::io(path.display().to_string(), error))?;
    Ok(compare(&readme, files))
}

fn compare(readme: &str, files: &[SourceFile]) -> Vec<Finding> {
    let text = |path: &str| {
        files.iter().find(|file| file.path == path).map_or("", |file| file.text.as_str())
    };
    let examples = [
        ("javascript", JAVASCRIPT, without_heading(text(JAVASCRIPT))),
        ("rust", RUST, documented(text(RUST))),
    ];
    let drifted = examples
        .into_iter()
        .filter(|(language, _, tested)| block(readme, &format!("```{language}\n")) != *tested);
    let finding =
        |language, from| Finding::at(README, format!("its {language} is not that of {from}"));
    drifted.map(|(language, from, _)| finding(language, from)).collect()
}

/// The first block that opens with this fence.
fn block(markdown: &str, fence: &str) -> String {
    let block = markdown.split_once(fence).and_then(|(_, rest)| rest.split_once("```"));
    block.map_or("", |(block, _)| block).to_owned()
}

/// The text without the comments it opens with.
fn without_heading(text: &str) -> String {
    let lines = text.lines().skip_while(|line| line.starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// What a reader sees of the first example in a file's documentation.
fn documented(text: &str) -> String {
    let docs = text.lines().map_while(|line| line.strip_prefix("//!"));
    docs.map(|line| line.strip_prefix(' ').unwrap_or(line))
        .skip_while(|line| *line != "```")
        .skip(1)
        .take_while(|line| *line != "```")
        .filter(|line| !line.starts_with("# ") && *line != "#")
        .flat_map(|line| [line, "\n"])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCS: &str = "//! A room.\n//!\n//! ```\n//! use a;\n//! # hidden();\n//!     b();\n//! ```\n//! More.\n";

    #[test]
    fn an_example_is_taken_as_a_reader_sees_it() {
        assert_eq!(documented(DOCS), "use a;\n    b();\n");
        assert_eq!(without_heading("// An app.\nmain();\n"), "main();\n");
    }

    #[test]
    fn an_example_that_drifted_is_found() {
        let readme = "```javascript\nmain();\n```\n```rust\nuse a;\n    c();\n```\n";
        let files = [SourceFile::new(JAVASCRIPT, "main();\n"), SourceFile::new(RUST, DOCS)];
        let found = compare(readme, &files);
        assert_eq!(found.len(), 1);
        assert!(found[0].what.contains(RUST), "{}", found[0]);
    }
}
