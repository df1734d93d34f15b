//! Oracle "model": the whole engine, small enough to be obviously right. For each accepted
//! turn it says whether that step is possible from the state before, and for each answer
//! that a client gets whether it is one of those that the model allows.
//!
//! It shares nothing with the engine but the names of events and requests: a run (`run`) is a
//! state that events change, with rules of its own; what may have come to it from outside is
//! in `causes`. A call without an answer leaves both possibilities open: what was asked counts
//! as a possible cause from the moment when it reached the store, and a turn without an answer
//! may have been applied until one on another base is.

mod causes;
mod effects;
mod run;

use super::fact::{Accepted, Fact, Oracle, Span, Stored, wrong};
use super::record::Record;
use crate::wrong::Verdict;
use causes::Causes;
use duroxide_core::{ExecutionId, KvEntry};
use duroxide_provider::{CommitTurn, InstanceInfo, InstanceKey, InstanceState};
use run::{Pairs, Run};
use std::collections::BTreeMap;
use std::sync::Arc;

const NAME: &str = "model";

/// Every instance as it must be.
#[derive(Default)]
pub(crate) struct Model {
    causes: Causes,
    instances: BTreeMap<InstanceKey, Known>,
}

/// An instance, and what it may be.
#[derive(Default)]
struct Known {
    run: Run,
    /// Turns that nobody has an answer to.
    open: Vec<Arc<CommitTurn>>,
    /// As clients may see it, since when.
    shown: Record<Face>,
}

/// What clients see of an instance.
#[derive(Debug, Clone, PartialEq)]
struct Face {
    execution: ExecutionId,
    state: InstanceState,
    status: Option<String>,
    version: u64,
    pairs: Pairs,
}

impl Face {
    fn of(run: &Run) -> Self {
        Self {
            execution: run.execution,
            state: run.state.clone(),
            status: run.status.clone(),
            version: run.status_version,
            pairs: Arc::clone(&run.pairs),
        }
    }

    fn is(&self, info: &InstanceInfo) -> bool {
        let shown = (info.execution, &info.state, &info.custom_status, info.custom_status_version);
        (self.execution, &self.state, &self.status, self.version) == shown
    }

    fn has(&self, pairs: &[KvEntry]) -> bool {
        let shown = pairs.iter().map(|pair| (&pair.key, (&pair.value, pair.updated_at)));
        self.pairs.iter().map(|(key, (value, at))| (key, (value, *at))).eq(shown)
    }
}

impl Oracle for Model {
    fn see(&mut self, fact: &Fact<'_>, span: Span) -> Verdict {
        if let Fact::Submitting(request) = fact {
            self.causes.submitted(request);
        }
        if let Fact::Completing(key, request) = fact {
            self.causes.completed(key, request);
        }
        if let Fact::Committing(key, request) = fact {
            self.causes.committed(key, request);
            let known = self.instances.entry((*key).clone()).or_default();
            if !known.open.iter().any(|open| open.commit_id == request.commit_id) {
                known.open.push(Arc::clone(request));
            }
        }
        if let Fact::Committed(accepted) = fact {
            self.step(accepted, span)?;
        }
        if let Fact::Looked(key, Some(info)) = fact
            && !self.allows(key, span.began, |face| face.is(info))
        {
            return wrong(NAME, key, self.not_allowed(key, span.began, &format!("{info:?}")));
        }
        if let Fact::Values(key, pairs) = fact
            && !self.allows(key, span.began, |face| face.has(pairs))
        {
            return wrong(NAME, key, self.not_allowed(key, span.began, &format!("{pairs:?}")));
        }
        Ok(())
    }

    fn end(&mut self, stored: &Stored<'_>) -> Verdict {
        for instance in stored.iter() {
            let (key, now) = (&instance.key, u64::MAX);
            if !self.allows(key, now, |face| face.is(&instance.info) && face.has(&instance.kv)) {
                let stored = format!("{:?} with {:?}", instance.info, instance.kv);
                return wrong(NAME, key, self.not_allowed(key, now, &stored));
            }
        }
        Ok(())
    }
}

impl Model {
    fn step(&mut self, accepted: &Accepted<'_>, span: Span) -> Verdict {
        let known = self.instances.entry(accepted.key.clone()).or_default();
        if let Err(problem) = known.run.step(accepted.key, accepted.request, &self.causes) {
            let commit = accepted.request.commit_id;
            return wrong(NAME, accepted.key, format!("turn {commit} is impossible: {problem}"));
        }
        known.shown.push(span.ended, Face::of(&known.run));
        known.open.retain(|open| open.base == known.run.last);
        Ok(())
    }

    /// Whether some state that the instance may have been in, since a moment, is like that.
    fn allows(&self, key: &InstanceKey, since: u64, is: impl Fn(&Face) -> bool) -> bool {
        let Some(known) = self.instances.get(key) else { return is(&Face::of(&Run::default())) };
        let at_first = known.shown.before(since).is_none().then(|| Face::of(&Run::default()));
        at_first.iter().chain(known.shown.since(since)).any(&is)
            || self.futures(key, &known.run, &known.open).iter().any(is)
    }

    /// What the instance may be if turns were applied that nobody has an answer to.
    fn futures(&self, key: &InstanceKey, run: &Run, open: &[Arc<CommitTurn>]) -> Vec<Face> {
        let mut faces = Vec::new();
        for request in open.iter().filter(|open| open.base == run.last) {
            let mut next = run.clone();
            if next.step(key, request, &self.causes).is_ok() {
                faces.push(Face::of(&next));
                faces.extend(self.futures(key, &next, open));
            }
        }
        faces
    }

    fn not_allowed(&self, key: &InstanceKey, since: u64, shown: &str) -> String {
        let may: Vec<_> =
            self.instances.get(key).iter().flat_map(|known| known.shown.since(since)).collect();
        format!("it was shown as {shown}, and may only be {may:?}")
    }
}

#[cfg(test)]
mod tests;
