//! What a run did and found, in numbers. Not here: finding it.

use super::oracle::Broken;
use super::plan::Kill;
use super::{Evidence, StoreKind};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// How many findings of one rule are printed.
const SHOWN: usize = 8;

/// The rule on the plan itself: what never struck shows nothing.
const AS_PLANNED: &str = "what was planned strikes";
/// So many strikes in vain may be chance.
const CHANCE: u64 = 3;

/// What came of strikes of one kind.
#[derive(Debug, Default)]
pub struct Strikes {
    /// How many struck something.
    pub struck: u64,
    /// How many found nothing to strike.
    pub in_vain: u64,
    /// What they struck, and how many of it.
    pub what: BTreeMap<&'static str, u64>,
}

impl Strikes {
    /// Count one.
    pub fn count(&mut self, struck: Option<(&'static str, u64)>) {
        let Some((what, times)) = struck else {
            self.in_vain += 1;
            return;
        };
        self.struck += 1;
        *self.what.entry(what).or_default() += times;
    }
}

/// The numbers.
#[derive(Debug, Default)]
pub struct Summary {
    /// Kills, by when they struck.
    pub kills: BTreeMap<Kill, u64>,
    /// Kills that were meant for a mark which was not reached in time; they struck anyway, and
    /// count as at any moment. A later kill makes up for it.
    pub missed: u64,
    /// How many kills were to be at a mark.
    pub marks: u64,
    /// Kills of a process that had come to work; the others were only starting.
    pub at_work: u64,
    /// From the first strike to the last.
    pub struck_for: Duration,
    /// Processes that were started in the place of a dead one.
    pub restarts: u64,
    /// What happened to the server and to connections, by name.
    pub struck: BTreeMap<&'static str, Strikes>,
    /// From each kill to the next commit anywhere.
    pub stalls: Vec<Duration>,
    /// The longest time without a commit around each strike on the server or on connections.
    pub server_stalls: Vec<Duration>,
    /// Whose death interrupted an activity, and how long this waited for its next attempt.
    pub taken_over: Vec<(u32, Duration)>,
    /// How often a turn was begun, at most, that was not committed; as often as it was looked.
    pub most_attempts: u64,
    /// How often all that was committed was compared with what stood there before.
    pub compared: u64,
    /// What the evidence says.
    pub counts: Counts,
    /// Rules that do not hold.
    pub broken: Vec<Broken>,
    /// How long it took, to the end of the last workflow.
    pub took: Duration,
    /// Which store it was.
    pub store: Option<StoreKind>,
}

/// How much there was.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    orders: usize,
    done: usize,
    instances: usize,
    executions: usize,
    events: usize,
    activities: usize,
    effects: usize,
    messages: usize,
    replayed: u64,
}

impl Counts {
    /// Of all evidence.
    #[must_use]
    pub fn of(evidence: &Evidence) -> Self {
        let effects = &evidence.effects;
        let activities: BTreeSet<_> =
            effects.iter().map(|it| (&it.instance, it.execution, it.event)).collect();
        Self {
            orders: evidence.orders.len(),
            done: evidence.orders.iter().filter(|order| evidence.has_ended(&order.id)).count(),
            instances: evidence.stored.instances.len(),
            executions: evidence.histories.executions.len(),
            events: evidence.histories.events().count(),
            activities: activities.len(),
            effects: effects.len(),
            messages: evidence.mail.len(),
            replayed: evidence.told.replayed,
        }
    }
}

impl Summary {
    fn found(&self, rules: &[&str]) -> usize {
        let broken = self.broken.iter().filter(|broken| rules.contains(&broken.rule));
        broken.map(|broken| broken.wrong.len()).sum()
    }

    fn at_marks(&self) -> u64 {
        let marked = self.kills.iter().filter(|(when, _)| **when != Kill::Anytime);
        marked.map(|(_, times)| times).sum()
    }

    /// What was planned and mostly did not happen.
    #[must_use]
    pub fn in_vain(&self) -> Option<Broken> {
        let marks = Strikes {
            struck: self.at_marks(),
            in_vain: self.marks.saturating_sub(self.at_marks()),
            what: BTreeMap::new(),
        };
        let kinds = self.struck.iter().map(|(name, strikes)| (*name, strikes));
        let mostly = kinds
            .chain([("kills at a mark", &marks)])
            .filter(|(_, strikes)| strikes.in_vain > strikes.struck.max(CHANCE));
        let wrong: Vec<_> = mostly
            .map(|(name, Strikes { struck, in_vain, .. })| {
                format!("{name}: {struck}, and {in_vain} in vain")
            })
            .collect();
        (!wrong.is_empty()).then_some(Broken { rule: AS_PLANNED, wrong })
    }

    fn say_kills(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<_> = self.kills.iter().map(|(when, n)| format!("{n} {when}")).collect();
        let kills: u64 = self.kills.values().sum();
        let interrupted: BTreeSet<_> = self.taken_over.iter().map(|(pid, _)| pid).collect();
        let Self { marks, missed, at_work, restarts, .. } = self;
        writeln!(f, "kills                  {kills}: {}", kinds.join(", "))?;
        writeln!(
            f,
            "                       in {:.1} s; {} at a mark of {marks} planned, {missed} marks missed",
            self.struck_for.as_secs_f64(),
            self.at_marks(),
        )?;
        writeln!(
            f,
            "                       {at_work} of a process at work, {} of one in an activity that was done again",
            interrupted.len()
        )?;
        writeln!(f, "restarts               {restarts}")
    }
}

impl fmt::Display for Strikes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what: Vec<_> =
            self.what.iter().map(|(what, times)| format!("{times} {what}")).collect();
        write!(f, "{}: {}; {} in vain", self.struck, what.join(", "), self.in_vain)
    }
}

fn longest(stalls: &[Duration]) -> String {
    let mut sorted = stalls.to_vec();
    sorted.sort_unstable();
    let ms = |at: usize| sorted.get(at).map_or(0, Duration::as_millis);
    let last = sorted.len().saturating_sub(1);
    format!("{} ms (median {} ms)", ms(last), ms(sorted.len() / 2))
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { orders, done, instances, executions, events, .. } = self.counts;
        let Counts { activities, effects, messages, replayed, .. } = self.counts;
        self.say_kills(f)?;
        for (what, strikes) in &self.struck {
            writeln!(f, "{what:<22} {strikes}")?;
        }
        writeln!(
            f,
            "workflows              {done} of {orders} done; {instances} instances, {executions} executions, {events} events; after {:.1} s",
            self.took.as_secs_f64()
        )?;
        let repeats = effects - activities;
        writeln!(
            f,
            "effects                {effects} of {activities} activities, {repeats} repeated"
        )?;
        writeln!(f, "messages               {messages}")?;
        let twice = self.found(&["no command is completed twice", "no message is delivered twice"]);
        writeln!(f, "duplicates in history  {twice}")?;
        let lost = self.found(&[
            "no acknowledged message is lost",
            "what was started exists",
            "what was committed stays as it is",
            "the row of an instance is where its history is",
            "what is recorded as done was done",
        ]);
        writeln!(f, "lost                   {lost}")?;
        let left = self.found(&["nothing is left in the tables"]);
        writeln!(f, "left over in tables    {left}")?;
        writeln!(f, "replayed               {replayed} of {executions}")?;
        writeln!(f, "compared while running {} times", self.compared)?;
        writeln!(
            f,
            "longest stall          {} from a kill to the next commit",
            longest(&self.stalls)
        )?;
        if !self.server_stalls.is_empty() {
            writeln!(
                f,
                "                       {} without a commit around what struck the server or connections",
                longest(&self.server_stalls)
            )?;
        }
        let waits: Vec<_> = self.taken_over.iter().map(|(_, waited)| *waited).collect();
        writeln!(
            f,
            "longest take-over      {} from a kill to the next attempt of what was under way",
            longest(&waits)
        )?;
        writeln!(f, "most attempts at a turn {}", self.most_attempts)?;
        for broken in &self.broken {
            writeln!(f, "BROKEN: {}: {} times", broken.rule, broken.wrong.len())?;
            for line in broken.wrong.iter().take(SHOWN) {
                writeln!(f, "  {line}")?;
            }
        }
        Ok(())
    }
}
