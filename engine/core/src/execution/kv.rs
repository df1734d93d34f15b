//! The key-value pairs of an instance, as its execution sees them: what it inherited
//! and its own writes, readable at once.

use super::{Execution, KvEntry};
use crate::validate::without_nul;
use crate::{EventKind, Failure, FailureKind, Refused, TimeMs};
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct KeyValues(BTreeMap<String, Slot>);

#[derive(Debug)]
struct Slot {
    value: String,
    updated_at: TimeMs,
    /// The activation that wrote it; 0 if inherited.
    activation: u64,
}

impl KeyValues {
    pub(super) fn new(entries: Vec<KvEntry>) -> Self {
        let slot =
            |e: KvEntry| (e.key, Slot { value: e.value, updated_at: e.updated_at, activation: 0 });
        Self(entries.into_iter().map(slot).collect())
    }

    pub(super) fn set(&mut self, key: &str, value: &str, updated_at: TimeMs, activation: u64) {
        let slot = Slot { value: value.to_owned(), updated_at, activation };
        self.0.insert(key.to_owned(), slot);
    }

    pub(super) fn clear(&mut self, key: Option<&str>) {
        match key {
            Some(key) => {
                self.0.remove(key);
            }
            None => self.0.clear(),
        }
    }

    /// Keys last written at or before a time, except by this activation.
    fn stale(&self, before: TimeMs, activation: u64) -> Vec<String> {
        let stale = |slot: &Slot| slot.updated_at <= before && slot.activation != activation;
        self.0.iter().filter(|(_, slot)| stale(slot)).map(|(key, _)| key.clone()).collect()
    }

    pub(super) fn entries(&self) -> Vec<KvEntry> {
        let entry = |(key, slot): (&String, &Slot)| KvEntry {
            key: key.clone(),
            value: slot.value.clone(),
            updated_at: slot.updated_at,
        };
        self.0.iter().map(entry).collect()
    }
}

impl Execution {
    /// Set a key. Read-your-writes; durable with the turn.
    pub fn kv_set(&mut self, key: &str, value: &str) -> Result<(), Refused> {
        let limits = &self.limits;
        within("the key of setValue", key.len(), limits.kv_key_bytes)?;
        without_nul("key of setValue", key).map_err(Refused::Failed)?;
        within(&format!("the value of setValue(`{key}`)"), value.len(), limits.kv_value_bytes)?;
        if !self.kv.0.contains_key(key) && self.kv.0.len() >= limits.kv_keys {
            return Err(limit(format!(
                "setValue(`{key}`): an instance holds at most {} keys",
                limits.kv_keys
            )));
        }
        self.record(EventKind::KeyValueSet { key: key.to_owned(), value: value.to_owned() })?;
        Ok(())
    }

    /// Remove a key, or (with `None`) every key.
    pub fn kv_clear(&mut self, key: Option<&str>) -> Result<(), Refused> {
        self.record(EventKind::KeyValueCleared { key: key.map(str::to_owned) })?;
        Ok(())
    }

    /// Remove the keys last written at or before `before`, except those that this
    /// activation wrote. Gives how many.
    pub fn kv_prune(&mut self, before: TimeMs) -> Result<usize, Refused> {
        let keys = self.kv.stale(before, self.activations);
        let count = keys.len();
        self.record(EventKind::KeyValuePruned { before, keys })?;
        Ok(count)
    }

    /// The value of a key. Counts as a yield that resolves at once.
    pub fn kv_get(&mut self, key: &str) -> Result<Option<String>, Refused> {
        self.count_instant()?;
        Ok(self.kv.0.get(key).map(|slot| slot.value.clone()))
    }

    /// All pairs, by key. Counts as a yield that resolves at once.
    pub fn kv_all(&mut self) -> Result<Vec<(String, String)>, Refused> {
        self.count_instant()?;
        Ok(self.kv.0.iter().map(|(key, slot)| (key.clone(), slot.value.clone())).collect())
    }
}

fn within(what: &str, bytes: usize, max: usize) -> Result<(), Refused> {
    if bytes <= max {
        return Ok(());
    }
    Err(limit(format!("{what} has {bytes} bytes, at most {max} are allowed")))
}

fn limit(message: String) -> Refused {
    Refused::Failed(Failure::new(FailureKind::Limit, message))
}
