//! Time, randomness, tasks and hash order come through Env in the engine, the providers
//! and the simulation. Clippy says the same about resolved paths; this rule also sees
//! macros, and code that the build in hand leaves out.

use super::Finding;
use super::source::SourceFile;

/// Folders the rule is about.
const ROOMS: [&str; 3] = ["engine/", "providers/", "sim/"];
/// Text that goes around Env.
const BANNED: [&str; 13] = [
    "SystemTime::now",
    "Instant::now",
    "thread::spawn",
    "thread::sleep",
    "thread::Builder",
    "tokio::spawn",
    "task::spawn",
    "spawn_blocking(",
    "tokio::time::",
    "rand::rng",
    "HashMap",
    "HashSet",
    "sync::watch",
];
/// A function or a file that implements Env says so to clippy, with its reason.
const PERMIT: &str = "clippy::disallowed_";

/// The rule.
pub(crate) fn check(file: &SourceFile) -> Vec<Finding> {
    let in_room = ROOMS.iter().any(|room| file.path.starts_with(room));
    if !file.is_rust() || !in_room {
        return Vec::new();
    }
    let mut findings = unbiased_selects(file);
    if file.code.contains(PERMIT) {
        return findings;
    }
    for (index, line) in file.code.lines().enumerate() {
        for banned in BANNED.iter().filter(|banned| line.contains(**banned)) {
            findings.push(Finding::at_line(file, index + 1, format!("`{banned}`: use Env")));
        }
    }
    findings
}

/// `select! {` whose first word is not `biased`.
fn unbiased_selects(file: &SourceFile) -> Vec<Finding> {
    file.code
        .match_indices("select!")
        .filter(|(at, name)| {
            let body = file.code[at + name.len()..].trim_start().strip_prefix('{');
            body.is_some_and(|body| !body.trim_start().starts_with("biased"))
        })
        .map(|(at, _)| {
            let line = file.code[..at].matches('\n').count() + 1;
            Finding::at_line(file, line, "`select!` without `biased` polls in random order")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&SourceFile::new(path, text)).len()
    }

    #[test]
    fn each_way_around_env_is_found_in_each_room() {
        for banned in BANNED {
            for room in ROOMS {
                assert!(found(&format!("{room}a.rs"), &format!("{banned};")) > 0, "{banned}");
            }
            assert_eq!(found("tests/a.rs", &format!("{banned};")), 0);
        }
    }

    #[test]
    fn a_select_in_random_order_is_found() {
        assert_eq!(found("sim/a.rs", "tokio::select! {\n    a = b => {}\n}"), 1);
        assert_eq!(found("sim/a.rs", "tokio::select! {\n    biased;\n    a = b => {}\n}"), 0);
    }

    #[test]
    fn an_implementation_of_env_is_permitted() {
        let text =
            "#[expect(clippy::disallowed_methods, reason = \"this is Env\")]\nInstant::now();";
        assert_eq!(found("engine/a.rs", text), 0);
    }

    #[test]
    fn prose_is_not_code() {
        assert_eq!(found("engine/a.rs", "// never Instant::now\n"), 0);
    }
}
