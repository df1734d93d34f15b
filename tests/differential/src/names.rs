//! The names that a store makes itself, and one store's are not another's: incarnations, ids of
//! arrivals, revisions. Each store's are numbered in the order in which its answers show them.
//! While two stores give the same answers they number alike, so what is compared are numbers,
//! and a name given twice, or to the wrong thing, shows as a number that is not the other's.
//!
//! Calls are written in numbers too, and translated for each store on their way in. Times are
//! not names: the clocks stand at the same time, and stamps must be equal.

use crate::call::{Answer, Call, Refused};
use duroxide_core::{
    Arrival, ArrivalBody, ArrivalId, Event, EventKind, InstanceId, Origin, UnreadMail,
};
use duroxide_provider::{
    ActivityKey, CommitOutcome, CommitRefusal, CommitTurn, Held, Incarnation, InstanceInfo,
    InstanceKey, ProviderError, WakeSeq,
};
use std::collections::BTreeMap;

/// What a number that no answer has shown stands for: a name that no store ever makes.
const NEVER: u64 = 1 << 40;

/// One store's names, both ways.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    incarnations: Numbering,
    arrivals: Numbering,
    revisions: BTreeMap<InstanceKey, Revision>,
}

/// How often an instance was seen to have changed.
#[derive(Debug, Clone)]
struct Revision {
    of: duroxide_core::TimeMs,
    raw: u64,
    count: u64,
    before: Option<u64>,
}

#[derive(Debug, Clone, Default)]
struct Numbering {
    numbers: BTreeMap<u64, u64>,
    raw: Vec<u64>,
}

impl Numbering {
    fn number(&mut self, raw: u64) -> u64 {
        if let Some(number) = self.numbers.get(&raw) {
            return *number;
        }
        self.raw.push(raw);
        let number = self.raw.len() as u64;
        self.numbers.insert(raw, number);
        number
    }

    fn raw(&self, number: u64) -> u64 {
        let at = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        at.and_then(|at| self.raw.get(at)).copied().unwrap_or(NEVER + number)
    }
}

impl Names {
    /// A call in numbers, for this store.
    pub(crate) fn translate(&self, call: &Call) -> Call {
        let mut call = call.clone();
        match &mut call {
            Call::ReadHistory(request) => self.to_raw(&mut request.incarnation),
            Call::ReadMail(request) => {
                self.to_raw(&mut request.incarnation);
                for (_, after) in &mut request.names {
                    *after = after.map(|id| ArrivalId(self.arrivals.raw(id.0)));
                }
            }
            Call::CommitTurn(request) => self.translate_turn(request),
            Call::CompleteActivity(request) => self.to_raw(&mut request.activity.incarnation),
            Call::Renew(request) => self.translate_held(&mut request.held),
            Call::Release(request) => {
                self.translate_held(&mut request.held);
                if let Some((incarnation, _)) = &mut request.commit {
                    self.to_raw(incarnation);
                }
            }
            Call::Watch(request) => {
                let known = self.revisions.get(&request.key);
                request.seen = match request.seen {
                    Some(0) => known.map(|revision| revision.raw),
                    _ => known.and_then(|revision| revision.before),
                };
            }
            Call::LeaseOrchestrations(_)
            | Call::LeaseActivities(_)
            | Call::Submit(_)
            | Call::WaitForWork(_)
            | Call::Instance(_)
            | Call::Executions(_)
            | Call::History(..)
            | Call::Kv(_)
            | Call::List(..)
            | Call::Tree(_)
            | Call::Stats(_)
            | Call::Metrics
            | Call::Depths
            | Call::Unclaimed
            | Call::Delete(..)
            | Call::DeleteMany(_)
            | Call::Prune(..)
            | Call::Close => {}
        }
        call
    }

    fn to_raw(&self, incarnation: &mut Incarnation) {
        incarnation.0 = self.incarnations.raw(incarnation.0);
    }

    fn translate_turn(&self, request: &mut CommitTurn) {
        self.to_raw(&mut request.incarnation);
        for (activity, _) in &mut request.completed {
            self.to_raw(&mut activity.incarnation);
        }
        let turn = &mut request.turn;
        for id in turn.consumed.iter_mut().chain(&mut turn.seen) {
            id.0 = self.arrivals.raw(id.0);
        }
        for event in &mut turn.events {
            if let EventKind::MailDelivered { mail, .. } = &mut event.kind {
                mail.0 = self.arrivals.raw(mail.0);
            }
        }
    }

    fn translate_held(&self, held: &mut [Held]) {
        for held in held {
            match held {
                Held::Instance { incarnation, .. } => self.to_raw(incarnation),
                Held::Activity { activity, .. } => self.to_raw(&mut activity.incarnation),
            }
        }
    }

    /// An answer of this store, in numbers. An error says what no answer may look like.
    pub(crate) fn number(&mut self, call: &Call, mut answer: Answer) -> Result<Answer, String> {
        match &mut answer {
            Answer::Orchestrations(leased) => {
                leased.wake_seq = WakeSeq::default();
                for instance in &mut leased.instances {
                    self.incarnation(&mut instance.incarnation);
                    self.arrivals(&mut instance.arrivals)?;
                }
            }
            Answer::HistoryPage(page) => {
                self.events(&mut page.events);
                self.unread(&mut page.unread)?;
            }
            Answer::MailPage(page) => self.unread(&mut page.unread)?,
            Answer::Commit(CommitOutcome::Applied(applied)) => {
                self.arrivals(&mut applied.arrivals)?;
            }
            Answer::Commit(CommitOutcome::Refused(CommitRefusal::ActivityLost { activity })) => {
                self.activity(activity);
            }
            Answer::Activities(leased) => {
                leased.wake_seq = WakeSeq::default();
                for activity in &mut leased.activities {
                    self.activity(&mut activity.activity);
                }
                if !leased.activities.is_sorted_by_key(|activity| activity.ready_at) {
                    return Err(format!("activities out of order: {leased:?}"));
                }
                // Of equally old ones any may come first.
                leased.activities.sort_by_key(|activity| (activity.ready_at, activity.activity));
            }
            Answer::Woken(seq) => *seq = WakeSeq::default(),
            Answer::Events(events) => self.events(events),
            Answer::Instance(info) => self.revision(call, info.as_deref_mut()),
            Answer::Stats(Some(stats)) => {
                // How events are written is the store's own.
                stats.history_bytes = u64::from(stats.history_bytes > 0);
            }
            Answer::Tree(Some(tree)) => {
                if tree.ids.first() != Some(&tree.root) {
                    return Err(format!("a tree does not begin with its root: {tree:?}"));
                }
                // Parents come before children (`parents_first`); of siblings any may.
                tree.ids.sort();
            }
            Answer::Unclaimed(names) => {
                names
                    .orchestrations
                    .sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
                names.activities.sort_by(|a, b| a.name.cmp(&b.name));
            }
            Answer::Commit(CommitOutcome::Refused(
                CommitRefusal::Conflict | CommitRefusal::LeaseLost | CommitRefusal::Gone,
            ))
            | Answer::Fate(_)
            | Answer::States(_)
            | Answer::Submitted(_)
            | Answer::Executions(_)
            | Answer::Kv(_)
            | Answer::Page(_)
            | Answer::Tree(None)
            | Answer::Stats(None)
            | Answer::Metrics(_)
            | Answer::Depths(_)
            | Answer::Deleted(_)
            | Answer::Pruned(_)
            | Answer::Done => {}
        }
        Ok(answer)
    }

    /// An error of this store, in numbers.
    pub(crate) fn number_refused(&self, mut refused: Refused) -> Refused {
        // Of an incarnation that is gone nothing is left to say but its name.
        let gone = refused.about.as_ref().and_then(|about| about.strip_prefix("incarnation "));
        let number = gone.and_then(|raw| self.incarnations.numbers.get(&raw.parse().ok()?));
        if let Some(number) = number {
            refused.about = Some(format!("incarnation {number}, as numbered"));
        }
        refused
    }

    fn incarnation(&mut self, incarnation: &mut Incarnation) {
        incarnation.0 = self.incarnations.number(incarnation.0);
    }

    fn activity(&mut self, activity: &mut ActivityKey) {
        self.incarnation(&mut activity.incarnation);
    }

    /// Ordered by (time, id), but for a start, which comes first, and a termination, which may
    /// come out of its turn when there is more than a window.
    fn arrivals(&mut self, arrivals: &mut [Arrival]) -> Result<(), String> {
        let mut last = None;
        for arrival in arrivals.iter_mut() {
            let Origin::Inbox(id) = &mut arrival.origin else {
                return Err(format!("an arrival that is not in the inbox: {arrival:?}"));
            };
            let place = Some((arrival.at, *id));
            id.0 = self.arrivals.number(id.0);
            let anywhere =
                matches!(arrival.body, ArrivalBody::Start { .. } | ArrivalBody::Terminate { .. });
            if !anywhere && place <= last {
                return Err(format!("arrivals out of order: {arrivals:?}"));
            }
            if !anywhere {
                last = place;
            }
        }
        Ok(())
    }

    fn unread(&mut self, unread: &mut [UnreadMail]) -> Result<(), String> {
        if !unread.is_sorted_by_key(|mail| mail.id) {
            return Err(format!("unread mail out of order: {unread:?}"));
        }
        for mail in unread {
            mail.id.0 = self.arrivals.number(mail.id.0);
        }
        Ok(())
    }

    fn events(&mut self, events: &mut [Event]) {
        for event in events {
            if let EventKind::MailDelivered { mail, .. } = &mut event.kind {
                mail.0 = self.arrivals.number(mail.0);
            }
        }
    }

    /// Revisions only tell whether something changed: counted is how often it did.
    fn revision(&mut self, call: &Call, info: Option<&mut InstanceInfo>) {
        let Some(info) = info else {
            if let Call::Instance(key) | Call::Watch(duroxide_provider::WatchRequest { key, .. }) =
                call
            {
                self.revisions.remove(key);
            }
            return;
        };
        let (of, raw) = (info.created_at, info.revision);
        let known = self.revisions.entry(info.key.clone()).or_insert(Revision {
            of,
            raw,
            count: 0,
            before: None,
        });
        if known.of != of {
            *known = Revision { of, raw, count: 0, before: None };
        } else if known.raw != raw {
            let before = Some(known.raw);
            *known = Revision { of, raw, count: known.count + 1, before };
        }
        info.revision = known.count;
    }
}

/// That in every tree parents come before their children, as far as these answers tell whose
/// child an instance is.
pub(crate) fn parents_first(
    calls: &[Call],
    answers: &[Result<Answer, ProviderError>],
) -> Result<(), String> {
    let parents: BTreeMap<&InstanceKey, &InstanceId> = answers
        .iter()
        .filter_map(|answer| match answer {
            Ok(Answer::Instance(Some(info))) => Some((&info.key, info.parent.as_ref()?)),
            _ => None,
        })
        .collect();
    for (call, answer) in calls.iter().zip(answers) {
        let (Call::Tree(of), Ok(Answer::Tree(Some(tree)))) = (call, answer) else { continue };
        for (at, id) in tree.ids.iter().enumerate() {
            let key = InstanceKey { namespace: of.namespace.clone(), id: id.clone() };
            let parent = parents.get(&key);
            if parent.is_some_and(|parent| !tree.ids[..at].contains(parent)) {
                return Err(format!("a child does not come after its parent: {tree:?}"));
            }
        }
    }
    Ok(())
}
