//! What a measurement gives, and why one could not be made.

use serde::{Deserialize, Serialize};
use std::path::Path;

/// What the measured process says of itself.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Inside {
    /// Workflows that completed.
    pub(crate) workflows: u64,
    /// Durable steps in them: activities, timers, children, executions.
    pub(crate) steps: u64,
    pub(crate) seconds: f64,
    /// Of one workflow; of one event, step or timer where the workload is about that.
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Group commits of the store, if it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) commits: Option<u64>,
    /// Median of the last tenth over that of the first, where a history grows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) growth: Option<f64>,
}

/// What was seen of the process while it measured.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Outside {
    /// Flushes of the disk's cache, counted by the kernel, of the whole machine.
    pub(crate) flushes: u64,
    pub(crate) cpu_seconds: f64,
    /// That the process caused to be sent to the disk.
    pub(crate) written_bytes: u64,
    pub(crate) peak_rss_mb: f64,
}

/// One line of a suite.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) workload: String,
    /// `rust` or `node`.
    pub(crate) host: String,
    pub(crate) store: String,
    pub(crate) at_once: usize,
    #[serde(flatten)]
    pub(crate) inside: Inside,
    #[serde(flatten)]
    pub(crate) outside: Outside,
    pub(crate) workflows_per_s: f64,
    pub(crate) steps_per_s: f64,
    pub(crate) flushes_per_step: f64,
    pub(crate) written_per_step: f64,
    pub(crate) cpu_us_per_step: f64,
    /// Steps a second as a share of the floor's commits a second, one at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) floor_share: Option<f64>,
}

/// What the machine can do without us, measured between the workloads.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Floor {
    /// Overwriting a page of a file and waiting for it to be on the disk.
    pub(crate) syncs_per_s: f64,
    pub(crate) sync_p50_ms: f64,
    /// One row each, one after the other, `synchronous=FULL`.
    pub(crate) sqlite_commits_per_s: f64,
    /// Fifty rows to a commit.
    pub(crate) sqlite_rows_per_s: f64,
    /// One row each, one client; none without a server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) postgres_commits_per_s: Option<f64>,
    /// The same from ten clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) postgres_commits_of_ten_per_s: Option<f64>,
}

/// The first line of a suite: where it ran.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    pub(crate) file_system: String,
    pub(crate) node: Option<String>,
    pub(crate) sqlite: String,
    /// As SQLite reads them back, of a store with full durability.
    pub(crate) pragmas: Vec<(String, String)>,
    pub(crate) floor: Floor,
}

/// Why something could not be measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Said(String),
    #[error("{what}: {error}")]
    Io { what: String, error: std::io::Error },
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("PostgreSQL: {0}")]
    Postgres(#[from] sqlx::Error),
    #[error("the cluster: {0}")]
    Cluster(#[from] duroxide_postgres_cluster::ClusterError),
    #[error("the store: {0}")]
    Store(#[from] duroxide::provider::ProviderError),
    #[error("the client: {0}")]
    Client(#[from] duroxide::runtime::ClientError),
    #[error("the registry: {0}")]
    Registry(#[from] duroxide::sdk::RegistryError),
    #[error("JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl Failure {
    pub(crate) fn said(what: impl Into<String>) -> Self {
        Self::Said(what.into())
    }

    /// For `map_err`, with the file's name.
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let what = path.display().to_string();
        move |error| Self::Io { what, error }
    }
}

/// The value below which this share of the values lies; they are put in order.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let place = (last as f64 * share).round() as usize;
    values.get(place).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_values_in_order() {
        let mut values: Vec<_> = (0..=100).rev().map(f64::from).collect();
        assert!((percentile(&mut values, 0.5) - 50.0).abs() < f64::EPSILON);
        assert!((percentile(&mut values, 0.99) - 99.0).abs() < f64::EPSILON);
        assert!(percentile(&mut [], 0.5).abs() < f64::EPSILON);
    }
}
