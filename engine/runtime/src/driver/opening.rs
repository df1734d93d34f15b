//! Reads what an execution is opened from, when no live copy of it is here.

use super::Driver;
use duroxide_core::{Base, EventId, ExecutionId, History, Opening};
use duroxide_provider::{HistoryPage, ProviderError, ReadHistory};

/// How much history one read asks for.
const PAGE_BYTES: usize = 1 << 20;

/// Why an execution cannot be opened.
pub(super) enum Unopened {
    /// The lease is not held any more, or there is no such instance.
    Gone,
    /// What is stored cannot be used. Says why.
    Corrupt(String),
}

impl Driver {
    pub(super) async fn open(&self) -> Result<Box<Opening>, Unopened> {
        let new = self.place.next_event == EventId::FIRST;
        let first = if new && self.place.execution == ExecutionId::FIRST {
            // Nothing has happened yet: there is nothing to read.
            let (events, unread, more_mail) = (Vec::new(), Vec::new(), Vec::new());
            HistoryPage { events, next: None, base: None, unread, more_mail }
        } else {
            self.read(EventId::FIRST).await?
        };
        let HistoryPage { mut events, mut next, base, unread, more_mail } = first;
        while let Some(from) = next {
            let mut page = self.read(from).await?;
            events.append(&mut page.events);
            next = page.next;
        }
        let history = History::parse(events).map_err(|e| Unopened::Corrupt(e.to_string()))?;
        let found = history.events().len() as u64 + 1;
        if found != self.place.next_event.0 {
            let expected = self.place.next_event;
            let problem =
                format!("the history ends before {}, not before {expected}", EventId(found));
            return Err(Unopened::Corrupt(problem));
        }
        Ok(Box::new(Opening {
            instance: self.key.id.clone(),
            execution: self.place.execution,
            history,
            base: base.unwrap_or_else(Base::default),
            unread,
            more_mail,
            limits: self.node.limits.clone(),
        }))
    }

    pub(super) async fn read(&self, from: EventId) -> Result<HistoryPage, Unopened> {
        let request = ReadHistory {
            incarnation: self.incarnation,
            execution: self.place.execution,
            lease: self.lease,
            from,
            max_bytes: PAGE_BYTES,
        };
        self.node.metrics.fetches.one();
        match self.node.insist(|| self.node.store.read_history(request.clone())).await {
            Ok(page) => Ok(page),
            Err(error @ ProviderError::Corrupt { .. }) => Err(Unopened::Corrupt(error.to_string())),
            Err(_) => Err(Unopened::Gone),
        }
    }
}
