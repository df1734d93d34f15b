//! The package that owns the reviewed histories: scenarios are driven by hand, at fixed
//! times, and their histories are compared with files that a person has read.
//!
//! Above each test stands the list of events expected, written before the first run; the
//! test also asserts it, so that a snapshot accepted in haste still fails. Nothing is
//! redacted: what would need it leaks nondeterminism.
//!
//! To change one: write the new list first, then `cargo insta review`.
//! Not here: whether scenarios end as they should (`duroxide-scenarios` tests that).

use duroxide_core::render;
use duroxide_sdk::testing::ByHand;
use std::fmt::Write as _;

/// Every execution of a run as text, one line an event.
pub fn text(run: &ByHand) -> String {
    let mut text = String::new();
    for (index, history) in run.executions().iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(text, "execution {}\n{}", index + 1, render(history));
    }
    text
}
