//! What must hold when a run is over, each rule named as a sentence. They are those of the
//! simulation, as far as they can be seen from outside of a process. Not here: gathering what is
//! looked at (`evidence`).

mod effects;
mod histories;
mod messages;
mod outcomes;

use super::Evidence;

/// A rule: what it says, and what breaks it.
type Rule = (&'static str, fn(&Evidence) -> Vec<String>);

/// All of them.
pub const RULES: [Rule; 25] = [
    ("every workflow is asked for", outcomes::ordered),
    ("nothing hangs", |evidence| evidence.hung.clone()),
    ("every workflow ends as it must", outcomes::ends),
    ("a client is told how everything ended", outcomes::told),
    ("the store counts what there is", outcomes::counted),
    ("nothing exists that nobody asked for", outcomes::unasked),
    ("what was started exists", outcomes::missing),
    ("a parent hears how its child ended", outcomes::parents),
    ("every history is well-formed and ends", histories::well_formed),
    ("the row of an instance is where its history is", histories::rows),
    ("no command is completed twice", histories::completed_once),
    ("no timer fires early", histories::timers),
    ("no acknowledged message is lost", messages::lost),
    ("no message is delivered twice", messages::twice),
    ("nobody gets what nobody sent", messages::unsent),
    ("the messages of a queue keep their order", messages::order),
    ("what is recorded as done was done", effects::done),
    ("nothing is done that is not scheduled", effects::scheduled),
    ("no attempt is given out twice", effects::attempts),
    ("what is recorded is what the last attempt gave", effects::last_attempt),
    ("a session stays where it is while its process lives", effects::sessions),
    ("what was committed stays as it is", |evidence| evidence.unlike.clone()),
    ("nothing is left in the tables", |evidence| {
        evidence.left.iter().chain(&evidence.unsound).cloned().collect()
    }),
    ("every history replays", |evidence| {
        let mut wrong = evidence.told.divergent.clone();
        let (replayed, stored) =
            (evidence.told.replayed, evidence.histories.executions.len() as u64);
        if replayed != stored {
            wrong.push(format!("{replayed} executions were replayed, {stored} are stored"));
        }
        wrong
    }),
    ("no process panics or finds the file locked", |evidence| evidence.complaints.clone()),
];

/// A rule that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub rule: &'static str,
    /// Where, one line each.
    pub wrong: Vec<String>,
}

/// Every rule that does not hold.
#[must_use]
pub fn check(evidence: &Evidence) -> Vec<Broken> {
    let broken = RULES.iter().map(|(rule, check)| Broken { rule, wrong: check(evidence) });
    broken.filter(|broken| !broken.wrong.is_empty()).collect()
}
