//! Oracle "mail": what clients send to an instance (messages, cancels, terminations) is
//! there when a node takes the instance, in the order in which it was sent, once; and each
//! message goes to a wait before any that was sent after it. Across executions too.

use super::fact::{Accepted, Fact, Handed, Oracle, Span, wrong};
use crate::report::phrases::submission;
use crate::wrong::Verdict;
use duroxide_core::{
    Arrival, ArrivalBody, ArrivalId, Event, EventKind, MailName, Origin, UnreadMail,
};
use duroxide_provider::{
    CommitId, HistoryPage, InstanceKey, RequestId, Submission, Submit, Submitted,
};
use std::collections::{BTreeMap, BTreeSet};

const NAME: &str = "mail";
/// Why a parent terminates its children.
const BY_PARENT: &str = "parent terminated";

/// All that was sent, by instance.
#[derive(Default)]
pub(crate) struct Mail(BTreeMap<InstanceKey, Post>);

#[derive(Default)]
struct Post {
    sent: Vec<Sent>,
    requests: BTreeMap<RequestId, usize>,
    ids: BTreeMap<ArrivalId, usize>,
    /// Turns that may have been accepted.
    in_flight: BTreeSet<CommitId>,
}

/// Something that a client sent.
struct Sent {
    what: Submission,
    began: u64,
    /// Since when it is certain that it was accepted.
    accepted: Option<u64>,
    /// The store's name for it.
    id: Option<ArrivalId>,
    /// A turn has looked at it and left it.
    seen: Option<u64>,
    /// A turn has taken it.
    taken: Option<u64>,
}

impl Sent {
    /// Accepted before a moment, and nothing has become of it.
    fn waits_at(&self, moment: u64) -> bool {
        self.taken.is_none() && self.accepted.is_some_and(|accepted| accepted < moment)
    }
}

impl Oracle for Mail {
    fn see(&mut self, fact: &Fact<'_>, span: Span) -> Verdict {
        if let Fact::Submitting(request) = fact {
            self.submitting(request, span);
        }
        if let Fact::Submitted(request, answer) = fact {
            self.submitted(request, *answer, span);
        }
        if let Fact::Handed(handed) = fact {
            self.of(handed.key).handed(handed, span).or_else(|p| wrong(NAME, handed.key, p))?;
        }
        if let Fact::Committing(key, request) = fact {
            self.of(key).in_flight.insert(request.commit_id);
        }
        if let Fact::Committed(accepted) = fact {
            let post = self.of(accepted.key);
            post.committed(accepted, span).or_else(|p| wrong(NAME, accepted.key, p))?;
        }
        if let Fact::Read(key, request, page) = fact
            && request.from == duroxide_core::EventId::FIRST
        {
            self.of(key).opened(page, span).or_else(|problem| wrong(NAME, key, problem))?;
        }
        if let Fact::MailRead(key, page) = fact {
            let post = self.of(key);
            let bound = page.unread.iter().try_for_each(|mail| post.unread(mail, span));
            bound.or_else(|problem| wrong(NAME, key, problem))?;
        }
        Ok(())
    }
}

impl Mail {
    fn of(&mut self, key: &InstanceKey) -> &mut Post {
        self.0.entry(key.clone()).or_default()
    }

    fn submitting(&mut self, request: &Submit, span: Span) {
        let post = self.of(&request.key);
        if matches!(request.what, Submission::Start { .. })
            || post.requests.contains_key(&request.request)
        {
            return;
        }
        post.requests.insert(request.request, post.sent.len());
        post.sent.push(Sent {
            what: request.what.clone(),
            began: span.began,
            accepted: None,
            id: None,
            seen: None,
            taken: None,
        });
    }

    fn submitted(&mut self, request: &Submit, answer: Submitted, span: Span) {
        let post = self.of(&request.key);
        if let Some(place) = post.requests.get(&request.request)
            && answer == Submitted::Accepted
        {
            let place = *place;
            post.accepted(place, span);
        }
    }
}

type Told<T = ()> = Result<T, String>;

impl Post {
    /// It is certain that this one is there. Of those that say the same, one that is certain
    /// is it rather than one that may have been lost.
    fn accepted(&mut self, place: usize, span: Span) {
        self.sent[place].accepted.get_or_insert(span.ended);
        let is_other = |sent: &&mut Sent, what: &Submission| {
            sent.accepted.is_none() && sent.id.is_some() && sent.what == *what
        };
        let what = self.sent[place].what.clone();
        if self.sent[place].id.is_none()
            && let Some(other) = self.sent.iter_mut().find(|sent| is_other(sent, &what))
        {
            let (id, seen, taken) = (other.id.take(), other.seen.take(), other.taken.take());
            let sent = &mut self.sent[place];
            (sent.id, sent.seen, sent.taken) = (id, seen, taken);
            self.ids.extend(id.map(|id| (id, place)));
        }
    }

    /// When it was sent at the earliest: it may be another one that says the same, of which
    /// nobody knows whether it arrived.
    fn began(&self, place: usize) -> u64 {
        let own = &self.sent[place];
        let same = self.sent.iter().filter(|sent| sent.accepted.is_none() && sent.what == own.what);
        same.map(|sent| sent.began).chain([own.began]).min().unwrap_or(own.began)
    }

    /// Whether one was certainly sent before another.
    fn is_before(&self, sent: &Sent, other: usize) -> bool {
        sent.accepted.is_some_and(|accepted| accepted < self.began(other))
    }

    /// Which message that is; `None` if a parent sent it.
    fn bind(&mut self, id: ArrivalId, what: &Submission) -> Told<Option<usize>> {
        if let Some(place) = self.ids.get(&id) {
            let known = &self.sent[*place].what;
            return if known == what {
                Ok(Some(*place))
            } else {
                Err(format!(
                    "message {} was {}, and is {}",
                    id.0,
                    submission(known),
                    submission(what)
                ))
            };
        }
        // Of several alike the one that is known to be there, else any.
        let fits = |sent: &Sent| sent.id.is_none() && sent.what == *what;
        let known = self.sent.iter().position(|sent| fits(sent) && sent.accepted.is_some());
        let place = known.or_else(|| self.sent.iter().position(fits));
        let found = place.map(|place| (place, &mut self.sent[place]));
        let Some((place, sent)) = found else {
            let by_parent = matches!(what, Submission::Terminate { reason } if reason == BY_PARENT);
            return if by_parent {
                Ok(None)
            } else {
                let what = submission(what);
                Err(format!("it got {what}, which nobody sent, or once more than it was sent"))
            };
        };
        sent.id = Some(id);
        self.ids.insert(id, place);
        Ok(Some(place))
    }

    fn handed(&mut self, handed: &Handed<'_>, span: Span) -> Told {
        let (mut places, mut latest) = (BTreeSet::new(), None::<usize>);
        for arrival in handed.arrivals {
            let Some((id, what)) = sent_by_client(arrival) else { continue };
            let Some(place) = self.bind(id, &what)? else { continue };
            let sent = &self.sent[place];
            if sent.taken.is_some_and(|taken| taken < span.began) {
                let what = submission(&what);
                return Err(format!("it got {what} again, after a turn had taken it"));
            }
            if let Some(before) = latest
                && self.is_before(sent, before)
            {
                return Err(format!(
                    "it got {} before {}, which was sent first",
                    submission(&self.sent[before].what),
                    submission(&what)
                ));
            }
            if latest.is_none_or(|latest| self.began(latest) < self.began(place)) {
                latest = Some(place);
            }
            places.insert(place);
        }
        let missing = self.sent.iter().enumerate().find(|(place, sent)| {
            !handed.more
                && sent.seen.is_none()
                && sent.waits_at(span.began)
                && !places.contains(place)
        });
        match missing {
            Some((_, sent)) => {
                let what = submission(&sent.what);
                Err(format!("{what} was acknowledged, and is not in the inbox"))
            }
            None => Ok(()),
        }
    }

    fn committed(&mut self, accepted: &Accepted<'_>, span: Span) -> Told {
        let turn = &accepted.request.turn;
        self.in_flight.remove(&accepted.request.commit_id);
        for event in &turn.events {
            self.delivered(event, span)?;
        }
        for id in &turn.consumed {
            let Some(place) = self.ids.get(id) else { continue };
            let sent = &mut self.sent[*place];
            let is_mail = matches!(sent.what, Submission::Mail { .. });
            if is_mail && sent.taken.is_none() && turn.end.is_none() {
                return Err(format!("{} was thrown away", submission(&sent.what)));
            }
            sent.taken.get_or_insert(span.ended);
        }
        for id in &turn.seen {
            if let Some(place) = self.ids.get(id) {
                self.sent[*place].seen.get_or_insert(span.ended);
            }
        }
        Ok(())
    }

    fn delivered(&mut self, event: &Event, span: Span) -> Told {
        let EventKind::MailDelivered { mail, channel, name, data, .. } = &event.kind else {
            return Ok(());
        };
        let mailbox = MailName { channel: *channel, name: name.clone() };
        let what = Submission::Mail { mailbox: mailbox.clone(), data: data.clone() };
        let Some(place) = self.bind(*mail, &what)? else { return Ok(()) };
        if self.sent[place].taken.is_some() {
            let what = submission(&what);
            return Err(format!("{what} was delivered twice, again at event {}", event.id));
        }
        let overtaken = self.sent.iter().find(|sent| {
            sent.taken.is_none()
                && self.is_before(sent, place)
                && matches!(&sent.what, Submission::Mail { mailbox: of, .. } if *of == mailbox)
        });
        if let Some(overtaken) = overtaken {
            return Err(format!(
                "{} was delivered before {}, which was sent first",
                submission(&what),
                submission(&overtaken.what)
            ));
        }
        self.sent[place].taken = Some(span.ended);
        Ok(())
    }

    /// An execution was opened: what turns have left is there.
    fn opened(&mut self, page: &HistoryPage, span: Span) -> Told {
        let mut listed = BTreeSet::new();
        for mail in &page.unread {
            self.unread(mail, span)?;
            listed.insert(mail.id);
        }
        if !self.in_flight.is_empty() {
            return Ok(());
        }
        let missing = self.sent.iter().find(|sent| {
            let Submission::Mail { mailbox, .. } = &sent.what else { return false };
            sent.seen.is_some_and(|seen| seen < span.began)
                && sent.taken.is_none()
                && !page.more_mail.contains(mailbox)
                && sent.id.is_some_and(|id| !listed.contains(&id))
        });
        match missing {
            Some(sent) => Err(format!("{} was left unread, and is gone", submission(&sent.what))),
            None => Ok(()),
        }
    }

    fn unread(&mut self, mail: &UnreadMail, span: Span) -> Told {
        let mailbox = MailName { channel: mail.channel, name: mail.name.clone() };
        let what = Submission::Mail { mailbox, data: mail.data.clone() };
        let place = self.bind(mail.id, &what)?;
        let taken = place.and_then(|place| self.sent[place].taken);
        if taken.is_some_and(|taken| taken < span.began) {
            let what = submission(&what);
            return Err(format!("{what} is unread again, after a turn had taken it"));
        }
        Ok(())
    }
}

/// What a client sent; parents cancel, too, and are told by that.
fn sent_by_client(arrival: &Arrival) -> Option<(ArrivalId, Submission)> {
    let Origin::Inbox(id) = arrival.origin else { return None };
    let what = match &arrival.body {
        ArrivalBody::Mail { channel, name, data } => {
            let mailbox = MailName { channel: *channel, name: name.clone() };
            Submission::Mail { mailbox, data: data.clone() }
        }
        ArrivalBody::Cancel { reason, from_parent: false } => {
            Submission::Cancel { reason: reason.clone() }
        }
        ArrivalBody::Terminate { reason } => Submission::Terminate { reason: reason.clone() },
        ArrivalBody::Cancel { from_parent: true, .. }
        | ArrivalBody::Start { .. }
        | ArrivalBody::ActivityDone { .. }
        | ArrivalBody::TimerDue { .. }
        | ArrivalBody::ChildDone { .. } => return None,
    };
    Some((id, what))
}

#[cfg(test)]
mod tests {
    use super::super::build::{Feed, arrived, delivered, mail, started, turn, waits};
    use super::*;

    /// Two messages sent one after the other, to an instance that waits.
    fn feed() -> Feed<Mail> {
        let mut feed = Feed::new(Mail::default());
        feed.submit(&mail(1, "x"), Submitted::Accepted).unwrap();
        feed.submit(&mail(2, "y"), Submitted::Accepted).unwrap();
        feed.commit(&turn(None, 1, vec![started(), waits(2), waits(3)])).unwrap();
        feed
    }

    #[test]
    fn messages_that_arrive_and_are_delivered_in_order_pass() {
        let mut feed = feed();
        feed.hand(&[arrived(10, "x"), arrived(11, "y")]).unwrap();
        let turn = turn(Some(1), 2, vec![delivered(4, 2, 10, "x"), delivered(5, 3, 11, "y")]);
        feed.commit(&turn.at(4)).unwrap();
        feed.hand(&[]).unwrap();
    }

    #[test]
    fn a_message_that_was_sent_again_for_want_of_an_answer_may_have_arrived_once() {
        let mut feed = Feed::new(Mail::default());
        feed.see(&Fact::Submitting(&mail(1, "x"))).unwrap();
        feed.submit(&mail(2, "y"), Submitted::Accepted).unwrap();
        feed.see(&Fact::Submitting(&mail(3, "x"))).unwrap();
        feed.hand(&[arrived(10, "x"), arrived(11, "y")]).unwrap();
        feed.see(&Fact::Submitted(&mail(3, "x"), Submitted::Accepted)).unwrap();
        feed.hand(&[arrived(10, "x"), arrived(11, "y")]).unwrap();
        feed.wrong(|feed| feed.hand(&[arrived(11, "y")]), NAME, "is not in the inbox");
    }

    #[test]
    fn a_lost_message_is_found_by_whoever_takes_the_instance() {
        let mut feed = feed();
        feed.wrong(|feed| feed.hand(&[arrived(10, "x")]), NAME, "is not in the inbox");
    }

    #[test]
    fn a_message_twice_or_of_nobody_or_out_of_order_is_found() {
        let mut feed = feed();
        let twice = [arrived(10, "x"), arrived(11, "x"), arrived(12, "y")];
        feed.wrong(|feed| feed.hand(&twice), NAME, "once more than it was sent");
        feed.wrong(|feed| feed.hand(&[arrived(12, "y"), arrived(10, "x")]), NAME, "sent first");
    }

    #[test]
    fn a_later_message_delivered_first_and_one_delivered_twice_are_found() {
        let mut feed = feed();
        feed.hand(&[arrived(10, "x"), arrived(11, "y")]).unwrap();
        let overtakes = turn(Some(1), 2, vec![delivered(4, 2, 11, "y")]).at(4);
        feed.wrong(|feed| feed.commit(&overtakes), NAME, "which was sent first");
        feed.commit(&turn(Some(1), 2, vec![delivered(4, 2, 10, "x")]).at(4)).unwrap();
        let again = turn(Some(2), 3, vec![delivered(5, 3, 10, "x")]).at(5);
        feed.wrong(|feed| feed.commit(&again), NAME, "delivered twice");
        feed.wrong(|feed| feed.hand(&[arrived(10, "x")]), NAME, "again, after");
    }

    #[test]
    fn a_message_that_is_left_unread_stays_and_is_not_thrown_away() {
        let mut feed = feed();
        feed.hand(&[arrived(10, "x"), arrived(11, "y")]).unwrap();
        let mut throws = turn(Some(1), 2, Vec::new()).at(4);
        throws.turn.consumed.push(ArrivalId(10));
        feed.wrong(|feed| feed.commit(&throws), NAME, "thrown away");
        let mut leaves = turn(Some(1), 3, Vec::new()).at(4);
        leaves.turn.seen.extend([ArrivalId(10), ArrivalId(11)]);
        feed.commit(&leaves).unwrap();
        feed.oracle.of(&super::super::build::key()).in_flight.clear();
        feed.wrong(|feed| feed.open(&["x"]), NAME, "left unread, and is gone");
        feed.open(&["x", "y"]).unwrap();
    }
}
