//! Calls of the store: a request, what the store made of it, and what its caller heard are
//! entries of their own, at two hosts; here they are put together again.

use super::story::{CallStory, Us};
use crate::trace::{CallDigest, Entry};
use std::collections::BTreeMap;

/// The calls so far, with what was asked.
#[derive(Default)]
pub(crate) struct Calls<'a> {
    pub(crate) list: Vec<CallStory>,
    requests: Vec<&'a [u8]>,
    /// Those that carry the same request, in order.
    alike: BTreeMap<CallDigest, Vec<usize>>,
}

impl<'a> Calls<'a> {
    /// A host calls.
    pub(crate) fn begins(&mut self, entry: &'a Entry, op: &str, host: usize, at: Us) -> usize {
        let place = self.list.len();
        if let Some(call) = entry.call {
            self.alike.entry(call).or_default().push(place);
        }
        self.list.push(CallStory {
            op: op.to_owned(),
            host,
            from: at,
            done: Vec::new(),
            answered: None,
            error: None,
            instance: None,
        });
        self.requests.push(&entry.detail);
        place
    }

    /// The store has carried one out: the oldest that waits for it.
    pub(crate) fn done(&mut self, entry: &Entry, at: Us) -> Option<usize> {
        let alike = self.alike.get(&entry.call?)?;
        let waits = |call: &&usize| {
            let call = &self.list[**call];
            call.done.is_empty() && call.answered.is_none()
        };
        let place = *alike.iter().find(waits).or(alike.last())?;
        self.list[place].done.push(at);
        Some(place)
    }

    /// A host heard of one.
    pub(crate) fn answered(&mut self, entry: &Entry, host: usize, at: Us) -> Option<usize> {
        let alike = self.alike.get(&entry.call?)?;
        let waits = |call: &&usize| {
            let call = &self.list[**call];
            call.host == host && call.answered.is_none()
        };
        let place = *alike.iter().find(waits)?;
        let call = &mut self.list[place];
        call.answered = Some(at);
        call.error = Some(String::from_utf8_lossy(&entry.detail).into_owned())
            .filter(|text| !text.is_empty());
        Some(place)
    }

    /// What was asked.
    pub(crate) fn request<T: serde::de::Deserialize<'a>>(&self, place: usize) -> Option<T> {
        serde_json::from_slice(self.requests[place]).ok()
    }
}
