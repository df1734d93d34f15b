//! `cargo xtask tidy`: what no compiler checks. The arrows between crates, and rules on
//! the text of files. A rule that cannot fire is worth nothing: each has a test on a bad
//! sample beside it.

mod arrows;
mod env_bans;
mod functions;
mod locks;
mod openings;
mod readme;
mod simulation;
mod sizes;
mod source;
mod sql;
mod words;

use crate::runner::{Failure, Runner};
use source::SourceFile;
use std::fmt;
use std::path::Path;

/// One thing that is not tidy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// File with line, or crate.
    place: String,
    /// What is wrong and what would be right.
    what: String,
}

impl Finding {
    fn at_line(file: &SourceFile, line: usize, what: impl Into<String>) -> Self {
        Self { place: format!("{}:{line}", file.path), what: what.into() }
    }

    fn at(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Every rule; prints each finding and fails if there is one.
pub(crate) fn run(runner: &mut Runner) -> Result<(), Failure> {
    let root = runner.root().to_path_buf();
    runner.step("tidy", |_| {
        let mut findings = arrows::check(&root)?;
        let files = source::load(&root)?;
        findings.extend(check_files(&files));
        findings.extend(readme::check(&root, &files)?);
        for finding in &findings {
            eprintln!("{finding}");
        }
        report_core(&files);
        if findings.is_empty() {
            return Ok(());
        }
        Err(Failure::Check { step: "tidy".into(), what: format!("{} findings", findings.len()) })
    })
}

fn check_files(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        findings.extend(openings::check(file));
        findings.extend(sizes::check(file));
        findings.extend(functions::check(file));
        findings.extend(words::check(file));
        findings.extend(env_bans::check(file));
        findings.extend(locks::check(file));
        findings.extend(sql::check(file));
    }
    findings.extend(sizes::check_core(files));
    findings.extend(simulation::check(files));
    findings
}

fn report_core(files: &[SourceFile]) {
    let (lines, code) = (sizes::core_lines(files), sizes::core_code_lines(files));
    eprintln!("core: {lines} lines, {code} of {} of code", sizes::CORE_LINES);
}

/// A path in the repository with `/` on every system.
fn relative(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
