//! The end: when every client has its answer, all that the store has is read and given to the
//! oracles. Not here: what must hold of it.

use super::Ledger;
use super::answers::there;
use super::fact::Instance;
use super::quiescence;
use crate::clients::Seen;
use crate::workload::{Finished, Workload};
use crate::wrong::{Verdict, Wrong};
use duroxide_core::InstanceId;
use duroxide_provider::env::Env;
use duroxide_provider::{InstanceKey, ListFilter, Store};

/// Oracle: an instance stands as its client saw it end.
const END: &str = "end";
/// Oracle: it came to what its workload must come to.
const WORKLOAD: &str = "workload";

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
            check_seen(self.workload, seen, &instances)
                .map_err(|wrong| wrong.with(&seen.plan.id))?;
        }
        quiescence::counts_agree(&self.store.metrics().await?, &instances)?;
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
        let listed = |wrong: Wrong| wrong.with(key.to_string());
        let info =
            there(self.store.instance(key.clone()).await?, "it is listed").map_err(listed)?;
        let stats = there(self.store.stats(key.clone()).await?, "it is listed").map_err(listed)?;
        let kv = self.store.kv(key.clone()).await?;
        let mut executions = Vec::new();
        for execution in self.store.executions(key.clone()).await? {
            let events = self.store.history(key.clone(), execution.execution).await?;
            executions.push((execution.execution, events));
        }
        Ok(Instance { key, info, executions, kv, stats })
    }
}

/// What holds of an instance that a client has seen through.
fn check_seen(workload: &dyn Workload, seen: &Seen, instances: &[Instance]) -> Verdict {
    let found = instances.iter().find(|instance| instance.key.id.as_str() == seen.plan.id);
    let instance = there(found, "its client saw its end")?;
    if instance.info.state != seen.end {
        let (end, state) = (&seen.end, &instance.info.state);
        return Err(Wrong::of(END, format!("its client saw {end:?}, the store has {state:?}")));
    }
    let history = instance.executions.last().map_or(&[][..], |(_, events)| events);
    let Seen { plan, end: state, sent } = seen;
    workload.check(&Finished { plan, state, history, sent }).map_err(|sentence| {
        Wrong::of(WORKLOAD, format!("{sentence}\n{}", duroxide_core::render(history)))
    })
}

/// The history that a person needs to see what is wrong.
fn with_history(wrong: Wrong, instances: &[Instance]) -> Wrong {
    let about = |instance: &&Instance| Some(instance.key.to_string()) == wrong.instance;
    let Some(instance) = instances.iter().find(about) else { return wrong };
    let rendered = instance.executions.iter().map(|(_, events)| duroxide_core::render(events));
    let told = rendered.fold(wrong.sentence.clone(), |told, history| told + "\n" + &history);
    Wrong { sentence: told, ..wrong }
}

#[cfg(test)]
mod tests {
    use super::super::build::{ended, started, stored};
    use super::*;
    use crate::dice::Dice;
    use crate::plan::InstancePlan;
    use crate::workload::Orders;
    use duroxide_core::Payload;
    use duroxide_provider::InstanceState;
    use std::collections::BTreeMap;

    /// An order that its client saw end with this.
    fn seen(output: &str) -> Seen {
        let orders: Vec<InstancePlan> = Orders.instances(&mut Dice::new(1, "workload"));
        let end = InstanceState::Completed { output: Payload::json(output) };
        let first = orders.into_iter().next().unwrap();
        Seen { plan: InstancePlan { id: "a".to_owned(), ..first }, end, sent: BTreeMap::new() }
    }

    /// The same in the store.
    fn kept(output: &str) -> Instance {
        let mut kept = stored(vec![started(), ended(2)]);
        kept.info.state = seen(output).end;
        kept
    }

    #[test]
    fn what_a_client_saw_end_is_there_and_ended_so() {
        let wrong =
            |instances: &[Instance]| check_seen(&Orders, &seen("1"), instances).unwrap_err().oracle;
        assert_eq!(wrong(&[]), "lost instance");
        assert_eq!(wrong(&[kept("2")]), END);
        // An order returns more than a number.
        assert_eq!(wrong(&[kept("1")]), WORKLOAD);
        let right = r#"{"reserved":"done a/reserve","packed":["done a/pack-1","done a/pack-2",
            "done a/pack-3"],"quoted":"done a/confirm-left","approved":"approved a",
            "shipped":"done a/ship"}"#;
        check_seen(&Orders, &seen(right), &[kept(right)]).unwrap();
    }
}
