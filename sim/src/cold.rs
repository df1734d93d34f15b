//! Cold replay: what is stored, opened with fresh code and nothing resident. Uses the
//! production coroutine; the question it answers is whether the state is the same.

use crate::wrong::{Verdict, Wrong};
use duroxide_core::{
    Base, CompatFlags, Event, EventKind, ExecutionId, Fingerprint, History, InstanceId, Limits,
    MailName, Nonce, Opening, TurnInput, UnreadMail,
};
use duroxide_provider::HistoryPage;
use duroxide_sdk::{Coroutine, Registry};

/// Replays histories.
pub(crate) struct Cold {
    registry: Registry,
    limits: Limits,
}

/// What is stored of an execution.
#[derive(Default)]
pub(crate) struct Replay {
    pub(crate) events: Vec<Event>,
    base: Base,
    unread: Vec<UnreadMail>,
    more_mail: Vec<MailName>,
}

impl Replay {
    /// The events alone, of an execution that has ended.
    pub(crate) fn of(events: Vec<Event>) -> Self {
        Self { events, ..Self::default() }
    }

    /// The next page.
    pub(crate) fn add(&mut self, page: HistoryPage) {
        self.events.extend(page.events);
        if let Some(base) = page.base {
            self.base = base;
            self.unread = page.unread;
            self.more_mail = page.more_mail;
        }
    }
}

impl Cold {
    /// Replays with this code, under the limits of the store.
    pub(crate) fn new(registry: Registry, limits: Limits) -> Self {
        Self { registry, limits }
    }

    /// The state that a history leads to; an error if it is none, or if the code asks for
    /// something that is not in it.
    pub(crate) fn replay(
        &self,
        instance: InstanceId,
        execution: ExecutionId,
        stored: Replay,
    ) -> Verdict<Fingerprint> {
        let of = format!("execution {execution} of `{instance}`");
        let history = History::parse(stored.events)
            .map_err(|error| Wrong::that(format!("the history of {of} is none: {error}")))?;
        let function = match history.events().first().map(|event| &event.kind) {
            Some(EventKind::OrchestrationStarted { name, version, .. }) => version
                .parse()
                .ok()
                .and_then(|version| self.registry.orchestration(name, &version))
                .ok_or_else(|| {
                    Wrong::that(format!("{of}: `{name}` {version} is not registered"))
                })?,
            other => return Err(Wrong::that(format!("{of} begins with {other:?}"))),
        };
        let opening = Opening {
            instance,
            execution,
            history,
            base: stored.base,
            unread: stored.unread,
            more_mail: stored.more_mail,
            limits: self.limits.clone(),
        };
        let mut coroutine = Coroutine::open(opening, function.clone());
        let outcome = coroutine.run_turn(nothing_new());
        if !outcome.commit.is_empty() {
            let asked = outcome.commit;
            let problem = format!("a replay of {of} asks for what is not in it: {asked:?}");
            return Err(Wrong::that(problem));
        }
        Ok(coroutine.fingerprint())
    }
}

fn nothing_new() -> TurnInput {
    TurnInput {
        arrivals: Vec::new(),
        unread: Vec::new(),
        mail_read: Vec::new(),
        more_mail: Vec::new(),
        nonce: Nonce(0),
        flags: CompatFlags::default(),
        raise: CompatFlags::default(),
    }
}
