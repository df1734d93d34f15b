//! The list of events above a test, held against what was recorded.
//! Not here: the events' fields, which the snapshot shows.

use duroxide_scenarios::by_hand::Recording;
use duroxide_sdk::testing::kinds;

/// What a doc comment lists: lines such as ``3. `ActivityCompleted` of 2``, and headings such
/// as `Instance test-page-1:` and `Execution 2:`. Other lines are prose.
pub fn expected(doc: &[&str]) -> Vec<String> {
    doc.iter().filter_map(|line| entry(line.trim())).collect()
}

fn entry(line: &str) -> Option<String> {
    if let Some(heading) = line.strip_suffix(':')
        && (heading.starts_with("Instance ") || heading.starts_with("Execution "))
    {
        return Some(heading.to_owned());
    }
    let (number, rest) = line.split_once(". `")?;
    let (kind, _) = rest.split_once('`')?;
    number.parse::<u64>().ok().map(|number| format!("{number}. {kind}"))
}

/// The same of what was recorded. The first instance, and an execution that is the only one of
/// its instance, go without a heading.
pub fn found(recordings: &[Recording]) -> Vec<String> {
    let mut lines = Vec::new();
    for (place, Recording { instance, executions }) in recordings.iter().enumerate() {
        if place > 0 {
            lines.push(format!("Instance {instance}"));
        }
        for (history, number) in executions.iter().zip(1..) {
            if executions.len() > 1 {
                lines.push(format!("Execution {number}"));
            }
            let events = history.iter().zip(kinds(history));
            lines.extend(events.map(|(event, kind)| format!("{}. {kind}", event.id.0)));
        }
    }
    lines
}
