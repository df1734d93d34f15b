//! What happened in a run, for people: as one page for a browser ([`page`]), or as the
//! lines of one instance ([`timeline`]). Both are told from the entries of the trace
//! alone. Not here: what is traced, or whether it is right (`oracle`).
//!
//! Where to read next: `story` says what is told, `teller` makes it out of entries,
//! `page.js` draws it.

mod bars;
mod calls;
mod hosts;
pub(crate) mod phrases;
mod story;
mod struck;
mod teller;
mod timeline;

pub(crate) use timeline::timeline;

use crate::plan::Plan;
use crate::run::Outcome;
use crate::trace::Entry;
use serde_json::json;
use teller::Teller;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
/// In this order: later ones use earlier ones.
const SCRIPTS: [&str; 4] = [
    include_str!("axis.js"),
    include_str!("chart.js"),
    include_str!("panels.js"),
    include_str!("page.js"),
];

/// The run as one HTML page that needs nothing else. `again`: the command that repeats it.
pub(crate) fn page(
    plan: &Plan,
    outcome: &Outcome,
    entries: &[Entry],
    again: &str,
) -> serde_json::Result<String> {
    let story = Teller::tell(entries);
    let data = json!({ "plan": plan, "outcome": outcome, "again": again, "story": story });
    // No text of the run may end the element that holds it.
    let data = serde_json::to_string(&data)?.replace('<', "\\u003c");
    let parts = [
        ("{{title}}", format!("{} {}", plan.workload, plan.seed)),
        ("{{style}}", STYLE.to_owned()),
        ("{{script}}", SCRIPTS.join("\n")),
        // Last: what it holds is not looked through.
        ("{{data}}", data),
    ];
    Ok(parts.iter().fold(PAGE.to_owned(), |page, (mark, part)| page.replacen(mark, part, 1)))
}

#[cfg(test)]
mod tests;
