//! What happened to one instance, as lines of text. Not here: what that is (`teller`).

use super::teller::Teller;
use crate::trace::Entry;
use std::fmt::Write as _;

/// Everything that happened to an instance, by virtual time: the time, the host, and what.
pub(crate) fn timeline(entries: &[Entry], instance: &str) -> String {
    let story = Teller::tell(entries);
    let Some(found) = story.instances.iter().find(|found| found.id == instance) else {
        return format!("  nothing was heard of `{instance}`\n");
    };
    let width = story.hosts.iter().map(|host| host.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for line in &found.lines {
        let (seconds, ms) = (line.at / 1_000_000, line.at / 1_000 % 1_000);
        let host = &story.hosts[line.host].name;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{seconds:>8}.{ms:03} s  {host:<width$}  {}", line.text);
    }
    text
}
