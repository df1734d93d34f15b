//! How a store is named and opened. Not here: opening it (`connection`).

use crate::error::{Result, StoreError};
use crate::storage::{Storage, SystemStorage};
use duroxide_core::Limits;
use duroxide_provider::env::BoxFuture;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What an acknowledged commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// A power cut (`synchronous=FULL`): every commit is on the disk before it is acknowledged.
    #[default]
    Full,
    /// The death of the process, not a power cut (`synchronous=NORMAL`). Faster.
    Process,
}

/// Called by the writer before each batch; what it awaits is the batch's latency.
pub type BeforeCommit = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// How to open a store.
#[derive(Clone)]
pub struct SqliteOptions {
    /// `sqlite:FILE`, `FILE` or `:memory:`, with an optional `?mode=rwc|rw|ro|memory`.
    pub path: String,
    /// What an acknowledged commit survives.
    pub durability: Durability,
    /// The limits that the store holds.
    pub limits: Limits,
    /// A hook of simulations, so that batching varies with the seed.
    pub before_commit: Option<BeforeCommit>,
    /// The disk that the path is on.
    pub storage: Arc<dyn Storage>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            path: String::new(),
            durability: Durability::default(),
            limits: Limits::default(),
            before_commit: None,
            storage: Arc::new(SystemStorage),
        }
    }
}

impl SqliteOptions {
    /// The defaults, for this path.
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), ..Self::default() }
    }
}

impl fmt::Debug for SqliteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteOptions")
            .field("path", &shown(&self.path))
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}

/// Where a store lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// In this process only.
    Memory,
    /// In a file.
    File { path: PathBuf, mode: Mode },
}

/// What may be done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Create,
    Write,
    Read,
}

impl Location {
    /// Whether it is only to be read.
    pub(crate) fn is_read_only(&self) -> bool {
        matches!(self, Self::File { mode: Mode::Read, .. })
    }

    /// Parse what a user wrote.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let rest = text.strip_prefix("sqlite:").unwrap_or(text);
        let rest = rest.strip_prefix("//").filter(|_| rest.len() < text.len()).unwrap_or(rest);
        if let Some((scheme, _)) = rest.split_once("://") {
            let expected = "expected `sqlite:FILE` or `FILE`";
            return Err(StoreError::Unusable(format!("`{scheme}:` is no SQLite file; {expected}")));
        }
        let (file, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mode = parse_query(text, query)?;
        if file == ":memory:" || mode == Some("memory") {
            return Ok(Self::Memory);
        }
        if file.is_empty() {
            return Err(StoreError::Unusable(format!("`{text}` names no file")));
        }
        let mode = match mode {
            None | Some("rwc") => Mode::Create,
            Some("rw") => Mode::Write,
            Some("ro") => Mode::Read,
            Some(other) => {
                return Err(StoreError::Unusable(format!(
                    "`{text}`: unknown mode `{other}`; one of rwc, rw, ro, memory"
                )));
            }
        };
        Ok(Self::File { path: PathBuf::from(file), mode })
    }
}

/// What a user wrote, as it may be shown: another store's address may hold a password.
pub(crate) fn shown(text: &str) -> String {
    match text.strip_prefix("sqlite:").unwrap_or(text).split_once("://") {
        Some((scheme, _)) => format!("{scheme}://…"),
        None => text.to_owned(),
    }
}

fn parse_query<'a>(text: &str, query: &'a str) -> Result<Option<&'a str>> {
    let mut mode = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("mode", value)) => mode = Some(value),
            _ => {
                return Err(StoreError::Unusable(format!(
                    "`{text}`: unknown parameter `{pair}`; only mode=rwc|rw|ro|memory is known"
                )));
            }
        }
    }
    Ok(mode)
}

/// A file beside the database: `<db>-<suffix>`.
pub(crate) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-");
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, mode: Mode) -> Location {
        Location::File { path: PathBuf::from(path), mode }
    }

    #[test]
    fn every_way_to_write_a_path_is_understood() {
        for (text, location) in [
            ("app.db", file("app.db", Mode::Create)),
            ("sqlite:app.db", file("app.db", Mode::Create)),
            ("sqlite://app.db", file("app.db", Mode::Create)),
            ("sqlite:/var/app.db", file("/var/app.db", Mode::Create)),
            ("sqlite:///var/app.db?mode=rw", file("/var/app.db", Mode::Write)),
            ("app.db?mode=ro", file("app.db", Mode::Read)),
            (":memory:", Location::Memory),
            ("sqlite::memory:", Location::Memory),
            ("sqlite:app.db?mode=memory", Location::Memory),
        ] {
            assert_eq!(Location::parse(text), Ok(location), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (text, named) in [
            ("a.db?mode=x", "`x`"),
            ("a.db?cache=shared", "`cache=shared`"),
            ("sqlite:", "file"),
            ("postgres://u:secret@h/d", "`postgres:`"),
        ] {
            let error = Location::parse(text).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
