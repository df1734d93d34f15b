//! Every Rust file opens with `//!`: what it is, what it is not.

use super::Finding;
use super::source::SourceFile;

/// The rule.
pub(crate) fn check(file: &SourceFile) -> Option<Finding> {
    let opens = file.text.starts_with("//! ");
    (file.is_rust() && !opens)
        .then(|| Finding::at_line(file, 1, "opens without `//!`: say what the file is and is not"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_opening_is_found() {
        assert!(check(&SourceFile::new("a.rs", "use std::fmt;\n")).is_some());
        assert!(check(&SourceFile::new("a.rs", "// plain\n")).is_some());
        assert!(check(&SourceFile::new("a.rs", "//! A room.\nuse std::fmt;\n")).is_none());
    }
}
