//! The package that owns the reviewed histories. Every scenario is played by hand, always in
//! the same order and at the same times, and its history is kept twice:
//!
//! - **Snapshots** (`tests/snapshots/*.snap`): as text that a person has read. Above each test
//!   stands the list of events expected, written before the first run; the list itself is
//!   what the test asserts, so that a snapshot accepted in haste still fails. Nothing is
//!   redacted: what would need it leaks nondeterminism. To change one: write the new list
//!   first, then `cargo insta review`. [`parse`] reads the text back, and it is replayed.
//! - **The corpus** (`corpus/*.json`): as it would lie in a store, with the version of the
//!   build that recorded it. Every later build must replay all of it, as it must replay what
//!   lies in the stores of its users. It grows by appending: a new scenario, or a new version
//!   of the build, adds files (`cargo run -p duroxide-snapshots --example record`); no file is
//!   edited, removed or recorded again, and the list beside them tells if one was. When one does not replay any more, the code is wrong,
//!   or, if it was the scenario that changed, it lacks a new version of its orchestration.
//!
//! Not here: whether scenarios end as they should (`duroxide-scenarios` tests that).

mod cases;
pub mod corpus;
mod list;
mod parse;

pub use cases::{Case, cases};
pub use list::{expected, found};
pub use parse::{ParseError, parse};

use duroxide_core::render;
use duroxide_scenarios::by_hand::Recording;
use std::fmt::Write as _;

/// Everything that was recorded, as text: each instance, each of its executions, and one line
/// an event.
pub fn text(recordings: &[Recording]) -> String {
    let mut text = String::new();
    for Recording { instance, executions } in recordings {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "instance {instance}");
        for (history, number) in executions.iter().zip(1..) {
            let _ = write!(text, "execution {number}\n{}", render(history));
        }
    }
    text
}
