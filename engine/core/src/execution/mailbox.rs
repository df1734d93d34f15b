//! Unread mail and open waits: a bounded window per name over what the store keeps.
//! The oldest open wait of a name takes its oldest message; of several names the
//! oldest message goes first. Mail is never carried by value into history before that.

use super::MailName;
use crate::{ArrivalId, EventId, UnreadMail};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Messages of one name that are kept in memory; the rest stays in the store.
const WINDOW: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Mailbox {
    unread: BTreeMap<MailName, VecDeque<UnreadMail>>,
    /// Names with more in the store than in the window, and the last message known of each.
    more: BTreeMap<MailName, Option<ArrivalId>>,
    waits: BTreeMap<MailName, BTreeSet<EventId>>,
    /// Messages that became events of this execution: a second copy is a duplicate.
    taken: BTreeSet<ArrivalId>,
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
            self.more.remove(name);
        }
        for mail in unread {
            let window = self.unread.entry(mail_name(&mail)).or_default();
            let known = window.iter().any(|other| other.id == mail.id);
            if !known && !self.taken.contains(&mail.id) {
                window.push_back(mail);
            }
        }
        self.unread.retain(|_, window| !window.is_empty());
        for name in more {
            let last = self.unread.get(&name).and_then(|mail| mail.back()).map(|mail| mail.id);
            self.more.insert(name, last);
        }
    }

    pub(super) fn file(&mut self, mail: UnreadMail) -> Filed {
        let name = mail_name(&mail);
        if self.taken.contains(&mail.id) {
            return Filed::Duplicate;
        }
        if self.more.contains_key(&name) {
            return Filed::Unread; // it comes after what is still in the store
        }
        let window = self.unread.entry(name.clone()).or_default();
        if window.iter().any(|known| known.id == mail.id) {
            return Filed::Unread;
        }
        if window.len() < WINDOW {
            window.push_back(mail);
        } else {
            let last = window.back().map(|mail| mail.id);
            self.more.insert(name, last);
        }
        Filed::Unread
    }

    pub(super) fn open_wait(&mut self, name: &MailName, wait: EventId) {
        self.waits.entry(name.clone()).or_default().insert(wait);
    }

    pub(super) fn close_wait(&mut self, name: &MailName, wait: EventId) {
        if let Some(waits) = self.waits.get_mut(name) {
            waits.remove(&wait);
            if waits.is_empty() {
                self.waits.remove(name);
            }
        }
    }

    /// The next message to deliver, and the wait that takes it.
    pub(super) fn next_match(&self) -> Option<(EventId, &UnreadMail)> {
        self.waits
            .iter()
            .filter_map(|(name, waits)| {
                let mail = self.unread.get(name)?.front()?;
                Some((*waits.first()?, mail))
            })
            .min_by_key(|(_, mail)| (mail.at, mail.id))
    }

    /// The message became an event.
    pub(super) fn take(&mut self, name: &MailName, mail: ArrivalId) {
        self.taken.insert(mail);
        if let Some(unread) = self.unread.get_mut(name) {
            unread.retain(|known| known.id != mail);
            if unread.is_empty() {
                self.unread.remove(name);
            }
        }
    }

    /// Open waits that cannot be answered from the window although the store has more.
    pub(super) fn wants(&self) -> Vec<(MailName, Option<ArrivalId>)> {
        self.waits
            .keys()
            .filter(|name| !self.unread.contains_key(*name))
            .filter_map(|name| self.more.get(name).map(|last| (name.clone(), *last)))
            .collect()
    }

    pub(super) fn unread_ids(&self) -> Vec<(MailName, Vec<ArrivalId>)> {
        self.unread
            .iter()
            .map(|(name, mail)| (name.clone(), mail.iter().map(|m| m.id).collect()))
            .collect()
    }
}

fn mail_name(mail: &UnreadMail) -> MailName {
    MailName { channel: mail.channel, name: mail.name.clone() }
}
