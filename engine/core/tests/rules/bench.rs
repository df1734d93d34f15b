//! An execution driven by hand, and short names for what arrives and is awaited.

use duroxide_core::*;

/// An execution driven by hand.
pub(crate) struct Bench {
    pub(crate) execution: Execution,
    pub(crate) history: Vec<Event>,
    pub(crate) next_id: u64,
}

pub(crate) type Code<'a> = &'a mut dyn FnMut(&mut Execution, Activation);

pub(crate) fn opening(history: Vec<Event>) -> Opening {
    Opening {
        instance: "inst".into(),
        execution: ExecutionId::FIRST,
        history: History::parse(history).unwrap(),
        base: Base::default(),
        unread: vec![],
        more_mail: vec![],
        limits: Limits::default(),
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::open(opening(vec![]))
    }

    pub(crate) fn open(opening: Opening) -> Self {
        Self {
            history: opening.history.events().to_vec(),
            execution: Execution::open(opening),
            next_id: 1,
        }
    }

    /// The same execution from cold.
    pub(crate) fn cold(&self) -> Self {
        Self::open(opening(self.history.clone()))
    }

    pub(crate) fn arrival(&mut self, at: u64, body: ArrivalBody) -> Arrival {
        self.next_id += 1;
        Arrival { origin: Origin::Inbox(ArrivalId(self.next_id)), at: TimeMs(at), body }
    }

    /// One turn: these bodies arrive at these times, and the code does that.
    pub(crate) fn turn(&mut self, arrivals: Vec<(u64, ArrivalBody)>, code: Code) -> TurnOutcome {
        let arrivals = arrivals.into_iter().map(|(at, body)| self.arrival(at, body)).collect();
        self.turn_of(arrivals, code)
    }

    pub(crate) fn turn_of(&mut self, arrivals: Vec<Arrival>, code: Code) -> TurnOutcome {
        self.execution.begin_turn(TurnInput {
            arrivals,
            unread: vec![],
            mail_read: vec![],
            more_mail: vec![],
            nonce: Nonce(42),
            flags: CompatFlags::NONE,
            raise: CompatFlags::NONE,
        });
        while let Some(activation) = self.execution.next_activation() {
            code(&mut self.execution, activation);
        }
        let outcome = self.execution.finish_turn();
        self.history.extend(outcome.commit.events.iter().cloned());
        History::parse(self.history.clone()).unwrap();
        outcome
    }

    pub(crate) fn kinds(&self) -> Vec<String> {
        let name = |event: &Event| format!("{:?}", event.kind);
        let word = |text: String| text.split([' ', '{']).next().unwrap_or_default().to_owned();
        self.history.iter().map(|event| word(name(event))).collect()
    }
}

pub(crate) fn start() -> ArrivalBody {
    ArrivalBody::Start {
        name: "Orch".into(),
        version: Some("1.0.0".into()),
        input: Payload::json("1"),
        parent: None,
        headers: Headers::new(),
    }
}

pub(crate) fn activity(name: &str) -> Await {
    Await::Leaf(Leaf::Activity {
        name: name.into(),
        input: Payload::null(),
        session: None,
        tag: None,
    })
}

pub(crate) fn timer(delay_ms: u64) -> Await {
    Await::Leaf(Leaf::Timer { delay_ms })
}

pub(crate) fn event(name: &str) -> Await {
    Await::Leaf(Leaf::Mail { channel: Channel::Event, name: name.into() })
}

pub(crate) fn child(id: Option<&str>) -> Await {
    Await::Leaf(Leaf::Child {
        name: "Child".into(),
        version: None,
        instance: id.map(Into::into),
        input: Payload::null(),
    })
}

pub(crate) fn done(source: u64) -> ArrivalBody {
    ArrivalBody::ActivityDone {
        source: EventId(source),
        outcome: Ok(Payload::json(source.to_string())),
    }
}

pub(crate) fn due(source: u64) -> ArrivalBody {
    ArrivalBody::TimerDue { source: EventId(source) }
}

pub(crate) fn mail(name: &str, data: &str) -> ArrivalBody {
    ArrivalBody::Mail { channel: Channel::Event, name: name.into(), data: Payload::json(data) }
}

pub(crate) fn cancel() -> ArrivalBody {
    ArrivalBody::Cancel { reason: "enough".into(), from_parent: false }
}

pub(crate) fn cancel_by_parent() -> ArrivalBody {
    ArrivalBody::Cancel { reason: "parent canceled".into(), from_parent: true }
}

pub(crate) fn returns(execution: &mut Execution, json: &str) {
    // Refused when code and history disagree, which some tests are about.
    let _ = execution.end(Ending::Returned(Payload::json(json)));
}

/// Code that awaits one tree and returns what it got.
pub(crate) fn awaits(tree: Await) -> impl FnMut(&mut Execution, Activation) {
    move |execution, activation| match activation {
        Activation::Start { .. } => {
            if let Ok(Awaited::Ready(settled)) = execution.await_tree(tree.clone()) {
                returns(execution, &serde_json::to_string(&format!("{settled:?}")).unwrap());
            }
        }
        Activation::Resume(Ok(value)) => {
            returns(execution, &serde_json::to_string(&format!("{value:?}")).unwrap());
        }
        Activation::Resume(Err(failure)) => execution.end(Ending::Threw(failure)).unwrap(),
        Activation::Poll => panic!("tree mode never polls"),
    }
}
