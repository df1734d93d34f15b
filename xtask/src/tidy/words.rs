//! Words that mean unfinished work or a test that does not run.

use super::Finding;
use super::source::SourceFile;

/// In Rust code.
const CODE: [&str; 4] = ["todo!", "unimplemented!", "dbg!", "#[ignore"];
/// In comments of any language.
const COMMENTS: [&str; 3] = ["TODO", "FIXME", "XXX"];
/// In the path of a Node test.
const NODE_TEST_PATHS: [&str; 3] = ["/test/", ".test.", "/package-test"];
/// In Node tests.
const NODE_TESTS: [&str; 5] = [".skip(", ".todo(", ".only(", "skip: true", "todo: true"];

/// The rule.
pub(crate) fn check(file: &SourceFile) -> Vec<Finding> {
    if file.is_npm_lock() {
        return Vec::new();
    }
    let mut findings = find(file, &file.comments, &COMMENTS);
    if file.is_rust() {
        findings.extend(find(file, &file.code, &CODE));
    } else if NODE_TEST_PATHS.iter().any(|part| file.path.contains(part)) {
        findings.extend(find(file, &file.text, &NODE_TESTS));
    }
    findings
}

fn find(file: &SourceFile, view: &str, words: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in view.lines().enumerate() {
        for word in words.iter().filter(|word| line.contains(**word)) {
            findings.push(Finding::at_line(file, index + 1, format!("`{word}` has no place here")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&SourceFile::new(path, text)).len()
    }

    #[test]
    fn unfinished_rust_is_found() {
        for word in CODE {
            assert_eq!(found("a.rs", word), 1, "{word}");
        }
        for word in COMMENTS {
            assert_eq!(found("a.rs", &format!("// {word}: later")), 1, "{word}");
            assert_eq!(found("a.ts", &format!("// {word}: later")), 1, "{word}");
        }
    }

    #[test]
    fn words_inside_literals_are_not_work() {
        assert_eq!(found("a.rs", "let words = [\"todo!\", \"FIXME\"];"), 0);
    }

    #[test]
    fn a_node_test_that_does_not_run_is_found() {
        for word in NODE_TESTS {
            assert_eq!(found("bindings/node/test/a.test.ts", &format!("it{word}")), 1, "{word}");
        }
        assert_eq!(found("bindings/node/src/iterator.ts", "lines.skip(1)"), 0);
    }
}
