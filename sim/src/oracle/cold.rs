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
#[derive(Clone, Default)]
pub(super) struct Replay {
    pub(super) events: Vec<Event>,
    base: Base,
    unread: Vec<UnreadMail>,
    more_mail: Vec<MailName>,
}

impl Replay {
    /// What the execution began with: what any replay of it needs beside its events.
    pub(super) fn without_events(&self) -> Self {
        Self { base: self.base.clone(), ..Self::default() }
    }

    /// The same, with these events, of an execution that has ended.
    pub(super) fn with(self, events: Vec<Event>) -> Self {
        Self { events, ..self }
    }

    /// The next page.
    pub(super) fn add(&mut self, page: HistoryPage) {
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
    pub(super) fn replay(
        &self,
        instance: InstanceId,
        execution: ExecutionId,
        stored: Replay,
    ) -> Verdict<Fingerprint> {
        let of = format!("execution {execution} of `{instance}`");
        let history = History::parse(stored.events).map_err(|error| {
            Wrong::of("replay", format!("the history of {of} is none: {error}"))
        })?;
        let function = match history.events().first().map(|event| &event.kind) {
            Some(EventKind::OrchestrationStarted { name, version, .. }) => version
                .parse()
                .ok()
                .and_then(|version| self.registry.orchestration(name, &version))
                .ok_or_else(|| {
                    Wrong::of("replay", format!("{of}: `{name}` {version} is not registered"))
                })?,
            other => return Err(Wrong::of("replay", format!("{of} begins with {other:?}"))),
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
        // What a split turn goes on to ask for is in no history yet.
        let goes_on = opening.history.events().last().is_some_and(|event| event.split);
        let mut coroutine = Coroutine::open(opening, function.clone());
        let outcome = coroutine.run_turn(nothing_new());
        if !goes_on && !outcome.commit.is_empty() {
            let asked = outcome.commit;
            let problem = format!("a replay of {of} asks for what is not in it: {asked:?}");
            return Err(Wrong::of("replay", problem));
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
