//! npm's lock files carry no download addresses, so that any registry can serve them.

use super::Finding;
use super::source::SourceFile;

/// The rule.
pub(crate) fn check(file: &SourceFile) -> Option<Finding> {
    if !file.is_npm_lock() {
        return None;
    }
    let line =
        file.text.lines().position(|line| line.trim_start().starts_with("\"resolved\": \"http"))?;
    Some(Finding::at_line(
        file,
        line + 1,
        "a download address: set `omit-lockfile-registry-resolved=true` in .npmrc",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_address_is_found() {
        let lock = "{\n  \"resolved\": \"https://registry.npmjs.org/a.tgz\",\n}";
        assert!(check(&SourceFile::new("bindings/node/package-lock.json", lock)).is_some());
        assert!(check(&SourceFile::new("bindings/node/package-lock.json", "{}")).is_none());
    }
}
