//! Taps: the store as a host sees it ([`Edge`]) and as it really is ([`Inside`]), each
//! call on its way recorded, delayed by a seeded number of yields, and struck by what is
//! planned for that point; and the [`Witness`] of what is carried out. None decides anything
//! about runs: they pass on.

mod edge;
mod inside;
mod witness;

pub(crate) use edge::Edge;
pub(crate) use inside::{Inside, StoreTap};
pub(crate) use witness::Witness;

use crate::host::Host;
use crate::oracle::Fact;
use crate::point::Op;
use crate::trace::CallDigest;
use duroxide_core::InstanceId;
use duroxide_provider::{InstanceKey, Selection};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// A call, as it is traced and as the two taps recognise it.
#[derive(Clone, Copy)]
struct Call {
    op: Op,
    digest: CallDigest,
}

impl Call {
    /// The call with this request; and the text of the request.
    fn of(op: Op, request: &impl Serialize) -> (Self, Vec<u8>) {
        let text = json(request);
        let mut hash = Sha256::new();
        hash.update([op as u8]);
        hash.update(&text);
        let mut digest = [0; 16];
        digest.copy_from_slice(&hash.finalize()[..16]);
        (Self { op, digest }, text)
    }

    /// Write to the trace what becomes of it.
    fn record(&self, host: &Host, what: &str, detail: &[u8]) {
        let what = [what, " ", self.op.name()].concat();
        host.stage().record_call(host.name(), &what, detail, &self.digest);
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_else(|error| error.to_string().into_bytes())
}

/// Who keeps what clients are shown.
trait Shows {
    /// A read begins: when that is.
    fn begins(&self) -> u64 {
        0
    }

    /// Instances are to be deleted (`None`: any of them), those that run only by force.
    fn deletes(&self, _keys: Option<&[InstanceKey]>, _force: bool) -> u64 {
        0
    }

    /// They are, as far as they may be.
    fn deleted(&self, _keys: &[InstanceKey]) {}

    /// It has ended, with this answer.
    fn shows(&self, _began: u64, _fact: &Fact<'_>) {}
}

/// The instances that a bulk operation names; `None` if it is for all.
fn keys_of(selection: &Selection) -> Option<Vec<InstanceKey>> {
    let key =
        |id: &InstanceId| InstanceKey { namespace: selection.namespace.clone(), id: id.clone() };
    selection.ids.as_ref().map(|ids| ids.iter().map(key).collect())
}

/// The reads and management of a store, each passed on through `self.plain`.
macro_rules! inspect_through {
    ($type:ty, $store:ident) => {
        const _: () = {
            use duroxide_core::{Event, ExecutionId, InstanceId, KvEntry, Limits};
            use duroxide_provider::{
                Deleted, ExecutionInfo, Inspect, InstanceInfo, InstanceKey, InstanceStats,
                InstanceTree, ListFilter, Page, ProviderError, PruneRule, Pruned, QueueDepths,
                Selection, SystemMetrics, UnclaimedNames, WatchRequest,
            };

            #[async_trait]
            impl Inspect for $type {
                async fn instance(
                    &self,
                    key: InstanceKey,
                ) -> Result<Option<InstanceInfo>, ProviderError> {
                    let began = self.begins();
                    let read = self.$store().instance(key.clone());
                    let info = self.plain(Op::Instance, &key, read).await?;
                    self.shows(began, &crate::oracle::Fact::Looked(&key, info.as_ref()));
                    Ok(info)
                }
                async fn watch(
                    &self,
                    request: WatchRequest,
                ) -> Result<Option<InstanceInfo>, ProviderError> {
                    let began = self.begins();
                    let read = self.$store().watch(request.clone());
                    let info = self.plain(Op::Watch, &request, read).await?;
                    self.shows(began, &crate::oracle::Fact::Looked(&request.key, info.as_ref()));
                    Ok(info)
                }
                async fn executions(
                    &self,
                    key: InstanceKey,
                ) -> Result<Vec<ExecutionInfo>, ProviderError> {
                    self.plain(Op::Other, &key, self.$store().executions(key.clone())).await
                }
                async fn history(
                    &self,
                    key: InstanceKey,
                    execution: ExecutionId,
                ) -> Result<Vec<Event>, ProviderError> {
                    let began = self.begins();
                    let call = self.$store().history(key.clone(), execution);
                    let events = self.plain(Op::Other, &(&key, execution), call).await?;
                    self.shows(began, &crate::oracle::Fact::Shown(&key, execution, &events));
                    Ok(events)
                }
                async fn kv(&self, key: InstanceKey) -> Result<Vec<KvEntry>, ProviderError> {
                    let began = self.begins();
                    let pairs = self.plain(Op::Other, &key, self.$store().kv(key.clone())).await?;
                    self.shows(began, &crate::oracle::Fact::Values(&key, &pairs));
                    Ok(pairs)
                }
                async fn list(
                    &self,
                    filter: ListFilter,
                    after: Option<InstanceId>,
                    limit: usize,
                ) -> Result<Page, ProviderError> {
                    let call = self.$store().list(filter.clone(), after.clone(), limit);
                    self.plain(Op::Other, &(&filter, &after, limit), call).await
                }
                async fn tree(
                    &self,
                    key: InstanceKey,
                ) -> Result<Option<InstanceTree>, ProviderError> {
                    self.plain(Op::Other, &key, self.$store().tree(key.clone())).await
                }
                async fn stats(
                    &self,
                    key: InstanceKey,
                ) -> Result<Option<InstanceStats>, ProviderError> {
                    self.plain(Op::Other, &key, self.$store().stats(key.clone())).await
                }
                async fn metrics(&self) -> Result<SystemMetrics, ProviderError> {
                    self.plain(Op::Other, &"metrics", self.$store().metrics()).await
                }
                async fn depths(&self) -> Result<QueueDepths, ProviderError> {
                    self.plain(Op::Other, &"depths", self.$store().depths()).await
                }
                async fn unclaimed(&self) -> Result<UnclaimedNames, ProviderError> {
                    self.plain(Op::Other, &"unclaimed", self.$store().unclaimed()).await
                }
                async fn delete(
                    &self,
                    key: InstanceKey,
                    force: bool,
                ) -> Result<Deleted, ProviderError> {
                    let began = self.deletes(Some(std::slice::from_ref(&key)), force);
                    let call = self.$store().delete(key.clone(), force);
                    let deleted = self.plain(Op::Other, &(&key, force), call).await?;
                    if deleted.instances > 0 {
                        self.shows(began, &crate::oracle::Fact::Deleted(&key));
                    }
                    self.deleted(&[key]);
                    Ok(deleted)
                }
                async fn delete_many(
                    &self,
                    selection: Selection,
                ) -> Result<Deleted, ProviderError> {
                    let keys = super::keys_of(&selection);
                    self.deletes(keys.as_deref(), false);
                    let call = self.$store().delete_many(selection.clone());
                    let deleted = self.plain(Op::Other, &selection, call).await?;
                    self.deleted(keys.as_deref().unwrap_or_default());
                    Ok(deleted)
                }
                async fn prune(
                    &self,
                    selection: Selection,
                    rule: PruneRule,
                ) -> Result<Pruned, ProviderError> {
                    self.shows(self.begins(), &crate::oracle::Fact::Pruning);
                    let call = self.$store().prune(selection.clone(), rule);
                    self.plain(Op::Other, &(&selection, rule), call).await
                }
                fn limits(&self) -> Limits {
                    self.$store().limits()
                }
                async fn close(&self) -> Result<(), ProviderError> {
                    self.$store().close().await
                }
            }
        };
    };
}
use inspect_through;
