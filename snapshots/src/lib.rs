//! Snapshot-reviewed histories.
