//! What may have come to an instance from outside: everything that was asked for, answered or
//! not. Not here: whether it has come, which is for the turn to say that took it.

use duroxide_core::{
    ChildRequest, End, EventId, EventKind, ExecutionId, Failure, FailureKind, InstanceId, MailName,
    NewStart, Parent, Payload,
};
use duroxide_provider::{CommitTurn, CompleteActivity, InstanceKey, RequestId, Submission, Submit};
use std::collections::{BTreeMap, BTreeSet};

/// How something ended.
pub(super) type Outcome = Result<Payload, Failure>;

/// By instance.
#[derive(Default)]
pub(super) struct Causes {
    instances: BTreeMap<InstanceKey, Cause>,
    requests: BTreeSet<RequestId>,
    none: Cause,
}

/// What may have come to an instance.
#[derive(Default)]
pub(super) struct Cause {
    pub(super) starts: Vec<Start>,
    pub(super) mail: Vec<(MailName, Payload)>,
    /// Reasons of clients, and what parents ask.
    pub(super) cancels: Vec<String>,
    pub(super) terminations: Vec<String>,
    pub(super) asked_by_parent: BTreeSet<&'static str>,
    pub(super) done: BTreeMap<(ExecutionId, EventId), Vec<Outcome>>,
    /// How it may have ended, for its parent.
    pub(super) ends: Vec<Outcome>,
    /// Whom its executions may have started.
    children: BTreeMap<ExecutionId, BTreeSet<InstanceId>>,
}

/// How an instance may begin.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Start {
    pub(super) name: String,
    pub(super) version: Option<String>,
    pub(super) input: Payload,
    pub(super) parent: Option<Parent>,
}

/// What a parent asks of a child, as the child's history says it.
pub(super) const CANCELLED_BY_PARENT: &str = "parent canceled";
/// The same of a termination.
pub(super) const TERMINATED_BY_PARENT: &str = "parent terminated";

impl Causes {
    /// Of this instance.
    pub(super) fn of(&self, key: &InstanceKey) -> &Cause {
        self.instances.get(key).unwrap_or(&self.none)
    }

    /// Of another one of the same tenant.
    pub(super) fn near(&self, key: &InstanceKey, id: &InstanceId) -> &Cause {
        self.of(&near(key, id))
    }

    fn at(&mut self, key: &InstanceKey) -> &mut Cause {
        self.instances.entry(key.clone()).or_default()
    }

    pub(super) fn submitted(&mut self, request: &Submit) {
        if !self.requests.insert(request.request) {
            return;
        }
        let cause = self.at(&request.key);
        match request.what.clone() {
            Submission::Start { name, version, input, headers: _ } => {
                cause.starts.push(Start { name, version, input, parent: None });
            }
            Submission::Mail { mailbox, data } => cause.mail.push((mailbox, data)),
            Submission::Cancel { reason } => cause.cancels.push(reason),
            Submission::Terminate { reason } => cause.terminations.push(reason),
        }
    }

    pub(super) fn completed(&mut self, key: &InstanceKey, request: &CompleteActivity) {
        let place = (request.activity.execution, request.activity.event);
        let outcomes = self.at(key).done.entry(place).or_default();
        if !outcomes.contains(&request.outcome) {
            outcomes.push(request.outcome.clone());
        }
    }

    /// What a turn does to others, if it is applied.
    pub(super) fn committed(&mut self, key: &InstanceKey, request: &CommitTurn) {
        let turn = &request.turn;
        for start in &turn.starts {
            let begins = begins(key, turn.execution, start);
            let child = self.at(&near(key, &start.instance));
            if !child.starts.contains(&begins) {
                child.starts.push(begins);
            }
        }
        for event in &turn.events {
            if let EventKind::SubOrchestrationScheduled { instance, .. } = &event.kind {
                let children = self.at(key).children.entry(turn.execution).or_default();
                children.insert(instance.clone());
            }
        }
        for send in &turn.sends {
            self.at(&near(key, &send.to)).asked_by_parent.insert(reason(send.what));
        }
        if let Some(end) = &turn.end {
            self.ended(key, turn.execution, end);
        }
    }

    fn ended(&mut self, key: &InstanceKey, execution: ExecutionId, end: &End) {
        let (outcome, what) = match end.clone() {
            End::Completed { output } => (Some(Ok(output)), ChildRequest::Cancel),
            End::Failed { failure } => (Some(Err(failure)), ChildRequest::Cancel),
            End::Terminated { reason } => {
                let failure = Failure::new(FailureKind::Terminated, reason);
                (Some(Err(failure)), ChildRequest::Terminate)
            }
            End::ContinuedAsNew { .. } => (None, ChildRequest::Cancel),
        };
        self.at(key).ends.extend(outcome);
        let children = self.of(key).children.get(&execution).cloned().unwrap_or_default();
        for child in children {
            self.at(&near(key, &child)).asked_by_parent.insert(reason(what));
        }
    }
}

fn near(key: &InstanceKey, id: &InstanceId) -> InstanceKey {
    InstanceKey { namespace: key.namespace.clone(), id: id.clone() }
}

fn begins(key: &InstanceKey, execution: ExecutionId, start: &NewStart) -> Start {
    let (instance, event) = (key.id.clone(), start.event);
    Start {
        name: start.name.clone(),
        version: start.version.clone(),
        input: start.input.clone(),
        parent: (!start.detached).then_some(Parent { instance, execution, event }),
    }
}

fn reason(what: ChildRequest) -> &'static str {
    match what {
        ChildRequest::Cancel => CANCELLED_BY_PARENT,
        ChildRequest::Terminate => TERMINATED_BY_PARENT,
    }
}
