//! What a run did and found, in numbers. Not here: finding it.

use super::oracle::Broken;
use super::plan::Kill;
use super::{Evidence, StoreKind};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// How many findings of one rule are printed.
const SHOWN: usize = 8;

/// The numbers.
#[derive(Debug, Default)]
pub struct Summary {
    /// Kills, by when they struck.
    pub kills: BTreeMap<Kill, u64>,
    /// Kills that were meant for a mark which was not reached in time; they struck anyway, and
    /// count as at any moment.
    pub missed: u64,
    /// Processes that were started in the place of a dead one.
    pub restarts: u64,
    /// What happened to the server and to connections, by name.
    pub struck: BTreeMap<String, u64>,
    /// From each kill to the next commit anywhere.
    pub stalls: Vec<Duration>,
    /// The longest time without a commit around each strike on the server or on connections.
    pub server_stalls: Vec<Duration>,
    /// From the death of a process to the next attempt of what it was doing.
    pub taken_over: Vec<Duration>,
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
        let activities: std::collections::BTreeSet<_> =
            effects.iter().map(|it| (&it.instance, it.execution, it.event)).collect();
        Self {
            orders: evidence.orders.len(),
            instances: evidence.stored.instances.len(),
            executions: evidence.histories.executions.len(),
            events: evidence.histories.events().count(),
            activities: activities.len(),
            effects: effects.len(),
            messages: evidence.mail.len(),
            replayed: evidence.replayed.replayed,
        }
    }
}

impl Summary {
    fn found(&self, rules: &[&str]) -> usize {
        let broken = self.broken.iter().filter(|broken| rules.contains(&broken.rule));
        broken.map(|broken| broken.wrong.len()).sum()
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
        let Counts { orders, instances, executions, events, .. } = self.counts;
        let Counts { activities, effects, messages, replayed, .. } = self.counts;
        let kinds: Vec<_> = self.kills.iter().map(|(when, n)| format!("{n} {when}")).collect();
        let kills: u64 = self.kills.values().sum();
        writeln!(
            f,
            "kills                  {kills}: {}; {} marks missed",
            kinds.join(", "),
            self.missed
        )?;
        writeln!(f, "restarts               {}", self.restarts)?;
        for (what, times) in &self.struck {
            writeln!(f, "{what:<22} {times}")?;
        }
        writeln!(
            f,
            "workflows              {orders}; {instances} instances, {executions} executions, {events} events; done after {:.1} s",
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
        let lost = self.found(&["no acknowledged message is lost", "what was started exists"]);
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
        writeln!(
            f,
            "longest take-over      {} from a kill to the next attempt of what was under way",
            longest(&self.taken_over)
        )?;
        for broken in &self.broken {
            writeln!(f, "BROKEN: {}: {} times", broken.rule, broken.wrong.len())?;
            for line in broken.wrong.iter().take(SHOWN) {
                writeln!(f, "  {line}")?;
            }
        }
        Ok(())
    }
}
