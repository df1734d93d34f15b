//! What user code can ask for while it runs, other than by a tree: leaves one by one
//! (Rust futures), the status, the end. Everything is checked before it is recorded.

use super::{Execution, OpenLeaf};
use crate::guid::guid;
use crate::validate::{validate_failure, validate_instance_id, validate_name, validate_payload};
use crate::{
    Ending, EventId, EventKind, Failure, FailureKind, InstanceId, Leaf, Limits, Payload, Refused,
    Scheduled, Settled, Value, cancelled_message,
};

impl Execution {
    /// Leaf mode: schedule one leaf. `Refused::Stopped` also for a continue-as-new that was
    /// recorded: the execution has ended.
    pub fn schedule(&mut self, leaf: Leaf) -> Result<Scheduled, Refused> {
        self.check_leaf(&leaf).map_err(Refused::Failed)?;
        if matches!(leaf, Leaf::UtcNow | Leaf::NewGuid) {
            self.count_instant()?;
        }
        self.schedule_checked(leaf)
    }

    /// Schedule a leaf that was found good and counted.
    pub(super) fn schedule_checked(&mut self, leaf: Leaf) -> Result<Scheduled, Refused> {
        let kind = match leaf {
            Leaf::UtcNow => return Ok(Scheduled::Ready(Value::Time(self.now))),
            Leaf::NewGuid => return Ok(Scheduled::Ready(Value::Text(self.new_guid()))),
            Leaf::ContinueAsNew { input, version } => {
                return Err(self.continue_as_new(input, version));
            }
            Leaf::Detached { name, version, instance, input } => {
                self.record(EventKind::OrchestrationChained { name, version, instance, input })?;
                return Ok(Scheduled::Ready(Value::Null));
            }
            Leaf::Activity { name, input, session, tag } => {
                EventKind::ActivityScheduled { name, input, session, tag, attempt: 1 }
            }
            Leaf::Timer { delay_ms } => {
                EventKind::TimerCreated { delay_ms, fire_at: self.now.plus(delay_ms) }
            }
            Leaf::Mail { channel, name } => EventKind::MailSubscribed { channel, name },
            Leaf::Child { name, version, instance, input } => {
                let instance = instance.unwrap_or_else(|| self.derived_child_id());
                EventKind::SubOrchestrationScheduled { name, version, instance, input }
            }
        };
        self.record(kind).map(Scheduled::Pending)
    }

    /// Leaf mode: take the outcome of a leaf; `None` while it is open.
    pub fn settled(&mut self, leaf: EventId) -> Option<Settled> {
        self.settled.remove(&leaf)
    }

    /// Leaf mode: a leaf that is not wanted any more, because it lost its race.
    /// Within a group (see [`enter_group`](Self::enter_group)) it is recorded at its end.
    pub fn cancel(&mut self, leaf: EventId) {
        self.settled.remove(&leaf);
        if !self.open.contains_key(&leaf) || self.is_stopped() {
            return;
        }
        if self.group.depth > 0 {
            self.group.cancels.insert(leaf);
        } else {
            // A refusal means that the execution is over; the next call says so again.
            let _ = self.record_cancel(leaf);
        }
    }

    /// Leaf mode: a combinator begins to poll its children.
    pub fn enter_group(&mut self) {
        self.group.depth += 1;
    }

    /// Leaf mode: a combinator has polled its children. When the outermost has, cancels
    /// made meanwhile are recorded in leaf order, as a tree would.
    pub fn leave_group(&mut self) {
        self.group.depth = self.group.depth.saturating_sub(1);
        if self.group.depth == 0 {
            for leaf in std::mem::take(&mut self.group.cancels) {
                if self.record_cancel(leaf).is_err() {
                    break;
                }
            }
        }
    }

    /// User code ended, by returning or throwing.
    pub fn end(&mut self, ending: Ending) -> Result<(), Refused> {
        let kind = match ending {
            Ending::Returned(output) => match validate_payload("the output", &output, &self.limits)
            {
                Ok(()) => EventKind::OrchestrationCompleted { output },
                Err(failure) => EventKind::OrchestrationFailed { failure, by_engine: false },
            },
            Ending::Threw(failure) => {
                let failure = failure.with_few_causes();
                let checked = validate_failure("the failure", &failure, &self.limits);
                let failure = self.after_cancel(checked.err().unwrap_or(failure));
                EventKind::OrchestrationFailed { failure, by_engine: false }
            }
        };
        self.record(kind).map(|_| ())
    }

    /// Set, or with `None` reset, the custom status.
    pub fn set_status(&mut self, status: Option<String>) -> Result<(), Refused> {
        let bytes = status.as_ref().map_or(0, String::len);
        if bytes > self.limits.status_bytes {
            let message = format!(
                "setCustomStatus: {bytes} bytes, at most {} are allowed",
                self.limits.status_bytes
            );
            return Err(Refused::Failed(Failure::new(FailureKind::Limit, message)));
        }
        self.record(EventKind::CustomStatusUpdated { status }).map(|_| ())
    }

    /// The custom status, own writes included.
    pub fn status(&self) -> Option<&str> {
        self.status.as_deref()
    }

    /// End this execution and go on as the next, unless it is being cancelled.
    pub(super) fn continue_as_new(&mut self, input: Payload, version: Option<String>) -> Refused {
        if let Some(reason) = &self.cancel.reason {
            return Refused::Failed(Failure::cancelled(reason));
        }
        let checked = validate_payload("continueAsNew: the input", &input, &self.limits)
            .and_then(|()| check_version("continueAsNew", version.as_deref(), &self.limits));
        if let Err(failure) = checked {
            return Refused::Failed(failure);
        }
        match self.record(EventKind::OrchestrationContinuedAsNew { input, version }) {
            Ok(_) => Refused::Stopped,
            Err(refused) => refused,
        }
    }

    /// A failure out of the function after a cancel says so, whatever was thrown.
    fn after_cancel(&self, mut failure: Failure) -> Failure {
        if let Some(reason) = &self.cancel.reason {
            let canceled = cancelled_message(reason);
            let says_so = failure.message.starts_with(&canceled);
            if failure.kind != FailureKind::Cancelled || !says_so {
                failure.message = format!("{canceled}: {}", failure.message);
                failure.kind = FailureKind::Cancelled;
            }
        }
        failure
    }

    fn new_guid(&mut self) -> String {
        self.guids += 1;
        self.start.nonce.map(|nonce| guid(nonce, self.guids)).unwrap_or_default()
    }

    /// A yield that resolved without an event: a loop of them would never end.
    pub(super) fn count_instant(&mut self) -> Result<(), Refused> {
        if self.is_stopped() {
            return Err(Refused::Stopped);
        }
        self.instants += 1;
        if self.instants > self.limits.instant_yields {
            let message = format!(
                "more than {} yields in a row that wait for nothing (a loop over utcNow, newGuid \
                 or getValue?); wait with scheduleTimer",
                self.limits.instant_yields
            );
            return Err(Refused::Failed(Failure::new(FailureKind::Limit, message)));
        }
        Ok(())
    }

    pub(super) fn record_cancel(&mut self, leaf: EventId) -> Result<(), Refused> {
        let source = leaf;
        let kind = match self.open.get(&leaf) {
            None => return Ok(()),
            Some(OpenLeaf::Activity { .. }) => EventKind::ActivityCancelRequested { source },
            Some(OpenLeaf::Timer { .. }) => EventKind::TimerCancelled { source },
            Some(OpenLeaf::Mail(_)) => EventKind::MailUnsubscribed { source },
            Some(OpenLeaf::Child { instance, .. }) => {
                let instance = instance.clone();
                EventKind::SubOrchestrationCancelRequested { source, instance }
            }
        };
        self.record(kind).map(|_| ())
    }

    /// `parent::sub::N`, N the scheduling event; from the second execution on `E.N`, so
    /// that continue-as-new never meets the children of an earlier execution.
    fn derived_child_id(&self) -> InstanceId {
        let event = self.next_event.0;
        let parent = &self.instance;
        InstanceId(match self.id.0 {
            1 => format!("{parent}::sub::{event}"),
            execution => format!("{parent}::sub::{execution}.{event}"),
        })
    }

    /// Nested deep enough, a derived id grows past what an id may have.
    fn check_derived_id(&self) -> Result<(), Failure> {
        let max = self.limits.instance_id_bytes;
        let bytes = self.derived_child_id().as_str().len();
        if bytes <= max {
            return Ok(());
        }
        let message = format!(
            "a child of `{}` would have an id of {bytes} bytes, at most {max} are allowed; \
             children are nested too deep, give the child an id of its own",
            self.instance
        );
        Err(Failure::new(FailureKind::Limit, message))
    }

    pub(super) fn check_leaf(&self, leaf: &Leaf) -> Result<(), Failure> {
        let limits = &self.limits;
        match leaf {
            Leaf::Activity { name, input, session, tag } => {
                validate_name("activity name", name, limits)?;
                if let Some(session) = session {
                    validate_name("session id", session, limits)?;
                }
                if let Some(tag) = tag {
                    validate_name("tag", tag, limits)?;
                }
                validate_payload(&format!("the input of activity `{name}`"), input, limits)
            }
            Leaf::Mail { name, .. } => validate_name("event or queue name", name, limits),
            Leaf::Child { name, version, instance, input } => {
                validate_name("orchestration name", name, limits)?;
                check_version(name, version.as_deref(), limits)?;
                match instance {
                    Some(instance) => validate_instance_id(instance.as_str(), limits)?,
                    None => self.check_derived_id()?,
                }
                validate_payload(&format!("the input of orchestration `{name}`"), input, limits)
            }
            Leaf::Detached { name, version, instance, input } => {
                validate_name("orchestration name", name, limits)?;
                check_version(name, version.as_deref(), limits)?;
                validate_instance_id(instance.as_str(), limits)?;
                validate_payload(&format!("the input of orchestration `{name}`"), input, limits)
            }
            Leaf::Timer { .. } | Leaf::UtcNow | Leaf::NewGuid | Leaf::ContinueAsNew { .. } => {
                Ok(())
            }
        }
    }
}

fn check_version(what: &str, version: Option<&str>, limits: &Limits) -> Result<(), Failure> {
    let Some(version) = version else { return Ok(()) };
    validate_name("version", version, limits)?;
    semver::Version::parse(version).map(drop).map_err(|error| {
        let message = format!("{what}: `{version}` is not a semantic version: {error}");
        Failure::new(FailureKind::Invalid, message)
    })
}
