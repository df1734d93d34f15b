//! What the choices of a step stand for: few names, so that calls meet one another. The first
//! entry of each table is the plainest.

use crate::call::Call;
use crate::step::{Ask, Select, Turn, What};
use duroxide_core::{Channel, CompatFlags, InstanceId, MailName, Payload};
use duroxide_provider::{
    ActivityFilter, InstanceKey, ListFilter, Namespace, NodeId, OrchestrationFilter, SessionLimits,
    TagFilter,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

fn of<T: Clone>(table: &[T], choice: u8) -> T {
    table[usize::from(choice) % table.len()].clone()
}

const IDS: [(&str, &str); 6] =
    [("", "a"), ("", "b"), ("", "c"), ("", "d"), ("other", "a"), ("other", "b")];

/// How many instances there may be: the choices below it.
pub(crate) const KEYS: u8 = 6;

fn named((namespace, id): (&str, &str)) -> InstanceKey {
    InstanceKey { namespace: Namespace(namespace.to_owned()), id: id.into() }
}

/// Every instance there may be.
pub(crate) fn keys() -> impl Iterator<Item = InstanceKey> {
    IDS.into_iter().map(named)
}

/// An instance that is none of those.
pub(crate) fn passing() -> InstanceKey {
    named(("passing", "by"))
}

/// Every namespace there may be.
pub(crate) fn namespaces() -> [Namespace; 2] {
    [Namespace::default(), Namespace("other".to_owned())]
}

/// An instance; from the ninth on it has a name that breaks a limit.
pub(crate) fn key(choice: u8) -> InstanceKey {
    match choice {
        8 => named(("", "")),
        9 => named(("", "a\0b")),
        10 => named(("", &"x".repeat(1025))),
        11 => named((&"x".repeat(257), "a")),
        _ => named(of(&IDS, choice)),
    }
}

/// The id of a child.
pub(crate) fn child(choice: u8) -> InstanceId {
    of(&IDS[..4], choice / 8).1.into()
}

/// An orchestration; the last is one that nobody runs.
pub(crate) fn orchestration(choice: u8) -> &'static str {
    of(&["Flow", "Child", "Flow", "Nobody"], choice)
}

/// A version; the fourth breaks a limit.
pub(crate) fn version(choice: u8) -> Option<String> {
    of(&[None, Some("1.0.0"), Some("2.0.0"), Some("")], choice).map(ToOwned::to_owned)
}

/// A mailbox; one in a few has a name that breaks a limit.
pub(crate) fn mailbox(choice: u8) -> MailName {
    let broken = |name: &str| MailName { channel: Channel::Event, name: name.to_owned() };
    match choice {
        250..=251 => return broken(""),
        252..=253 => return broken("go\0"),
        254.. => return broken(&"x".repeat(257)),
        _ => {}
    }
    let (channel, name) =
        of(&[(Channel::Event, "go"), (Channel::Queue, "jobs"), (Channel::Event, "stop")], choice);
    MailName { channel, name: name.to_owned() }
}

/// The data of a message.
pub(crate) fn data(choice: u8) -> Payload {
    match choice / 3 {
        7 => Payload::new(duroxide_core::Encoding(3), &[0, 255, choice]),
        _ => Payload::json(choice.to_string()),
    }
}

/// The messages of a flood, each with data of its own: more than there are of unread mail in a
/// page (64), or than arrive at once (128).
pub(crate) fn flood(id: u8, choice: u8) -> impl Iterator<Item = What> {
    (0..of(&[70, 140], choice)).map(move |nth: u8| What::Mail { id, mailbox: nth % 80 * 3 })
}

/// A node.
pub(crate) fn node(choice: u8) -> NodeId {
    let (name, run) = of(&[("n1", 1), ("n2", 1), ("n1", 2), ("n3", 1)], choice);
    NodeId { name: name.to_owned(), run }
}

/// What a node can run.
pub(crate) fn orchestrations(choice: u8) -> OrchestrationFilter {
    let (names, flags): (&[(&str, &[&str])], u64) = match choice % 4 {
        0 => (&[("Flow", &["1.0.0", "2.0.0"]), ("Child", &["1.0.0", "2.0.0"])], 1),
        1 => (&[("Flow", &["1.0.0", "2.0.0"])], 0),
        2 => (&[("Child", &["1.0.0"]), ("Flow", &["2.0.0"])], 1),
        _ => (&[], 1),
    };
    let versions = |all: &[&str]| all.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    let names: BTreeMap<_, _> =
        names.iter().map(|(name, all)| ((*name).to_owned(), versions(all))).collect();
    OrchestrationFilter { names, flags: CompatFlags(flags) }
}

/// The name, session and tag of an activity.
pub(crate) fn activity(choice: u8) -> (&'static str, Option<&'static str>, Option<&'static str>) {
    let name = of(&["Greet", "Work", "Greet"], choice);
    let session = of(&[None, Some("s1"), None, Some("s1"), Some("s2")], choice / 3);
    let tag = of(&[None, None, None, Some("gpu"), Some("big")], choice / 15);
    (name, session, tag)
}

/// What activities a node can run.
pub(crate) fn activities(ask: &Ask) -> ActivityFilter {
    let names: &[&str] = match ask.filter % 4 {
        0 => &["Greet", "Work"],
        1 => &["Greet"],
        2 => &["Work"],
        _ => &[],
    };
    let gpu = || BTreeSet::from(["gpu".to_owned()]);
    let (tags, max, idle) = match ask.routing % 6 {
        0 => (TagFilter::Any, 10, 3),
        1 => (TagFilter::DefaultOnly, 10, 60),
        2 => (TagFilter::Tags(gpu()), 10, 2),
        3 => (TagFilter::DefaultAnd(gpu()), 1, 60),
        4 => (TagFilter::None, 10, 60),
        _ => (TagFilter::Any, 1, 2),
    };
    ActivityFilter {
        names: names.iter().map(ToString::to_string).collect(),
        tags,
        sessions: SessionLimits { max, idle: Duration::from_secs(idle) },
    }
}

/// At most so many.
pub(crate) fn max(choice: u8) -> usize {
    of(&[8, 1, 2, 3], choice)
}

/// How long a lease holds.
pub(crate) fn hold(choice: u8) -> Duration {
    of(
        &[
            Duration::from_mins(1),
            Duration::from_secs(5),
            Duration::from_millis(500),
            Duration::from_mins(10),
        ],
        choice,
    )
}

/// How long until what is handed back may be taken.
pub(crate) fn delay(choice: u8) -> Duration {
    of(
        &[
            Duration::ZERO,
            Duration::from_millis(700),
            Duration::from_secs(9),
            Duration::from_mins(2),
        ],
        choice,
    )
}

/// How long a timer runs, in ms.
pub(crate) fn timer(choice: u8) -> u64 {
    of(&[1_500, 0, 130, 31_000, 3_600_000, u64::MAX], choice)
}

/// How much time passes.
pub(crate) fn advance(choice: u8) -> Duration {
    let table = [2_000, 40, 600, 11_000, 700, 6_000, 1_300, 20_000, 70_000, 3_660_000];
    Duration::from_millis(of(&table, choice))
}

/// A listing.
pub(crate) fn list(status: u8, after: u8, limit: u8) -> Call {
    let status = of(
        &[
            None,
            Some("Running"),
            Some("Completed"),
            Some("Failed"),
            Some("Terminated"),
            Some("Odd"),
        ],
        status,
    );
    let key = key(after % 8);
    let after = (after > 0).then_some(key.id);
    let filter = ListFilter { namespace: key.namespace, status: status.map(ToOwned::to_owned) };
    Call::List(filter, after, of(&[100, 1, 2, 3], limit))
}

/// A plain step for each method that is about something.
pub(crate) fn plain_steps() -> Vec<What> {
    let ask = Ask { node: 0, filter: 0, routing: 0, max: 0, hold: 0 };
    let select = Select { id: 0, before: 0, limit: 0 };
    let (held, failed, wrong) = (vec![0, 1], false, false);
    vec![
        What::Cancel { id: 0 },
        What::LeaseTurns(ask.clone()),
        What::LeaseWork(ask),
        What::Turn(Box::new(Turn::plain())),
        What::Complete { task: 0, failed, wrong },
        What::Renew { held: held.clone(), hold: 0 },
        What::Release { held, commit: 0, refund: false, delay: 0 },
        What::ReadHistory { tenure: 0, from: 0, bytes: 0, wrong },
        What::ReadMail { tenure: 0, max: 0, after: 0 },
        What::List { status: 0, after: 0, limit: 0 },
        What::Delete { id: 0, force: true },
        What::Prune { select, keep: 0 },
    ]
}
