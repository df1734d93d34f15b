//! Oracle "succession": the execution that follows another is the one that was asked for: of
//! the same orchestration, with that input, in that version if one was named, with the same
//! parent and headers. And each execution of any instance has a nonce of its own. (What comes
//! along beside that is for "status", "mail" and the workloads.)

use super::fact::{Accepted, Fact, Oracle, Span, wrong};
use crate::wrong::Verdict;
use duroxide_core::{End, Event, EventId, EventKind, ExecutionId, Headers, Parent, Payload};
use duroxide_provider::InstanceKey;
use std::collections::BTreeMap;

const NAME: &str = "succession";

/// Where each instance is, and whose each nonce is.
#[derive(Default)]
pub(crate) struct Succession {
    current: BTreeMap<InstanceKey, Heir>,
    asked: BTreeMap<InstanceKey, (ExecutionId, Asked)>,
    nonces: BTreeMap<u128, (InstanceKey, ExecutionId)>,
}

/// What an execution hands on, whatever it does.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Heir {
    name: String,
    parent: Option<Parent>,
    headers: Headers,
}

/// What an execution asked to be followed by.
#[derive(Debug, Clone)]
struct Asked {
    input: Payload,
    version: Option<String>,
}

impl Oracle for Succession {
    fn see(&mut self, fact: &Fact<'_>, _: Span) -> Verdict {
        let Fact::Committed(accepted) = fact else { return Ok(()) };
        if let Some(first) = accepted.request.turn.events.first()
            && first.id == EventId::FIRST
        {
            self.begun(accepted, first)?;
        }
        if let Some(End::ContinuedAsNew { input, version, .. }) = &accepted.request.turn.end {
            let asked = Asked { input: input.clone(), version: version.clone() };
            let next = accepted.request.turn.execution.next();
            self.asked.insert(accepted.key.clone(), (next, asked));
        }
        Ok(())
    }
}

impl Succession {
    fn begun(&mut self, accepted: &Accepted<'_>, first: &Event) -> Verdict {
        let (key, execution) = (accepted.key, accepted.request.turn.execution);
        let EventKind::OrchestrationStarted {
            name, version, input, parent, nonce, headers, ..
        } = &first.kind
        else {
            return Ok(()); // "grammar" says so
        };
        let heir = Heir { name: name.clone(), parent: parent.clone(), headers: headers.clone() };
        if let Some((other, of)) = self.nonces.insert(nonce.0, (key.clone(), execution)) {
            let problem = format!("{execution} has the nonce of {of} of `{other}`");
            return wrong(NAME, key, problem);
        }
        let before = self.current.insert(key.clone(), heir.clone());
        let Some(before) = before.filter(|_| execution != ExecutionId::FIRST) else {
            return Ok(());
        };
        if heir != before {
            let problem = format!("{execution} is {heir:?}, the one before was {before:?}");
            return wrong(NAME, key, problem);
        }
        let asked = self.asked.remove(key).filter(|(next, _)| *next == execution);
        let Some((_, asked)) = asked else {
            return wrong(NAME, key, format!("nothing asked for {execution}"));
        };
        let as_asked = asked.version.as_ref().is_none_or(|asked| asked == version);
        if *input != asked.input || !as_asked {
            let found = Asked { input: input.clone(), version: Some(version.clone()) };
            return wrong(NAME, key, format!("{execution} is {found:?}, not {asked:?}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::{Feed, Turn, started, turn};
    use super::*;
    use duroxide_core::Nonce;

    /// The start of an execution with this nonce and input, in version 1.0.0.
    fn begins(nonce: u128, input: &str) -> Event {
        let mut event = started();
        if let EventKind::OrchestrationStarted { nonce: of, input: with, .. } = &mut event.kind {
            (*of, *with) = (Nonce(nonce), Payload::json(input));
        }
        event
    }

    /// A first execution that asks for another one, in this version.
    fn asks(version: Option<&str>) -> Turn {
        let mut first = turn(None, 1, vec![begins(1, "1")]);
        let (input, version) = (Payload::json("2"), version.map(str::to_owned));
        first.turn.end = Some(End::ContinuedAsNew { input, version, headers: Headers::new() });
        first
    }

    fn follows(begun: Event) -> Turn {
        let mut next = turn(Some(1), 2, vec![begun]);
        next.turn.execution = ExecutionId::FIRST.next();
        next
    }

    fn of(version: &str) -> String {
        let EventKind::OrchestrationStarted { version: is, .. } = started().kind else {
            panic!("that is how an execution begins");
        };
        format!("{version}{is}")
    }

    #[test]
    fn what_was_asked_for_passes() {
        for version in [None, Some(of(""))] {
            let mut feed = Feed::new(Succession::default());
            feed.commit(&asks(version.as_deref())).unwrap();
            feed.commit(&follows(begins(2, "2"))).unwrap();
        }
    }

    #[test]
    fn another_input_or_version_is_noticed() {
        let cases = [(None, "1"), (Some(of("9.")), "2")];
        for (version, input) in cases {
            let mut feed = Feed::new(Succession::default());
            feed.commit(&asks(version.as_deref())).unwrap();
            feed.wrong(|feed| feed.commit(&follows(begins(2, input))), NAME, "not Asked");
        }
    }

    #[test]
    fn another_name_or_parent_is_noticed() {
        let mut other = begins(2, "2");
        if let EventKind::OrchestrationStarted { name, .. } = &mut other.kind {
            name.push('s');
        }
        let mut child = super::super::build::started_by("b", 2);
        if let EventKind::OrchestrationStarted { nonce, input, .. } = &mut child.kind {
            (*nonce, *input) = (Nonce(2), Payload::json("2"));
        }
        for begun in [other, child] {
            let mut feed = Feed::new(Succession::default());
            feed.commit(&asks(None)).unwrap();
            feed.wrong(|feed| feed.commit(&follows(begun)), NAME, "the one before was");
        }
    }

    #[test]
    fn an_execution_that_nobody_asked_for_is_noticed() {
        let mut feed = Feed::new(Succession::default());
        feed.commit(&turn(None, 1, vec![begins(1, "1")])).unwrap();
        feed.wrong(|feed| feed.commit(&follows(begins(2, "2"))), NAME, "nothing asked");
    }

    #[test]
    fn a_nonce_that_another_has_is_noticed() {
        let mut feed = Feed::new(Succession::default());
        feed.commit(&asks(None)).unwrap();
        feed.wrong(|feed| feed.commit(&follows(begins(1, "2"))), NAME, "has the nonce of");
        let mut feed = Feed::new(Succession::default());
        feed.commit(&turn(None, 1, vec![begins(1, "1")])).unwrap();
        let other = turn(None, 2, vec![begins(1, "1")]).of("b");
        feed.wrong(|feed| feed.commit(&other), NAME, "has the nonce of");
    }
}
