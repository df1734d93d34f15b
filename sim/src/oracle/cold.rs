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

    /// The same, with no mail that it could go on with.
    pub(super) fn without_mail(self) -> Self {
        Self { unread: Vec::new(), more_mail: Vec::new(), ..self }
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
        let mut coroutine = Coroutine::open(opening, function.clone());
        let outcome = coroutine.run_turn(nothing_new());
        if !outcome.commit.is_empty() {
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

#[cfg(test)]
mod tests {
    use super::super::build::{started, waits};
    use super::*;
    use duroxide_core::{ArrivalId, Channel, Payload, TimeMs};
    use duroxide_sdk::{OrchestrationContext, OrchestrationError};

    async fn takes_one(ctx: OrchestrationContext, _: u64) -> Result<u64, OrchestrationError> {
        ctx.wait_event::<u64>("go").await
    }

    #[test]
    fn a_turn_that_goes_on_with_mail_replays_to_where_it_is_when_it_has_none() {
        let (channel, name) = (Channel::Event, "go".to_owned());
        let (id, at, data) = (ArrivalId(10), TimeMs(1_000), Payload::json("1"));
        let page = HistoryPage {
            events: vec![started(), waits(2)],
            next: None,
            base: Some(Base::default()),
            unread: vec![UnreadMail { id, at, channel, name, data }],
            more_mail: Vec::new(),
        };
        let registry = Registry::builder().register_orchestration("n", takes_one).build();
        let cold = Cold::new(registry.unwrap(), Limits::default());
        let mut stored = Replay::default();
        stored.add(page);
        let replay = |stored| cold.replay("a".into(), ExecutionId::FIRST, stored);
        let wrong = replay(stored.clone()).unwrap_err();
        assert!(wrong.sentence.contains("asks for what is not in it"), "{wrong}");
        let state = replay(stored.without_mail()).unwrap();
        assert_eq!((state.open.len(), state.unread.len()), (1, 0));
    }
}
