//! Which faults an instance felt: those that struck who held it or something of it, who
//! was calling the store about it, and the store while it lived.

use super::story::{HostKind, Line, LineKind, MarkKind, Story};
use std::collections::BTreeSet;

/// Tell the instances of the faults that they felt, and sort what is told by time.
pub(super) fn tell(story: &mut Story) {
    let mut felt = BTreeSet::new();
    for mark in &story.marks {
        if mark.kind == MarkKind::Point {
            continue;
        }
        let why = mark.why.as_ref().map_or(String::new(), |why| format!(" ({why})"));
        let idle = if mark.kind == MarkKind::Idle { ", to no effect" } else { "" };
        for (instance, meanwhile) in concerned(story, mark.host, mark.at) {
            let text = format!("is struck by {}{why}{idle}{meanwhile}", mark.name);
            let (at, host, kind) = (mark.at, mark.host, LineKind::Fault);
            felt.insert((instance, Line { at, host, kind, text }));
        }
    }
    for (instance, line) in felt {
        story.instances[instance].lines.push(line);
    }
    for instance in &mut story.instances {
        // A fault strikes before what follows from it.
        instance.lines.sort_by_key(|line| (line.at, line.kind != LineKind::Fault));
    }
}

/// The instances that something at a host concerned, and how.
fn concerned(story: &Story, host: usize, at: u64) -> BTreeSet<(usize, &'static str)> {
    let mut found = BTreeSet::new();
    if story.hosts[host].kind == HostKind::Store {
        for (place, instance) in story.instances.iter().enumerate() {
            let over = |line: &&Line| line.kind == LineKind::End;
            let from = instance.lines.iter().map(|line| line.at).min();
            let to = instance.lines.iter().find(over).map_or(story.end, |line| line.at);
            if from.is_some_and(|from| from <= at) && at <= to {
                found.insert((place, ""));
            }
        }
    }
    for bar in story.bars.iter().filter(|bar| bar.host == host && bar.from <= at && at <= bar.to) {
        let holds = |instance: usize| found.iter().any(|(known, _)| *known == instance);
        if !holds(bar.instance) {
            let of_it = ", while it holds an activity of it";
            found.insert((
                bar.instance,
                if bar.activity.is_none() { ", while it holds it" } else { of_it },
            ));
        }
    }
    for call in story.calls.iter().filter(|call| call.host == host && call.from <= at) {
        let Some(instance) = call.instance else { continue };
        // A call without an answer is over when its caller dies.
        let mut deaths = story.hosts[host].lives.iter().filter_map(|(_, death)| *death);
        let over = call.answered.or_else(|| deaths.find(|death| *death >= call.from));
        let open = over.is_none_or(|over| at <= over);
        if open && !found.iter().any(|(known, _)| *known == instance) {
            found.insert((instance, ", while it calls about it"));
        }
    }
    found
}
