//! How long files are. The core's limits are tighter: it must be readable in one sitting.

use super::Finding;
use super::source::SourceFile;

/// Any file of ours.
const FILE_LINES: usize = 600;
/// A file of the core.
const CORE_FILE_LINES: usize = 300;
/// The core in all, in lines that are more than comments and white space. The aim is 2 500;
/// this only keeps it from growing.
pub(crate) const CORE_LINES: usize = 3270;

/// The rule on one file.
pub(crate) fn check(file: &SourceFile) -> Option<Finding> {
    let limit = if in_core(file) { CORE_FILE_LINES } else { FILE_LINES };
    let lines = file.lines();
    (!is_generated(file) && lines > limit).then(|| {
        Finding::at(
            &file.path,
            format!("{lines} lines, at most {limit}: split it by responsibility"),
        )
    })
}

/// The rule on the core.
pub(crate) fn check_core(files: &[SourceFile]) -> Option<Finding> {
    let lines = core_code_lines(files);
    (lines > CORE_LINES).then(|| {
        let what = format!("{lines} lines of code in all, at most {CORE_LINES}");
        Finding::at("engine/core/src", what)
    })
}

/// Lines of the core in all.
pub(crate) fn core_lines(files: &[SourceFile]) -> usize {
    files.iter().filter(|file| in_core(file)).map(SourceFile::lines).sum()
}

/// Lines of the core that are more than comments and white space.
pub(crate) fn core_code_lines(files: &[SourceFile]) -> usize {
    let code = files.iter().filter(|file| in_core(file)).map(|file| &file.code);
    code.flat_map(|code| code.lines()).filter(|line| !line.trim().is_empty()).count()
}

/// npm's lock files, and the API reference: whatever length they have.
fn is_generated(file: &SourceFile) -> bool {
    file.is_npm_lock() || file.path.starts_with("docs/api/")
}

fn in_core(file: &SourceFile) -> bool {
    file.path.starts_with("engine/core/src/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, lines: usize) -> SourceFile {
        SourceFile::new(path, "x\n".repeat(lines))
    }

    #[test]
    fn a_long_file_is_found() {
        assert!(check(&file("sim/src/a.rs", 601)).is_some());
        assert!(check(&file("bindings/node/src/a.ts", 601)).is_some());
        assert!(check(&file("sim/src/a.rs", 600)).is_none());
        assert!(check(&file("docs/client.md", 601)).is_some());
        assert!(check(&file("docs/api/client.md", 601)).is_none());
        assert!(check(&file("bindings/node/package-lock.json", 601)).is_none());
    }

    #[test]
    fn a_long_core_file_is_found_sooner() {
        assert!(check(&file("engine/core/src/a.rs", 301)).is_some());
        assert!(check(&file("engine/core/tests/a.rs", 301)).is_none());
    }

    #[test]
    fn a_core_that_grew_too_large_is_found() {
        let mut files = vec![file("engine/core/src/a.rs", CORE_LINES)];
        assert!(check_core(&files).is_none());
        files.push(file("engine/core/src/more.rs", 1));
        assert!(check_core(&files).is_some());
    }
}
