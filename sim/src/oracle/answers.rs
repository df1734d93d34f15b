//! Oracles of what a client is answered. "deleted": what it has is found when it is deleted,
//! and gone after; "reads": all that can be read of an instance that exists has it; "lost
//! instance": what was started, listed or seen to its end is there; "client": a call fails
//! only because the store cannot be reached. Not here: the calls (`clients`, `end`).

use crate::wrong::{Verdict, Wrong};
use duroxide_core::{ExecutionId, InstanceId};
use duroxide_provider::{InstanceInfo, InstanceTree};
use duroxide_runtime::ClientError;

const DELETED: &str = "deleted";
const READS: &str = "reads";
const LOST: &str = "lost instance";
const CLIENT: &str = "client";

/// What a deletion came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deletion {
    Done,
    /// It runs.
    Refused,
    /// There is no such instance.
    Missed,
}

/// A deletion came to this, of what its client has or may have, after so many tries: only an
/// earlier try may have deleted what is missed.
pub(crate) fn deleted(id: &str, came: Deletion, exists: bool, tries: u64) -> Verdict {
    if came == Deletion::Missed && exists && tries == 1 {
        return Err(Wrong::of(DELETED, format!("`{id}` was not found when it was deleted")));
    }
    Ok(())
}

/// What was deleted is shown so.
pub(crate) fn gone(id: &str, shown: Option<&InstanceInfo>) -> Verdict {
    shown.map_or(Ok(()), |shown| {
        Err(Wrong::of(DELETED, format!("`{id}` is there again: {shown:?}")))
    })
}

/// What is to be read of an instance; the status was read first.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) info: Option<InstanceInfo>,
    /// Its last execution.
    pub(crate) last: Option<ExecutionId>,
    pub(crate) tree: Option<InstanceTree>,
    pub(crate) listed: bool,
}

/// All that was read of an instance has it; gives its execution.
pub(crate) fn fits(id: &InstanceId, read: &Read) -> Verdict<ExecutionId> {
    let told = |what: &str| Err(Wrong::of(READS, format!("{what}, though it exists")));
    let Some(info) = &read.info else { return told("it has no status") };
    if read.last.is_none_or(|last| last < info.execution) {
        return told("its executions end too early");
    }
    if !read.tree.as_ref().is_some_and(|tree| tree.ids.contains(id)) {
        return told("it is in no tree");
    }
    if read.listed { Ok(info.execution) } else { told("it is not listed") }
}

/// What must be there is.
pub(crate) fn there<T>(found: Option<T>, why: &str) -> Verdict<T> {
    found.ok_or_else(|| Wrong::of(LOST, format!("{why}, and does not exist")))
}

/// Why a call failed is one for which a client asks again.
pub(crate) fn passes(error: &ClientError) -> Verdict {
    let again = matches!(error, ClientError::Store { error } if error.is_transient());
    if again { Ok(()) } else { Err(Wrong::of(CLIENT, error.to_string())) }
}

#[cfg(test)]
mod tests {
    use super::super::build::{info, key};
    use super::*;
    use duroxide_provider::ProviderError;

    fn fires<T: std::fmt::Debug>(verdict: Verdict<T>, oracle: &str, says: &str) {
        let wrong = verdict.unwrap_err();
        assert_eq!(wrong.oracle, oracle, "{wrong}");
        assert!(wrong.sentence.contains(says), "{wrong}");
    }

    #[test]
    fn what_a_client_has_is_found_when_it_deletes_it_unless_it_did_before() {
        for (came, exists, tries) in [
            (Deletion::Done, true, 1),
            (Deletion::Refused, true, 1),
            (Deletion::Missed, false, 1),
            (Deletion::Missed, true, 2),
        ] {
            deleted("a", came, exists, tries).unwrap();
        }
        fires(deleted("a", Deletion::Missed, true, 1), DELETED, "not found");
    }

    #[test]
    fn what_was_deleted_is_not_there_again() {
        gone("a", None).unwrap();
        fires(gone("a", Some(&info(0, None))), DELETED, "there again");
    }

    #[test]
    fn what_exists_is_wherever_one_looks() {
        let id = key().id;
        let (root, first) = (id.clone(), ExecutionId::FIRST);
        let right = || Read {
            info: Some(info(0, None)),
            last: Some(first),
            tree: Some(InstanceTree { root: root.clone(), ids: vec![root.clone()] }),
            listed: true,
        };
        assert_eq!(fits(&id, &right()).unwrap(), first);
        fires(fits(&id, &Read { info: None, ..right() }), READS, "no status");
        let mut next = info(0, None);
        next.execution = ExecutionId(2);
        fires(fits(&id, &Read { info: Some(next), ..right() }), READS, "too early");
        fires(fits(&id, &Read { last: None, ..right() }), READS, "too early");
        fires(fits(&id, &Read { tree: None, ..right() }), READS, "in no tree");
        let tree = Some(InstanceTree { root: root.clone(), ids: Vec::new() });
        fires(fits(&id, &Read { tree, ..right() }), READS, "in no tree");
        fires(fits(&id, &Read { listed: false, ..right() }), READS, "not listed");
    }

    #[test]
    fn what_must_be_there_is_missed() {
        assert_eq!(there(Some(1), "it was started").unwrap(), 1);
        fires(there::<u8>(None, "it was started"), LOST, "it was started, and does not exist");
    }

    #[test]
    fn a_call_fails_only_while_the_store_cannot_be_reached() {
        let (operation, message) = ("submit".to_owned(), "later".to_owned());
        let busy = ProviderError::Busy { operation, message };
        passes(&ClientError::Store { error: busy }).unwrap();
        fires(passes(&ClientError::NotFound { id: key().id }), CLIENT, "does not exist");
        let (operation, what) = ("submit".to_owned(), "a".to_owned());
        let corrupt = ProviderError::Corrupt { operation, what, message: "page 7".to_owned() };
        fires(passes(&ClientError::Store { error: corrupt }), CLIENT, "page 7");
    }
}
