//! The end: when every client has its answer, all that the store has is read and given to the
//! oracles. Not here: what must hold of it.

use super::Ledger;
use super::fact::Instance;
use super::quiescence;
use crate::clients::Seen;
use crate::workload::{Finished, Workload};
use crate::wrong::{Verdict, Wrong};
use duroxide_core::InstanceId;
use duroxide_provider::env::Env;
use duroxide_provider::{InstanceKey, ListFilter, Store};

/// What is looked at.
pub(crate) struct Ended<'a> {
    pub(crate) env: &'a Env,
    pub(crate) store: &'a dyn Store,
    pub(crate) workload: &'a dyn Workload,
    pub(crate) ledger: &'a Ledger,
    pub(crate) seen: &'a [Seen],
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Checked {
    pub(crate) events: u64,
    /// States that were equal in a resident copy and a cold replay.
    pub(crate) compared: u64,
}

impl Ended<'_> {
    /// Everything that must hold.
    pub(crate) async fn check(&self) -> Verdict<Checked> {
        quiescence::nothing_is_left(self.env, self.store).await?;
        let mut instances = Vec::new();
        for id in self.ids().await? {
            instances.push(self.read(id).await?);
        }
        let compared =
            self.ledger.end(&instances).map_err(|wrong| with_history(wrong, &instances))?;
        for seen in self.seen {
            self.check_seen(seen, &instances).map_err(|wrong| wrong.with(&seen.plan.id))?;
        }
        quiescence::counts_agree(self.store, &instances).await?;
        let executions = instances.iter().flat_map(|instance| &instance.executions);
        let events = executions.map(|(_, events)| events.len() as u64).sum();
        Ok(Checked { events, compared })
    }

    async fn ids(&self) -> Verdict<Vec<InstanceId>> {
        let (mut ids, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.list(ListFilter::default(), after, 100).await?;
            ids.extend(page.ids);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(ids),
            }
        }
    }

    async fn read(&self, id: InstanceId) -> Verdict<Instance> {
        let key = InstanceKey::new(id);
        let lost = || Wrong::of("lost instance", "listed, and not there").with(key.to_string());
        let info = self.store.instance(key.clone()).await?.ok_or_else(lost)?;
        let stats = self.store.stats(key.clone()).await?.ok_or_else(lost)?;
        let kv = self.store.kv(key.clone()).await?;
        let mut executions = Vec::new();
        for execution in self.store.executions(key.clone()).await? {
            let events = self.store.history(key.clone(), execution.execution).await?;
            executions.push((execution.execution, events));
        }
        Ok(Instance { key, info, executions, kv, stats })
    }

    /// What holds of an instance that a client has seen through.
    fn check_seen(&self, seen: &Seen, instances: &[Instance]) -> Verdict {
        let found = instances.iter().find(|instance| instance.key.id.as_str() == seen.plan.id);
        let instance =
            found.ok_or_else(|| Wrong::of("lost instance", "it ended, and does not exist"))?;
        if instance.info.state != seen.end {
            return Err(Wrong::of(
                "end",
                format!("its client saw {:?}, the store has {:?}", seen.end, instance.info.state),
            ));
        }
        let history = instance.executions.last().map_or(&[][..], |(_, events)| events);
        let Seen { plan, end: state, sent } = seen;
        let ended = Finished { plan, state, history, sent };
        self.workload.check(&ended).map_err(|sentence| {
            Wrong::of("workload", format!("{sentence}\n{}", duroxide_core::render(history)))
        })
    }
}

/// The history that a person needs to see what is wrong.
fn with_history(wrong: Wrong, instances: &[Instance]) -> Wrong {
    let about = |instance: &&Instance| Some(instance.key.to_string()) == wrong.instance;
    let Some(instance) = instances.iter().find(about) else { return wrong };
    let rendered = instance.executions.iter().map(|(_, events)| duroxide_core::render(events));
    let told = rendered.fold(wrong.sentence.clone(), |told, history| told + "\n" + &history);
    Wrong { sentence: told, ..wrong }
}
