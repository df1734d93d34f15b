//! Rules on messages: each has an id of its own in its data, so that what was sent can be found
//! in what was delivered.

use crate::chaos::{Evidence, Message};
use duroxide_core::{ArrivalId, EventKind};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
struct Data {
    mid: String,
}

/// A message that a history says was delivered.
struct Delivery<'a> {
    mid: String,
    to: &'a str,
    name: &'a str,
    mail: ArrivalId,
}

fn deliveries(evidence: &Evidence) -> Vec<Delivery<'_>> {
    let mut deliveries = Vec::new();
    for (to, _, event) in evidence.histories.events() {
        if let EventKind::MailDelivered { mail, name, data, .. } = &event.kind {
            let data: Option<Data> = serde_json::from_slice(data.bytes()).ok();
            let mid = data.map_or_else(String::new, |data| data.mid);
            deliveries.push(Delivery { mid, to, name, mail: *mail });
        }
    }
    deliveries
}

fn sent(evidence: &Evidence) -> BTreeMap<&str, (usize, &Message)> {
    let mail = evidence.mail.iter().enumerate();
    mail.map(|(n, message)| (message.mid.as_str(), (n, message))).collect()
}

/// The attempts of one activity send messages of their own; this is what they have in common.
fn sender(mid: &str) -> &str {
    mid.rsplit_once('/').map_or(mid, |(activity, _)| activity)
}

/// Each message of a client arrives; of the attempts of an activity, the message of one: what a
/// dead attempt has sent, its orchestration may not wait for.
pub(super) fn lost(evidence: &Evidence) -> Vec<String> {
    let deliveries = deliveries(evidence);
    let delivered: BTreeSet<_> = deliveries.iter().map(|delivery| delivery.mid.as_str()).collect();
    let heard: BTreeSet<_> = delivered.iter().map(|mid| sender(mid)).collect();
    let is_lost = |message: &&Message| {
        let arrived = if message.by_client {
            delivered.contains(message.mid.as_str())
        } else {
            heard.contains(sender(&message.mid))
        };
        message.acknowledged && !arrived
    };
    let lost = evidence.mail.iter().filter(is_lost);
    lost.map(|message| format!("`{}`, to `{}`", message.mid, message.to)).collect()
}

pub(super) fn twice(evidence: &Evidence) -> Vec<String> {
    let (mut mids, mut mails) = (BTreeSet::new(), BTreeSet::new());
    let mut wrong = Vec::new();
    for Delivery { mid, to, mail, .. } in deliveries(evidence) {
        if !mails.insert((to, mail)) {
            wrong.push(format!("the message {} to `{to}`", mail.0));
        }
        if mids.contains(&mid) {
            wrong.push(format!("`{mid}`, to `{to}`"));
        }
        mids.insert(mid);
    }
    wrong
}

pub(super) fn unsent(evidence: &Evidence) -> Vec<String> {
    let sent = sent(evidence);
    let mut wrong = Vec::new();
    for Delivery { mid, to, name, .. } in deliveries(evidence) {
        match sent.get(mid.as_str()) {
            Some((_, message)) if (message.to.as_str(), message.name.as_str()) == (to, name) => {}
            Some((_, message)) => {
                wrong.push(format!("`{mid}` for {message:?} came to `{to}` as `{name}`"));
            }
            None => wrong.push(format!("`{mid}` came to `{to}`")),
        }
    }
    wrong
}

/// What one client sends to one name, one after the other.
pub(super) fn order(evidence: &Evidence) -> Vec<String> {
    let sent = sent(evidence);
    let mut last: BTreeMap<(&str, &str), (usize, String)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for Delivery { mid, to, name, .. } in deliveries(evidence) {
        let Some((place, _)) = sent.get(mid.as_str()).filter(|(_, message)| message.by_client)
        else {
            continue;
        };
        if let Some((before, other)) = last.get(&(to, name))
            && before > place
        {
            wrong.push(format!("`{to}` got `{mid}` after `{other}`"));
        }
        last.insert((to, name), (*place, mid));
    }
    wrong
}
