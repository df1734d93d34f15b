//! Oracles: what must hold of every run, whatever it runs. Each is a module of its own that
//! is fed with facts while the run goes on, and with all that is stored in the end.
//!
//! `fact` says what an oracle sees, `ledger` makes it of calls, `sequence` puts it in order,
//! `end` reads what is left.
//! Online and at the end: `chain`, `append`, `grammar`, `lease`, `ends`, `completion`, `mail`,
//! `owed`, `timers`, `late`, `order`, `effects`, `sessions`, `told`, `status`, `stop`,
//! `succession`, `promises`; at the end only: `children`, `quiescence`, `file`. `answers` judges
//! what clients were answered, `resident` compares copies with cold replays, `model` everything
//! with a reference model of the whole engine.
//! What clients may have deleted is left out (`managed`), but for `gone`.

pub(crate) mod answers;
mod append;
mod chain;
mod children;
mod cold;
mod completion;
mod effects;
mod end;
mod ends;
mod fact;
mod file;
mod gone;
mod grammar;
mod late;
mod lease;
mod ledger;
mod mail;
mod managed;
mod model;
mod order;
mod owed;
mod promises;
mod quiescence;
mod record;
mod resident;
mod sequence;
mod sessions;
mod status;
mod stop;
mod succession;
mod timers;
mod told;

#[cfg(test)]
mod build;

pub(crate) use cold::Cold;
pub(crate) use end::{Checked, Ended};
pub(crate) use fact::{Attempt, Fact, Moment};
pub(crate) use file::is_whole_and_empty;
pub(crate) use ledger::Ledger;

use crate::outside::Outside;
use crate::stage::Stage;
use std::sync::Arc;

/// All of them, with nothing seen yet, for the run of a plan.
pub(crate) fn all(stage: &Stage, outside: Arc<Outside>) -> Vec<Box<dyn fact::Oracle>> {
    let (plan, timeline) = (&stage.plan, Arc::clone(&stage.timeline));
    vec![
        Box::new(chain::Chain::default()),
        Box::new(lease::Leases::default()),
        Box::new(append::Append::default()),
        Box::new(grammar::Grammar),
        Box::new(ends::Ends::default()),
        Box::new(completion::Completions::default()),
        Box::new(mail::Mail::default()),
        Box::new(owed::Owed::default()),
        Box::new(timers::Timers::default()),
        Box::new(late::Late::of(plan)),
        Box::new(order::Order::default()),
        Box::new(effects::Effects::new(outside)),
        Box::new(sessions::Sessions::of(plan)),
        Box::new(told::Told::of(plan, timeline)),
        Box::new(status::Status::default()),
        Box::new(stop::Stop::default()),
        Box::new(succession::Succession::default()),
        Box::new(promises::Promises::default()),
        Box::new(children::Children),
        Box::new(quiescence::LeftOver),
        Box::new(model::Model::default()),
    ]
}
