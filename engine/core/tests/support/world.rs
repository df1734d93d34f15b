//! The world around one execution: a store in small that answers commits with arrivals,
//! in an order and at times drawn from a list of numbers (so that proptest can shrink it).

use super::program::{Coroutine, Program};
use duroxide_core::*;
use std::collections::BTreeSet;

/// Everything a run of a program left behind.
#[derive(Debug, Default, Clone)]
pub(crate) struct Run {
    pub(crate) history: Vec<Event>,
    /// What arrived, in order; the first is the start.
    pub(crate) arrivals: Vec<Arrival>,
    /// Where each turn ended in the history, with the fingerprint and what the code had
    /// seen by then, and the mail unread in the store.
    pub(crate) turns: Vec<TurnEnd>,
    pub(crate) end: Option<End>,
    pub(crate) cancels: usize,
    /// Arrivals of the first turn.
    pub(crate) first: usize,
    pub(crate) dropped: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct TurnEnd {
    pub(crate) events: usize,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) waiting: Option<String>,
    pub(crate) seen: Vec<String>,
    pub(crate) unread: Vec<UnreadMail>,
    /// The turn was cut short while a wait could take mail: a cold copy would go on.
    pub(crate) cut: bool,
}

/// Numbers that decide what happens next.
#[derive(Debug, Clone)]
pub(crate) struct Dice<'a>(&'a [u32], usize);

impl<'a> Dice<'a> {
    pub(crate) fn new(numbers: &'a [u32]) -> Self {
        Self(numbers, 0)
    }

    /// A number below `sides`; 0 when the list is used up.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        let number = self.0.get(self.1).copied().unwrap_or(0);
        self.1 += 1;
        number as usize % sides.max(1)
    }

    pub(crate) fn is_used_up(&self) -> bool {
        self.1 >= self.0.len()
    }
}

pub(crate) fn opening(history: Vec<Event>, unread: Vec<UnreadMail>, limits: &Limits) -> Opening {
    Opening {
        instance: "inst".into(),
        execution: ExecutionId::FIRST,
        history: History::parse(history).expect("a well-formed history"),
        base: Base {
            status: Some("inherited".into()),
            kv: vec![KvEntry { key: "k0".into(), value: "old".into(), updated_at: TimeMs(1) }],
        },
        unread,
        more_mail: Vec::new(),
        limits: limits.clone(),
    }
}

pub(crate) fn turn(arrivals: Vec<Arrival>) -> TurnInput {
    TurnInput {
        arrivals,
        unread: Vec::new(),
        mail_read: Vec::new(),
        more_mail: Vec::new(),
        nonce: Nonce(0xfeed),
        flags: CompatFlags::NONE,
        raise: CompatFlags::NONE,
    }
}

pub(crate) fn start() -> Arrival {
    Arrival {
        origin: Origin::Inbox(ArrivalId(0)),
        at: TimeMs(100),
        body: ArrivalBody::Start {
            name: "Program".into(),
            version: Some("1.0.0".into()),
            input: Payload::json("1"),
            parent: None,
            headers: Headers::new(),
        },
    }
}

/// One execution, resident from its first turn, with the store's side of it.
pub(crate) struct World<'p> {
    program: &'p Program,
    execution: Execution,
    coroutine: Coroutine,
    unread: Vec<UnreadMail>,
    pub(crate) run: Run,
}

impl<'p> World<'p> {
    pub(crate) fn new(program: &'p Program, limits: &Limits) -> Self {
        Self {
            program,
            execution: Execution::open(opening(Vec::new(), Vec::new(), limits)),
            coroutine: Coroutine::default(),
            unread: Vec::new(),
            run: Run::default(),
        }
    }

    /// One turn, and as many more as it was split into.
    pub(crate) fn turn(&mut self, arrivals: Vec<Arrival>) {
        self.run.arrivals.extend(arrivals.iter().cloned());
        let mut arrivals = arrivals;
        loop {
            for arrival in &arrivals {
                self.keep_mail(arrival);
            }
            self.execution.begin_turn(turn(arrivals));
            self.coroutine.run(self.program, &mut self.execution);
            let outcome = self.execution.finish_turn();
            assert!(outcome.wants_mail.is_empty(), "the window is never exceeded here");
            self.apply(&outcome);
            let again = outcome.commit.split || !outcome.unadmitted.is_empty();
            if !again || self.run.end.is_some() {
                return;
            }
            arrivals = outcome.unadmitted;
        }
    }

    fn keep_mail(&mut self, arrival: &Arrival) {
        if let (Origin::Inbox(id), ArrivalBody::Mail { channel, name, data }) =
            (arrival.origin, &arrival.body)
            && !self.unread.iter().any(|known| known.id == id)
        {
            let (channel, name, data) = (*channel, name.clone(), data.clone());
            self.unread.push(UnreadMail { id, at: arrival.at, channel, name, data });
        }
    }

    fn apply(&mut self, outcome: &TurnOutcome) {
        let commit = &outcome.commit;
        self.unread.retain(|mail| !commit.consumed.contains(&mail.id));
        self.run.history.extend(commit.events.iter().cloned());
        self.run.dropped += outcome.dropped;
        self.run.end.clone_from(&commit.end);
        self.run.turns.push(TurnEnd {
            events: self.run.history.len(),
            fingerprint: self.execution.fingerprint(),
            waiting: commit.waiting.clone(),
            seen: self.coroutine.seen.clone(),
            unread: self.unread.clone(),
            cut: commit.split && can_deliver(&self.execution.fingerprint()),
        });
    }
}

/// Let a program live: one arrival a turn, until it ends or the dice are used up.
pub(crate) fn live(program: &Program, numbers: &[u32], limits: &Limits) -> Run {
    let mut dice = Dice::new(numbers);
    let mut world = World::new(program, limits);
    let mut first = vec![start()];
    if dice.roll(15) == 0 {
        // Cancelled before the first turn: no code runs.
        let body = ArrivalBody::Cancel { reason: "early".into(), from_parent: false };
        first.push(Arrival { origin: Origin::Inbox(ArrivalId(u64::MAX)), at: TimeMs(101), body });
        world.run.cancels += 1;
    }
    world.run.first = first.len();
    world.turn(first);
    let mut clock = 100;
    let mut next_id = 1;
    let mut asked: BTreeSet<EventId> = BTreeSet::new();
    while world.run.end.is_none() && !dice.is_used_up() {
        clock += dice.roll(20) as u64;
        let body = next_body(&world.run, &mut asked, &mut dice);
        world.run.cancels += usize::from(matches!(body, ArrivalBody::Cancel { .. }));
        let origin = match &body {
            ArrivalBody::ActivityDone { source, .. } if next_id % 2 == 0 => Origin::Fused(*source),
            _ => Origin::Inbox(ArrivalId(next_id)),
        };
        next_id += 1;
        world.turn(vec![Arrival { origin, at: TimeMs(clock), body }]);
    }
    world.run
}

/// Something that could arrive now: the completion of anything ever scheduled and not
/// yet answered (cancelled or not), mail, rarely a cancel.
fn next_body(run: &Run, asked: &mut BTreeSet<EventId>, dice: &mut Dice) -> ArrivalBody {
    let scheduled: Vec<&Event> = run
        .history
        .iter()
        .filter(|e| {
            matches!(
                e.kind,
                EventKind::ActivityScheduled { .. }
                    | EventKind::TimerCreated { .. }
                    | EventKind::SubOrchestrationScheduled { .. }
            ) && !asked.contains(&e.id)
        })
        .collect();
    let kind = dice.roll(20);
    if kind == 0 && dice.roll(5) == 0 {
        return ArrivalBody::Terminate { reason: "now".into() };
    }
    if kind == 0 {
        return ArrivalBody::Cancel { reason: "stop".into(), from_parent: dice.roll(3) == 0 };
    }
    if kind < 7 || scheduled.is_empty() {
        let channel = if dice.roll(2) == 0 { Channel::Event } else { Channel::Queue };
        let data = Payload::json(run.arrivals.len().to_string());
        return ArrivalBody::Mail { channel, name: format!("m{}", dice.roll(2)), data };
    }
    let event = scheduled[dice.roll(scheduled.len())];
    let source = event.id;
    asked.insert(source);
    let outcome = if dice.roll(4) == 0 {
        let name = (dice.roll(3) == 0).then(|| "Fatal".to_owned());
        Err(Failure { name, ..Failure::application(format!("failed {source}")) })
    } else {
        Ok(Payload::json(format!("\"{source}\"")))
    };
    match event.kind {
        EventKind::ActivityScheduled { .. } => ArrivalBody::ActivityDone { source, outcome },
        EventKind::TimerCreated { .. } => ArrivalBody::TimerDue { source },
        _ => ArrivalBody::ChildDone { source, outcome },
    }
}

/// A history without what batching may change: turn numbers and splits.
pub(crate) fn unbatched(history: &[Event]) -> Vec<Event> {
    let strip = |event: &Event| Event { turn: TurnNo(0), split: false, ..event.clone() };
    history.iter().map(strip).collect()
}

fn can_deliver(state: &Fingerprint) -> bool {
    let waits =
        |name: &MailName| state.open.iter().any(|(_, leaf)| *leaf == format!("Mail({name:?})"));
    state.unread.iter().any(|(name, _)| waits(name))
}
