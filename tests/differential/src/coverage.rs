//! What happened in all sequences together: of every operation, how often it came to what.

use crate::call::{Answer, Call, Outcome};
use duroxide_provider::{ActivityFate, CommitOutcome, CommitRefusal, LeaseState, Submitted};
use std::collections::BTreeMap;
use std::fmt;

/// What each operation must have come to, at the least.
pub const REQUIRED: &[(&str, &[&str])] = &[
    ("lease_orchestrations", &["some", "some, more arrivals", "none", "Unusable"]),
    ("read_history", &["read", "read, more events", "read, more mail", "NotFound", "Unusable"]),
    ("read_mail", &["some", "some, more mail", "none", "NotFound", "Unusable"]),
    (
        "commit_turn",
        &[
            "Applied",
            "Applied, held",
            "Applied, claimed",
            "Applied, ended",
            "Applied, continued as new",
            "Conflict",
            "LeaseLost",
            "ActivityLost",
            "Gone",
            "Unusable",
        ],
    ),
    ("lease_activities", &["some", "none", "Unusable"]),
    ("complete_activity", &["Applied", "Gone", "LeaseLost", "Unusable"]),
    ("renew", &["Held", "Lost", "CancelRequested", "Unusable"]),
    ("release", &["done", "Unusable"]),
    (
        "submit",
        &["Created", "AlreadyExists", "Accepted", "Ended", "NotFound", "Invalid", "Unusable"],
    ),
    ("wait_for_work", &["woken", "Unusable"]),
    ("instance", &["some", "none", "Unusable"]),
    ("watch", &["some", "none", "Unusable"]),
    ("executions", &["some", "none", "Unusable"]),
    ("history", &["some", "none", "Unusable"]),
    ("kv", &["some", "none", "Unusable"]),
    ("list", &["some", "none", "Invalid", "Unusable"]),
    ("tree", &["some", "none", "Unusable"]),
    ("stats", &["some", "none", "Unusable"]),
    ("metrics", &["read", "Unusable"]),
    ("depths", &["read", "Unusable"]),
    ("unclaimed", &["some", "none", "Unusable"]),
    ("delete", &["some", "NotFound", "Invalid", "Unusable"]),
    ("delete_many", &["some", "none", "Unusable"]),
    ("prune", &["some", "none", "Unusable"]),
    ("close", &["done"]),
];

/// Counts.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    /// Sequences run.
    pub sequences: u64,
    /// Calls made of each store, the reads after each step aside.
    pub operations: u64,
    /// Reads of each store, to compare what everybody sees.
    pub reads: u64,
    /// Times that several calls were made at once, and how often only another order than theirs
    /// explains what came of it.
    pub batches: (u64, u64),
    /// Times that a waiting node had to be told of work, and was.
    pub told: u64,
    outcomes: BTreeMap<(&'static str, String), u64>,
}

impl Coverage {
    /// Count what a call came to.
    pub fn count(&mut self, call: &Call, outcome: &Outcome) {
        for what in outcomes(call, outcome) {
            *self.outcomes.entry((call.operation(), what)).or_default() += 1;
        }
    }

    /// Take in what another has counted.
    pub fn add(&mut self, other: &Self) {
        self.sequences += other.sequences;
        self.operations += other.operations;
        self.reads += other.reads;
        self.batches.0 += other.batches.0;
        self.batches.1 += other.batches.1;
        self.told += other.told;
        for (what, count) in &other.outcomes {
            *self.outcomes.entry(what.clone()).or_default() += count;
        }
    }

    /// What must have happened and has not.
    pub fn missing(&self) -> Vec<String> {
        let required = REQUIRED.iter().flat_map(|(operation, all)| {
            all.iter().map(move |what| (*operation, (*what).to_owned()))
        });
        required
            .filter(|what| !self.outcomes.contains_key(what))
            .map(|(operation, what)| format!("{operation}: {what}"))
            .collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} operations in {} sequences; {} reads compared; {} batches of calls at once, {} of \
             them in another order; {} times a waiting node was told",
            self.operations, self.sequences, self.reads, self.batches.0, self.batches.1, self.told
        )?;
        for (operation, _) in REQUIRED {
            let of = |((of, _), _): &(&(&'static str, String), &u64)| of == operation;
            let all: Vec<String> = self
                .outcomes
                .iter()
                .filter(of)
                .map(|((_, what), count)| format!("{what} {count}"))
                .collect();
            writeln!(f, "  {operation:<22}{}", all.join(" · "))?;
        }
        Ok(())
    }
}

fn outcomes(call: &Call, outcome: &Outcome) -> Vec<String> {
    let answer = match outcome {
        Err(refused) => return vec![refused.kind.to_owned()],
        Ok(answer) => answer,
    };
    let some = |is: bool| vec![if is { "some" } else { "none" }.to_owned()];
    match answer {
        Answer::Orchestrations(leased) => {
            let more = leased.instances.iter().any(|instance| instance.more_arrivals);
            with(some(!leased.instances.is_empty()), more, "some, more arrivals")
        }
        Answer::Activities(leased) => some(!leased.activities.is_empty()),
        Answer::Metrics(_) | Answer::Depths(_) => vec!["read".to_owned()],
        Answer::HistoryPage(page) => {
            let read = with(vec!["read".to_owned()], page.next.is_some(), "read, more events");
            with(read, !page.more_mail.is_empty(), "read, more mail")
        }
        Answer::MailPage(page) => {
            with(some(!page.unread.is_empty()), !page.more_mail.is_empty(), "some, more mail")
        }
        Answer::Commit(outcome) => commit(call, outcome),
        Answer::Fate(fate) => vec![fate_name(*fate).to_owned()],
        Answer::States(states) => states.iter().map(|s| state_name(*s).to_owned()).collect(),
        Answer::Submitted(submitted) => vec![submitted_name(*submitted).to_owned()],
        Answer::Woken(_) => vec!["woken".to_owned()],
        Answer::Instance(info) => some(info.is_some()),
        Answer::Executions(executions) => some(!executions.is_empty()),
        Answer::Events(events) => some(!events.is_empty()),
        Answer::Kv(kv) => some(!kv.is_empty()),
        Answer::Page(page) => some(!page.ids.is_empty()),
        Answer::Tree(tree) => some(tree.is_some()),
        Answer::Stats(stats) => some(stats.is_some()),
        Answer::Unclaimed(names) => {
            some(!names.orchestrations.is_empty() || !names.activities.is_empty())
        }
        Answer::Deleted(deleted) => some(deleted.instances > 0),
        Answer::Pruned(pruned) => some(pruned.executions > 0),
        Answer::Done => vec!["done".to_owned()],
    }
}

fn with(mut all: Vec<String>, holds: bool, what: &str) -> Vec<String> {
    all.extend(holds.then(|| what.to_owned()));
    all
}

fn commit(call: &Call, outcome: &CommitOutcome) -> Vec<String> {
    let applied = match outcome {
        CommitOutcome::Refused(refusal) => return vec![refusal_name(refusal).to_owned()],
        CommitOutcome::Applied(applied) => applied,
    };
    let end = match call {
        Call::CommitTurn(request) => request.turn.end.as_ref(),
        _ => None,
    };
    let mut all = vec!["Applied".to_owned()];
    let continued = matches!(end, Some(duroxide_core::End::ContinuedAsNew { .. }));
    for (holds, what) in [
        (applied.held, "held"),
        (!applied.claimed.is_empty(), "claimed"),
        (end.is_some() && !continued, "ended"),
        (continued, "continued as new"),
    ] {
        if holds {
            all.push(format!("Applied, {what}"));
        }
    }
    all
}

fn refusal_name(refusal: &CommitRefusal) -> &'static str {
    match refusal {
        CommitRefusal::Conflict => "Conflict",
        CommitRefusal::LeaseLost => "LeaseLost",
        CommitRefusal::ActivityLost { .. } => "ActivityLost",
        CommitRefusal::Gone => "Gone",
    }
}

fn fate_name(fate: ActivityFate) -> &'static str {
    match fate {
        ActivityFate::Applied => "Applied",
        ActivityFate::Gone => "Gone",
        ActivityFate::LeaseLost => "LeaseLost",
    }
}

fn state_name(state: LeaseState) -> &'static str {
    match state {
        LeaseState::Held => "Held",
        LeaseState::Lost => "Lost",
        LeaseState::CancelRequested => "CancelRequested",
    }
}

fn submitted_name(submitted: Submitted) -> &'static str {
    match submitted {
        Submitted::Created => "Created",
        Submitted::AlreadyExists => "AlreadyExists",
        Submitted::Accepted => "Accepted",
        Submitted::Ended => "Ended",
        Submitted::NotFound => "NotFound",
    }
}
