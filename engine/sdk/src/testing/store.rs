//! What a store keeps of one instance, in memory: enough to apply a turn's commit and to
//! open the next copy from. Not a provider: no leases, no clock, nobody else.

use duroxide_core::{
    Arrival, ArrivalBody, Base, Commit, End, Event, EventId, ExecutionId, History, InstanceId,
    KvChange, KvEntry, Limits, NewActivity, NewStart, NewTimer, Opening, Origin, TimeMs,
    UnreadMail,
};

#[derive(Debug)]
pub(super) struct Store {
    pub(super) instance: InstanceId,
    pub(super) executions: Vec<Vec<Event>>,
    /// Status and values as of the start of the current execution.
    base: Base,
    /// Status and values as of now.
    pub(super) current: Base,
    /// Seen by a turn and not taken.
    unread: Vec<UnreadMail>,
    pub(super) activities: Vec<NewActivity>,
    /// With the time at which each is due.
    pub(super) timers: Vec<(TimeMs, NewTimer)>,
    pub(super) children: Vec<NewStart>,
    pub(super) end: Option<End>,
}

impl Store {
    pub(super) fn new(instance: InstanceId) -> Self {
        Self {
            instance,
            executions: vec![Vec::new()],
            base: Base::default(),
            current: Base::default(),
            unread: Vec::new(),
            activities: Vec::new(),
            timers: Vec::new(),
            children: Vec::new(),
            end: None,
        }
    }

    pub(super) fn history(&self) -> &[Event] {
        self.executions.last().map_or(&[], Vec::as_slice)
    }

    pub(super) fn opening(&self) -> Opening {
        let history = match History::parse(self.history().to_vec()) {
            Ok(history) => history,
            Err(error) => panic!("a turn recorded what is not a history: {error}"),
        };
        Opening {
            instance: self.instance.clone(),
            execution: ExecutionId(self.executions.len() as u64),
            history,
            base: self.base.clone(),
            unread: self.unread.clone(),
            more_mail: Vec::new(),
            limits: Limits::default(),
        }
    }

    pub(super) fn apply(&mut self, commit: &Commit, arrived: &[Arrival], now: TimeMs) {
        if let Some(history) = self.executions.last_mut() {
            history.extend(commit.events.iter().cloned());
        }
        self.activities.extend(commit.activities.iter().cloned());
        self.activities.retain(|activity| !commit.cancelled_activities.contains(&activity.event));
        let due = |timer: &NewTimer| (now.plus(timer.delay_ms), timer.clone());
        self.timers.extend(commit.timers.iter().map(due));
        self.timers.retain(|(_, timer)| !commit.cancelled_timers.contains(&timer.event));
        self.children.extend(commit.starts.iter().filter(|start| !start.detached).cloned());
        self.children.retain(|child| commit.sends.iter().all(|send| send.child != child.event));
        self.unread.extend(arrived.iter().filter_map(|arrival| seen_mail(commit, arrival)));
        self.unread.retain(|mail| !commit.consumed.contains(&mail.id));
        if let Some(change) = &commit.status {
            self.current.status.clone_from(&change.status);
        }
        commit.kv.iter().for_each(|change| apply_kv(&mut self.current.kv, change));
        match &commit.end {
            None => {}
            Some(End::ContinuedAsNew { .. }) => self.close(),
            Some(End::Completed { .. } | End::Failed { .. } | End::Terminated { .. }) => {
                self.close();
                self.end.clone_from(&commit.end);
            }
        }
    }

    /// Mail, status and values go on.
    pub(super) fn next_execution(&mut self) {
        self.executions.push(Vec::new());
        self.base = self.current.clone();
    }

    pub(super) fn take_activity(&mut self, name: &str) -> NewActivity {
        match self.activities.iter().position(|activity| activity.name == name) {
            Some(index) => self.activities.remove(index),
            None => panic!("no activity {name:?} is open, only {:?}", self.activities),
        }
    }

    pub(super) fn take_first_timer(&mut self) -> (TimeMs, EventId) {
        let timers = self.timers.iter().enumerate();
        match timers.min_by_key(|(_, (due, timer))| (*due, timer.event)) {
            Some((index, _)) => {
                let (due, timer) = self.timers.remove(index);
                (due, timer.event)
            }
            None => panic!("no timer is open"),
        }
    }

    pub(super) fn take_child(&mut self, name: &str) -> EventId {
        match self.children.iter().position(|child| child.name == name) {
            Some(index) => self.children.remove(index).event,
            None => panic!("no child {name:?} is open, only {:?}", self.children),
        }
    }

    /// What an execution still had open ends with it.
    fn close(&mut self) {
        self.activities.clear();
        self.timers.clear();
        self.children.clear();
    }
}

fn seen_mail(commit: &Commit, arrival: &Arrival) -> Option<UnreadMail> {
    let Origin::Inbox(id) = arrival.origin else { return None };
    let ArrivalBody::Mail { channel, name, data } = &arrival.body else { return None };
    commit.seen.contains(&id).then(|| UnreadMail {
        id,
        at: arrival.at,
        channel: *channel,
        name: name.clone(),
        data: data.clone(),
    })
}

pub(super) fn apply_kv(kv: &mut Vec<KvEntry>, change: &KvChange) {
    match change {
        KvChange::Set { key, value, at } => {
            kv.retain(|entry| entry.key != *key);
            kv.push(KvEntry { key: key.clone(), value: value.clone(), updated_at: *at });
            kv.sort_by(|a, b| a.key.cmp(&b.key));
        }
        KvChange::Clear { key } => kv.retain(|entry| entry.key != *key),
        KvChange::ClearAll => kv.clear(),
    }
}
