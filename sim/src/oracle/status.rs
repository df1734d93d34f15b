//! Oracle "status": how an instance stands never goes back in the eyes of clients, its custom
//! status and its key-value pairs are what its turns wrote last, and the version of the
//! status counts the turns that wrote it.

use super::fact::{Fact, Instance, Oracle, Span, Stored, wrong};
use super::record::Record;
use crate::wrong::Verdict;
use duroxide_core::{Event, EventKind, ExecutionId, TimeMs, TurnNo};
use duroxide_provider::{InstanceInfo, InstanceKey};
use std::collections::{BTreeMap, BTreeSet};

const NAME: &str = "status";

/// What clients were shown.
#[derive(Default)]
pub(crate) struct Status(BTreeMap<InstanceKey, Record<Shown>>);

#[derive(Debug, Clone, PartialEq)]
struct Shown {
    revision: u64,
    version: u64,
    execution: ExecutionId,
    status: Option<String>,
    ended: bool,
}

impl Shown {
    fn of(info: &InstanceInfo) -> Self {
        Self {
            revision: info.revision,
            version: info.custom_status_version,
            execution: info.execution,
            status: info.custom_status.clone(),
            ended: info.state.is_terminal(),
        }
    }

    /// Whether this can follow that.
    fn follows(&self, before: &Self) -> bool {
        self.revision >= before.revision
            && self.version >= before.version
            && self.execution >= before.execution
            && (self.ended || !before.ended)
            && (self.version > before.version || self.status == before.status)
    }
}

impl Oracle for Status {
    fn see(&mut self, fact: &Fact<'_>, span: Span) -> Verdict {
        let Fact::Looked(key, Some(info)) = fact else { return Ok(()) };
        let shown = Shown::of(info);
        let record = self.0.entry((*key).clone()).or_default();
        if let Some(before) = record.before(span.began)
            && !shown.follows(before)
        {
            let problem = format!("a client was shown {shown:?} after {before:?}");
            return wrong(NAME, key, problem);
        }
        if record.last().is_none_or(|last| shown.follows(last) && shown != *last) {
            record.push(span.ended, shown);
        }
        Ok(())
    }

    fn end(&mut self, stored: &Stored<'_>) -> Verdict {
        stored.iter().try_for_each(check)
    }
}

/// What the histories of an instance come to, one after the other.
#[derive(Default)]
struct Written {
    status: Option<String>,
    /// The turns that wrote it.
    turns: BTreeSet<(ExecutionId, TurnNo)>,
    pairs: BTreeMap<String, (String, TimeMs)>,
}

impl Written {
    #[expect(clippy::wildcard_enum_match_arm, reason = "other events write neither")]
    fn take(&mut self, execution: ExecutionId, event: &Event) {
        match &event.kind {
            EventKind::CustomStatusUpdated { status } => {
                self.status.clone_from(status);
                self.turns.insert((execution, event.turn));
            }
            EventKind::KeyValueSet { key, value } => {
                self.pairs.insert(key.clone(), (value.clone(), event.at));
            }
            EventKind::KeyValueCleared { key: Some(key) } => drop(self.pairs.remove(key)),
            EventKind::KeyValueCleared { key: None } => self.pairs.clear(),
            EventKind::KeyValuePruned { keys, .. } => {
                self.pairs.retain(|key, _| !keys.contains(key));
            }
            _ => {}
        }
    }
}

fn check(instance: &Instance) -> Verdict {
    if instance.executions.first().is_none_or(|(of, _)| *of != ExecutionId::FIRST) {
        return Ok(()); // what its first executions wrote was pruned
    }
    let mut written = Written::default();
    for (execution, events) in &instance.executions {
        for event in events {
            written.take(*execution, event);
        }
    }
    let (key, info) = (&instance.key, &instance.info);
    let (shows, wrote) = (
        (&info.custom_status, info.custom_status_version),
        (&written.status, written.turns.len() as u64),
    );
    if shows != wrote {
        let problem = format!("its status and version are {shows:?}, its turns wrote {wrote:?}");
        return wrong(NAME, key, problem);
    }
    let stored: BTreeMap<_, _> = instance
        .kv
        .iter()
        .map(|entry| (entry.key.clone(), (entry.value.clone(), entry.updated_at)))
        .collect();
    if stored != written.pairs {
        let problem = format!("its pairs are {stored:?}, its turns wrote {:?}", written.pairs);
        return wrong(NAME, key, problem);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::build::{Feed, event, info, key, started, stored};
    use super::*;
    use duroxide_core::KvEntry;

    fn writes(id: u64, status: &str) -> Event {
        event(id, EventKind::CustomStatusUpdated { status: Some(status.to_owned()) })
    }

    fn shows(feed: &mut Feed<Status>, version: u64, status: &str) -> Verdict {
        feed.see(&Fact::Looked(&key(), Some(&info(version, Some(status)))))
    }

    #[test]
    fn a_status_that_goes_on_and_is_what_was_written_passes() {
        let mut feed = Feed::new(Status::default());
        shows(&mut feed, 1, "x").unwrap();
        shows(&mut feed, 2, "y").unwrap();
        let mut instance = stored(vec![started(), writes(2, "x"), writes(3, "y")]);
        instance.info = info(1, Some("y"));
        feed.end(&[instance]).unwrap();
    }

    #[test]
    fn a_version_that_goes_back_or_stays_while_the_status_changes_is_found() {
        let mut feed = Feed::new(Status::default());
        shows(&mut feed, 2, "y").unwrap();
        feed.wrong(|feed| shows(feed, 1, "x"), NAME, "after");
        feed.wrong(|feed| shows(feed, 2, "z"), NAME, "after");
    }

    #[test]
    fn a_status_and_pairs_that_no_turn_wrote_are_found() {
        let mut feed = Feed::new(Status::default());
        let mut instance = stored(vec![started(), writes(2, "x")]);
        instance.info = info(2, Some("x"));
        feed.wrong(|feed| feed.end(&[instance.clone()]), NAME, "its turns wrote (Some(\"x\"), 1)");
        instance.info = info(1, Some("x"));
        let (key, value, updated_at) = ("k".to_owned(), "v".to_owned(), TimeMs(1));
        instance.kv.push(KvEntry { key, value, updated_at });
        feed.wrong(|feed| feed.end(&[instance]), NAME, "its pairs are");
    }
}
