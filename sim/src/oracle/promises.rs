//! Oracle "promise": what a client was told stays true. An instance whose start was
//! acknowledged exists ever after and is created once; an end that a client was shown does
//! not change.

use super::fact::{Fact, Oracle, Span, Stored, wrong};
use crate::wrong::Verdict;
use duroxide_provider::{
    InstanceInfo, InstanceKey, InstanceState, RequestId, Submission, Submit, Submitted,
};
use std::collections::BTreeMap;

const NAME: &str = "promise";

/// What clients were told, by instance.
#[derive(Default)]
pub(crate) struct Promises(BTreeMap<InstanceKey, Told>);

#[derive(Default)]
struct Told {
    /// Since when it exists.
    exists: Option<u64>,
    /// Which request made it.
    created_by: Option<RequestId>,
    /// How it ended.
    end: Option<InstanceState>,
}

impl Oracle for Promises {
    fn see(&mut self, fact: &Fact<'_>, span: Span) -> Verdict {
        if let Fact::Submitted(request, answer) = fact {
            self.submitted(request, *answer, span)?;
        }
        if let Fact::Looked(key, info) = fact {
            self.looked(key, *info, span)?;
        }
        if let Fact::Committed(accepted) = fact {
            let exists = &mut self.0.entry(accepted.key.clone()).or_default().exists;
            exists.get_or_insert(span.ended);
        }
        Ok(())
    }

    fn end(&mut self, stored: &Stored<'_>) -> Verdict {
        let managed = stored.managed;
        let stored: BTreeMap<_, _> = stored.iter().map(|one| (&one.key, &one.info)).collect();
        let span = Span { began: u64::MAX, ended: u64::MAX };
        let is_left = |key: &&InstanceKey| !managed.contains(key);
        let keys: Vec<_> = self.0.keys().filter(is_left).cloned().collect();
        keys.iter().try_for_each(|key| self.looked(key, stored.get(key).copied(), span))
    }
}

impl Promises {
    fn submitted(&mut self, request: &Submit, answer: Submitted, span: Span) -> Verdict {
        let key = &request.key;
        let told = self.0.entry(key.clone()).or_default();
        let exists = told.exists.is_some_and(|since| since < span.began);
        let problem = match answer {
            Submitted::NotFound if exists => Some("it was said not to exist, and it does"),
            Submitted::Created => {
                let by = *told.created_by.get_or_insert(request.request);
                (by != request.request).then_some("it was created twice")
            }
            Submitted::AlreadyExists if told.created_by == Some(request.request) => {
                Some("the request that created it was told that it had existed")
            }
            Submitted::NotFound
            | Submitted::AlreadyExists
            | Submitted::Accepted
            | Submitted::Ended => None,
        };
        if let Some(problem) = problem {
            return wrong(NAME, key, problem);
        }
        let is_start = matches!(request.what, Submission::Start { .. });
        if is_start || answer != Submitted::NotFound {
            told.exists.get_or_insert(span.ended);
        }
        Ok(())
    }

    fn looked(&mut self, key: &InstanceKey, info: Option<&InstanceInfo>, span: Span) -> Verdict {
        let told = self.0.entry(key.clone()).or_default();
        let Some(info) = info else {
            if told.exists.is_some_and(|since| since < span.began) {
                return wrong(NAME, key, "it does not exist any more");
            }
            return Ok(());
        };
        told.exists.get_or_insert(span.ended);
        if !info.state.is_terminal() {
            return Ok(());
        }
        let end = told.end.get_or_insert_with(|| info.state.clone());
        if *end != info.state {
            let problem = format!("it had ended with {end:?}, and now with {:?}", info.state);
            return wrong(NAME, key, problem);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::{Feed, info, key, mail, start};
    use super::*;
    use duroxide_core::Payload;

    fn ended(output: &str) -> InstanceInfo {
        let output = Payload::json(output);
        InstanceInfo { state: InstanceState::Completed { output }, ..info(0, None) }
    }

    #[test]
    fn an_instance_that_is_created_once_and_stays_as_it_ended_passes() {
        let mut feed = Feed::new(Promises::default());
        feed.see(&Fact::Looked(&key(), None)).unwrap();
        feed.submit(&start(1), Submitted::Created).unwrap();
        feed.submit(&start(1), Submitted::Created).unwrap();
        feed.submit(&start(2), Submitted::AlreadyExists).unwrap();
        feed.see(&Fact::Looked(&key(), Some(&ended("1")))).unwrap();
        feed.see(&Fact::Looked(&key(), Some(&ended("1")))).unwrap();
    }

    #[test]
    fn an_instance_that_is_lost_or_made_twice_is_found() {
        let mut feed = Feed::new(Promises::default());
        feed.submit(&start(1), Submitted::Created).unwrap();
        feed.wrong(|feed| feed.see(&Fact::Looked(&key(), None)), NAME, "any more");
        feed.wrong(|feed| feed.submit(&start(2), Submitted::Created), NAME, "created twice");
        let sent = |feed: &mut Feed<Promises>| feed.submit(&mail(3, "x"), Submitted::NotFound);
        feed.wrong(sent, NAME, "said not to exist");
        feed.wrong(|feed| feed.end(&[]), NAME, "any more");
    }

    #[test]
    fn an_end_that_changes_is_found() {
        let mut feed = Feed::new(Promises::default());
        feed.see(&Fact::Looked(&key(), Some(&ended("1")))).unwrap();
        let again = |feed: &mut Feed<Promises>| feed.see(&Fact::Looked(&key(), Some(&ended("2"))));
        feed.wrong(again, NAME, "it had ended with");
    }
}
