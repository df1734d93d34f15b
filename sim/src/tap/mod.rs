//! Taps: the store as a host sees it ([`Edge`]) and as it really is ([`Inside`]), each
//! call on its way recorded, delayed by a seeded number of yields, and struck by what is
//! planned for that point. Neither decides anything about runs: they pass on.

mod edge;
mod inside;

pub(crate) use edge::Edge;
pub(crate) use inside::{Inside, StoreTap};

use crate::fault::Op;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// A call, as it is traced and as the two taps recognise it.
struct Call {
    label: String,
    text: Vec<u8>,
    digest: [u8; 32],
}

impl Call {
    fn of(op: Op, request: &impl Serialize) -> Self {
        let text = json(request);
        let label = format!("{op:?}");
        let mut hash = Sha256::new();
        hash.update(label.as_bytes());
        hash.update(&text);
        Self { label, text, digest: hash.finalize().into() }
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_else(|error| error.to_string().into_bytes())
}

/// The reads and management of a store, each passed on through `self.plain`.
macro_rules! inspect_through {
    ($type:ty, $store:ident) => {
        #[async_trait]
        impl Inspect for $type {
            async fn instance(
                &self,
                key: InstanceKey,
            ) -> Result<Option<InstanceInfo>, ProviderError> {
                self.plain(Op::Instance, &key, self.$store().instance(key.clone())).await
            }
            async fn watch(
                &self,
                request: WatchRequest,
            ) -> Result<Option<InstanceInfo>, ProviderError> {
                self.plain(Op::Watch, &request, self.$store().watch(request.clone())).await
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
                let call = self.$store().history(key.clone(), execution);
                self.plain(Op::Other, &(&key, execution), call).await
            }
            async fn kv(&self, key: InstanceKey) -> Result<Vec<KvEntry>, ProviderError> {
                self.plain(Op::Other, &key, self.$store().kv(key.clone())).await
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
            async fn tree(&self, key: InstanceKey) -> Result<Option<InstanceTree>, ProviderError> {
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
                let call = self.$store().delete(key.clone(), force);
                self.plain(Op::Other, &(&key, force), call).await
            }
            async fn delete_many(&self, selection: Selection) -> Result<Deleted, ProviderError> {
                let call = self.$store().delete_many(selection.clone());
                self.plain(Op::Other, &selection, call).await
            }
            async fn prune(
                &self,
                selection: Selection,
                rule: PruneRule,
            ) -> Result<Pruned, ProviderError> {
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
}
use inspect_through;
