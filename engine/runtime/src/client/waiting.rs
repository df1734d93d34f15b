//! What an instance waits for, in a phrase for people. The one place that makes it: of what
//! its latest commit said, of work that nobody takes, and of what cannot be decoded.

use duroxide_provider::{InstanceInfo, Unclaimed, Work};
use std::time::Duration;

/// Work that waits for longer than this waits for somebody.
const NOTICEABLE: Duration = Duration::from_secs(1);

/// What an instance waits for, in a phrase for people; `None` when it has ended, or when its
/// next turn is being taken.
///
/// ```
/// use duroxide_runtime::{Client, ClientError, waiting_for};
///
/// async fn tell(client: &Client) -> Result<(), ClientError> {
///     if let Some(info) = client.status("order-7").await? {
///         if let Some(what) = waiting_for(&info) {
///             eprintln!("order-7 waits for {what}");
///         }
///     }
///     Ok(())
/// }
/// ```
pub fn waiting_for(info: &InstanceInfo) -> Option<String> {
    if info.state.is_terminal() {
        return None;
    }
    if let Some(what) = &info.quarantined {
        return Some(format!("an operator: what is stored cannot be decoded: {what}"));
    }
    match &info.unclaimed {
        Some(unclaimed) if unclaimed.age > NOTICEABLE => Some(nobody_takes(info, unclaimed)),
        Some(Unclaimed { work: Work::Turn { first: true }, .. }) => {
            Some("its first turn".to_owned())
        }
        Some(_) | None => info.waiting.clone(),
    }
}

fn nobody_takes(info: &InstanceInfo, unclaimed: &Unclaimed) -> String {
    let age = shown(unclaimed.age);
    match &unclaimed.work {
        Work::Turn { first } => {
            let turn = if *first { "its first turn" } else { "its next turn" };
            let version = info.version.as_ref();
            let version =
                version.map(|version| format!(" (version {version})")).unwrap_or_default();
            format!(
                "{turn}: no live node that has registered orchestration '{}'{version} has taken \
                 it for {age}",
                info.name
            )
        }
        Work::Activity { name, tag, session } => {
            let takes = if tag.is_some() { " and takes its tag" } else { "" };
            let tag = tag.as_ref().map(|tag| format!(" with tag '{tag}'"));
            let session = session.as_ref().map(|session| format!(" of session '{session}'"));
            let (tag, session) = (tag.unwrap_or_default(), session.unwrap_or_default());
            format!(
                "activity '{name}'{tag}{session}, ready for {age}, but no live node that has \
                 registered it{takes} has taken it"
            )
        }
    }
}

/// A duration as people say it, a little too short rather than too long.
fn shown(age: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    match age.as_secs() {
        seconds if seconds < 2 * MINUTE => format!("{seconds} s"),
        seconds if seconds < 2 * HOUR => format!("{} min", seconds / MINUTE),
        seconds => format!("{} h", seconds / HOUR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duroxide_core::{ExecutionId, Payload, TimeMs};
    use duroxide_provider::{InstanceKey, InstanceState};

    fn running() -> InstanceInfo {
        InstanceInfo {
            key: InstanceKey::new("a"),
            name: "Order".to_owned(),
            version: Some("1.2.0".to_owned()),
            execution: ExecutionId::FIRST,
            state: InstanceState::Running,
            custom_status: None,
            custom_status_version: 0,
            parent: None,
            created_at: TimeMs(1),
            updated_at: TimeMs(1),
            revision: 1,
            quarantined: None,
            waiting: Some("activity 'Charge'".to_owned()),
            unclaimed: None,
        }
    }

    /// The instance with work that nobody has taken for so long.
    fn unclaimed(info: InstanceInfo, work: Work, seconds: u64) -> InstanceInfo {
        let age = Duration::from_secs(seconds);
        InstanceInfo { unclaimed: Some(Unclaimed { work, since: TimeMs(1), age }), ..info }
    }

    fn charge(tag: Option<&str>) -> Work {
        Work::Activity { name: "Chrage".to_owned(), tag: tag.map(str::to_owned), session: None }
    }

    #[test]
    fn it_is_what_the_latest_commit_said_while_somebody_takes_its_work() {
        let info = unclaimed(running(), charge(None), 1);
        assert_eq!(waiting_for(&info).as_deref(), Some("activity 'Charge'"));
        assert_eq!(waiting_for(&InstanceInfo { waiting: None, ..running() }), None);
    }

    #[test]
    fn work_that_nobody_takes_is_named_with_how_long_it_waits() {
        for (work, seconds, said) in [
            (
                charge(None),
                12,
                "activity 'Chrage', ready for 12 s, but no live node that has registered it has \
                 taken it",
            ),
            (
                charge(Some("gpu")),
                180,
                "activity 'Chrage' with tag 'gpu', ready for 3 min, but no live node that has \
                 registered it and takes its tag has taken it",
            ),
            (
                Work::Turn { first: false },
                7_200,
                "its next turn: no live node that has registered orchestration 'Order' (version \
                 1.2.0) has taken it for 2 h",
            ),
        ] {
            let info = unclaimed(running(), work, seconds);
            assert_eq!(waiting_for(&info).as_deref(), Some(said));
        }
    }

    #[test]
    fn before_the_first_turn_it_waits_for_that() {
        let new = InstanceInfo { version: None, waiting: None, ..running() };
        let after = |seconds| unclaimed(new.clone(), Work::Turn { first: true }, seconds);
        assert_eq!(waiting_for(&after(0)).as_deref(), Some("its first turn"));
        let said = "its first turn: no live node that has registered orchestration 'Order' has \
                    taken it for 2 s";
        assert_eq!(waiting_for(&after(2)).as_deref(), Some(said));
    }

    #[test]
    fn a_quarantined_one_waits_for_an_operator_and_an_ended_one_for_nothing() {
        let info = InstanceInfo { quarantined: Some("event 3".to_owned()), ..running() };
        let said = waiting_for(&info).unwrap();
        assert!(said.contains("cannot be decoded") && said.contains("event 3"), "{said}");
        let state = InstanceState::Completed { output: Payload::null() };
        assert_eq!(waiting_for(&InstanceInfo { state, ..info }), None);
    }
}
