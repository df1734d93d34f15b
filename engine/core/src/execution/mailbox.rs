//! Unread mail and open waits: a bounded window per name over what the store keeps.
//! The oldest open wait of a name takes its oldest message; of several names the
//! oldest message goes first. Mail is never carried by value into history before that.

use super::MailName;
use crate::{ArrivalId, EventId, TimeMs, UnreadMail};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Messages of one name that are kept in memory; the rest stays in the store.
const WINDOW: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Mailbox {
    names: BTreeMap<MailName, Name>,
    /// Messages of all windows.
    known: BTreeSet<ArrivalId>,
    /// Messages that became events of this execution: a second copy is a duplicate.
    taken: BTreeSet<ArrivalId>,
    /// Names with a wait and a message for it, by their oldest message.
    ready: BTreeSet<(TimeMs, ArrivalId, MailName)>,
    /// Names with a wait whose window ran dry although the store has more.
    dry: BTreeSet<MailName>,
}

/// What is known of one name.
#[derive(Debug, Default)]
struct Name {
    unread: VecDeque<UnreadMail>,
    /// The store has more than the window, after the message `last`.
    more: bool,
    last: Option<ArrivalId>,
    waits: BTreeSet<EventId>,
    /// Its place in `ready`.
    ready: Option<(TimeMs, ArrivalId)>,
}

/// What became of a message that arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Filed {
    /// Unread now, here or in the store.
    Unread,
    /// It was delivered before.
    Duplicate,
}

impl Mailbox {
    pub(super) fn new(unread: Vec<UnreadMail>, more: Vec<MailName>) -> Self {
        let mut mailbox = Self::default();
        mailbox.extend(unread, &[], more);
        mailbox
    }

    /// Take over what was read from the store for the names in `read`.
    pub(super) fn extend(
        &mut self,
        unread: Vec<UnreadMail>,
        read: &[MailName],
        more: Vec<MailName>,
    ) {
        for name in read {
            self.change(name, |known| known.more = false);
        }
        for mail in unread {
            if !self.taken.contains(&mail.id) && self.known.insert(mail.id) {
                self.change(&mail_name(&mail), |known| known.unread.push_back(mail));
            }
        }
        for name in more {
            self.change(&name, Name::has_more);
        }
    }

    pub(super) fn file(&mut self, mail: UnreadMail) -> Filed {
        if self.taken.contains(&mail.id) {
            return Filed::Duplicate;
        }
        let name = mail_name(&mail);
        // With more in the store it comes after that.
        let more = self.names.get(&name).is_some_and(|known| known.more);
        if more || self.known.contains(&mail.id) {
            return Filed::Unread;
        }
        let id = mail.id;
        let kept = self.change(&name, |known| {
            let room = known.unread.len() < WINDOW;
            if room {
                known.unread.push_back(mail);
            } else {
                known.has_more();
            }
            room
        });
        if kept {
            self.known.insert(id);
        }
        Filed::Unread
    }

    pub(super) fn open_wait(&mut self, name: &MailName, wait: EventId) {
        self.change(name, |known| known.waits.insert(wait));
    }

    pub(super) fn close_wait(&mut self, name: &MailName, wait: EventId) {
        self.change(name, |known| known.waits.remove(&wait));
    }

    /// The next message to deliver, and the wait that takes it.
    pub(super) fn next_match(&self) -> Option<(EventId, &UnreadMail)> {
        let (_, _, name) = self.ready.first()?;
        let known = self.names.get(name)?;
        Some((*known.waits.first()?, known.unread.front()?))
    }

    /// The message became an event.
    pub(super) fn take(&mut self, name: &MailName, mail: ArrivalId) {
        self.taken.insert(mail);
        if self.known.remove(&mail) {
            self.change(name, |known| {
                if known.unread.front().is_some_and(|front| front.id == mail) {
                    known.unread.pop_front();
                } else {
                    known.unread.retain(|other| other.id != mail);
                }
            });
        }
    }

    /// Open waits that cannot be answered from the window although the store has more.
    pub(super) fn wants(&self) -> Vec<(MailName, Option<ArrivalId>)> {
        let last = |name| self.names.get(name).and_then(|known| known.last);
        self.dry.iter().map(|name| (name.clone(), last(name))).collect()
    }

    /// Whether mail must be read before anything else can be delivered.
    pub(super) fn is_dry(&self) -> bool {
        !self.dry.is_empty()
    }

    pub(super) fn unread_ids(&self) -> Vec<(MailName, Vec<ArrivalId>)> {
        let ids = |known: &Name| known.unread.iter().map(|mail| mail.id).collect();
        let unread = self.names.iter().filter(|(_, known)| !known.unread.is_empty());
        unread.map(|(name, known)| (name.clone(), ids(known))).collect()
    }

    /// Change what is known of a name, and keep `ready` and `dry` true.
    fn change<T>(&mut self, name: &MailName, change: impl FnOnce(&mut Name) -> T) -> T {
        let known = self.names.entry(name.clone()).or_default();
        let result = change(known);
        let waited = !known.waits.is_empty();
        let front = known.unread.front().filter(|_| waited).map(|mail| (mail.at, mail.id));
        if known.ready != front {
            if let Some((at, id)) = std::mem::replace(&mut known.ready, front) {
                self.ready.remove(&(at, id, name.clone()));
            }
            self.ready.extend(front.map(|(at, id)| (at, id, name.clone())));
        }
        if waited && front.is_none() && known.more {
            self.dry.insert(name.clone());
        } else {
            self.dry.remove(name);
        }
        if !waited && known.unread.is_empty() && !known.more {
            self.names.remove(name);
        }
        result
    }
}

impl Name {
    fn has_more(&mut self) {
        self.more = true;
        self.last = self.unread.back().map(|mail| mail.id);
    }
}

fn mail_name(mail: &UnreadMail) -> MailName {
    MailName { channel: mail.channel, name: mail.name.clone() }
}
