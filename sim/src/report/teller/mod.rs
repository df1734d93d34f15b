//! Makes the story of a run out of the entries of its trace, one after the other. What
//! happened is what the store carried out, whoever heard of it.

mod held;
mod turns;

use super::bars::Bars;
use super::calls::Calls;
use super::hosts::Hosts;
use super::phrases;
use super::story::{Bar, Effect, InstanceStory, Line, LineKind, Story, Turn, Us};
use crate::trace::Entry;
use duroxide_core::{EventId, ExecutionId};
use duroxide_provider::{
    ActivityKey, CommitId, CommitTurn, CompleteActivity, Incarnation, InstanceKey, ProviderError,
    RequestId, Submission, Submit, Submitted,
};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};

type Answer<A> = Result<A, ProviderError>;

/// What is known so far.
#[derive(Default)]
pub(crate) struct Teller<'a> {
    hosts: Hosts,
    calls: Calls<'a>,
    bars: Bars,
    turns: Vec<Turn>,
    effects: Vec<Effect>,
    instances: Vec<InstanceStory>,
    ids: BTreeMap<String, usize>,
    incarnations: BTreeMap<Incarnation, usize>,
    /// Names of activities, as they were scheduled.
    activities: BTreeMap<ActivityKey, String>,
    applied: BTreeSet<CommitId>,
    /// What was said of a request already.
    said: BTreeSet<(RequestId, String)>,
}

/// Something that the store carried out: when, for which call, and for whom.
#[derive(Clone, Copy)]
struct Done<'a> {
    entry: &'a Entry,
    at: Us,
    call: usize,
    store: usize,
    caller: usize,
}

impl Done<'_> {
    fn answer<A: DeserializeOwned>(&self) -> Option<Answer<A>> {
        serde_json::from_slice(&self.entry.detail).ok()
    }
}

fn us(entry: &Entry) -> Us {
    entry.at.as_micros() as Us
}

impl<'a> Teller<'a> {
    /// The story of these entries.
    pub(crate) fn tell(entries: &'a [Entry]) -> Story {
        let mut teller = Self::default();
        for entry in entries {
            teller.hear(entry);
        }
        teller.finish(entries.last().map_or(0, us))
    }

    fn hear(&mut self, entry: &'a Entry) {
        let host = self.hosts.place(&entry.host);
        let at = us(entry);
        match entry.what.rsplit_once(' ').unwrap_or((&entry.what, "")) {
            ("starts", _) => self.hosts.starts(host, at),
            ("struck", _) => self.hosts.struck(host, at, entry),
            ("counts", _) => self.hosts.counted(host, at, &String::from_utf8_lossy(&entry.detail)),
            ("effect", _) => self.effect(entry, host, at),
            ("calls", op) => {
                let call = self.calls.begins(entry, op, host, at);
                self.asked(call, op, host, at);
            }
            ("carried out" | "carried out again", op) => {
                if let Some(call) = self.calls.done(entry, at) {
                    let caller = self.calls.list[call].host;
                    self.carried_out(op, &Done { entry, at, call, store: host, caller });
                }
            }
            ("answered", op) => {
                if let Some(call) = self.calls.answered(entry, host, at) {
                    self.answered(call, op, host, at);
                }
            }
            _ => {}
        }
    }

    /// Which instances calls are about, and what clients send.
    fn asked(&mut self, call: usize, op: &str, host: usize, at: Us) {
        let instance = match op {
            "Submit" => self.calls.request::<Submit>(call).map(|submit| {
                let instance = self.instance(&submit.key);
                if let Submission::Start { name, .. } = &submit.what {
                    name.clone_into(&mut self.instances[instance].orchestration);
                }
                if self.said.insert((submit.request, String::new())) {
                    let text = format!("asks: {}", phrases::submission(&submit.what));
                    self.say(instance, at, host, LineKind::Mail, text);
                }
                instance
            }),
            "CommitTurn" => {
                let request = self.calls.request::<CommitTurn>(call);
                request.and_then(|turn| self.incarnations.get(&turn.incarnation).copied())
            }
            "CompleteActivity" => {
                let request = self.calls.request::<CompleteActivity>(call);
                request.and_then(|it| self.incarnations.get(&it.activity.incarnation).copied())
            }
            "Other" => self.deletes(call, host, at),
            _ => None,
        };
        self.calls.list[call].instance = instance;
    }

    /// A client wants an instance gone.
    fn deletes(&mut self, call: usize, host: usize, at: Us) -> Option<usize> {
        let (key, force) = self.calls.request::<(InstanceKey, bool)>(call)?;
        let instance = self.instance(&key);
        let text = format!("asks: delete{}", if force { ", by force" } else { "" });
        self.say(instance, at, host, LineKind::Mail, text);
        Some(instance)
    }

    fn carried_out(&mut self, op: &str, done: &Done<'_>) {
        // A request that cannot be read back is not told of.
        let _: Option<()> = match op {
            "LeaseOrchestrations" => self.leased(done),
            "CommitTurn" => self.committed(done),
            "LeaseActivities" => self.activities_leased(done),
            "CompleteActivity" => self.completed(done),
            "Renew" => self.renewed(done),
            "Release" => self.released(done),
            "Submit" => self.submitted(done),
            _ => None,
        };
    }

    fn submitted(&mut self, done: &Done<'_>) -> Option<()> {
        let request: Submit = self.calls.request(done.call)?;
        let answer = match done.answer::<Submitted>()? {
            Ok(submitted) => format!("{submitted:?}"),
            Err(error) => error.to_string(),
        };
        if self.said.insert((request.request, answer.clone())) {
            let instance = self.instance(&request.key);
            let text = format!("gets: {}: {answer}", phrases::submission(&request.what));
            self.say(instance, done.at, done.store, LineKind::Mail, text);
        }
        Some(())
    }

    /// What a node heard is worth telling only if it was no answer.
    fn answered(&mut self, call: usize, op: &str, host: usize, at: Us) {
        let told = &self.calls.list[call];
        if let ("CommitTurn" | "CompleteActivity", Some(instance), Some(error)) =
            (op, told.instance, &told.error)
        {
            let text = format!("hears: {error}");
            self.say(instance, at, host, LineKind::Refused, text);
        }
    }

    fn effect(&mut self, entry: &Entry, host: usize, at: Us) {
        // `ActivityKey { incarnation: Incarnation(67), … }`
        let text = String::from_utf8_lossy(&entry.detail);
        let numbers: Vec<u64> = text
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|part| part.parse().ok())
            .collect();
        let [incarnation, execution, event] = numbers[..] else { return };
        let activity = ActivityKey {
            incarnation: Incarnation(incarnation),
            execution: ExecutionId(execution),
            event: EventId(event),
        };
        if let Some(&instance) = self.incarnations.get(&activity.incarnation) {
            self.effects.push(Effect { at, host, instance });
            let text = format!("feels activity {}", self.name_of(&activity));
            self.say(instance, at, host, LineKind::Activity, text);
        }
    }

    fn name_of(&self, activity: &ActivityKey) -> String {
        let name = self.activities.get(activity).map_or("", String::as_str);
        format!("{} `{name}`", activity.event)
    }

    fn instance(&mut self, key: &InstanceKey) -> usize {
        let id = key.to_string();
        if let Some(place) = self.ids.get(&id) {
            return *place;
        }
        let place = self.instances.len();
        self.ids.insert(id.clone(), place);
        self.instances.push(InstanceStory {
            id,
            orchestration: String::new(),
            end: None,
            lines: Vec::new(),
            executions: Vec::new(),
        });
        place
    }

    fn say(&mut self, instance: usize, at: Us, host: usize, kind: LineKind, text: String) {
        self.instances[instance].lines.push(Line { at, host, kind, text });
    }

    fn finish(mut self, end: Us) -> Story {
        self.never_arrived();
        self.hosts.finish(end);
        self.bars.finish(end);
        let (hosts, marks) = (self.hosts.list, self.hosts.marks);
        let mut story = Story {
            end,
            hosts,
            marks,
            bars: self.bars.list,
            turns: self.turns,
            calls: self.calls.list,
            effects: self.effects,
            instances: self.instances,
        };
        super::struck::tell(&mut story);
        story
    }
}

/// Held from now on.
fn bar(host: usize, from: Us, instance: usize, activity: Option<String>) -> Bar {
    Bar { host, from, to: from, instance, activity, ended: String::new() }
}
