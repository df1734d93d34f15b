//! Names in the contract: instances and their incarnations, activities, leases, commits.

use duroxide_core::{EventId, ExecutionId, InstanceId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Separates tenants of one store. The default is empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Namespace(pub String);

/// An instance as its users name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InstanceKey {
    /// The tenant.
    pub namespace: Namespace,
    /// The id.
    pub id: InstanceId,
}

impl InstanceKey {
    /// An instance of the default namespace.
    pub fn new(id: impl Into<InstanceId>) -> Self {
        Self { namespace: Namespace::default(), id: id.into() }
    }
}

impl fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.0.is_empty() {
            write!(f, "{}", self.id)
        } else {
            write!(f, "{}/{}", self.namespace.0, self.id)
        }
    }
}

/// Made by the store, unique per creation of an instance: an id that was deleted and
/// used again has another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(pub u64);

/// An activity: the event that scheduled it, within an execution of an incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ActivityKey {
    /// The instance.
    pub incarnation: Incarnation,
    /// The execution.
    pub execution: ExecutionId,
    /// The scheduling event.
    pub event: EventId,
}

/// Counts what happened in the store, so that a wait misses nothing that came between.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct WakeSeq(pub u64);

/// A node: a stable name, and which run of it. Of two runs under one name the newer wins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId {
    /// The stable name (`workerNodeId`), or a random one.
    pub name: String,
    /// Rises with every start of the node.
    pub run: u64,
}

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u128);

        impl $name {
            /// Drawn by the caller from Env entropy; never reused.
            pub fn draw(entropy: &dyn crate::env::Entropy) -> Self {
                let mut bytes = [0; 16];
                entropy.fill(&mut bytes);
                Self(u128::from_le_bytes(bytes))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
                u128::from_str_radix(&text, 16)
                    .map(Self)
                    .map_err(|_| serde::de::Error::custom("an id is 32 hexadecimal digits"))
            }
        }
    };
}

random_id! {
    /// Fences what was leased by one call. What is held is named by (target, lease).
    LeaseId
}
random_id! {
    /// One computation of one turn. The same id always carries the same bytes.
    CommitId
}
random_id! {
    /// One request of a client.
    RequestId
}

impl CommitId {
    /// The lease under which a commit claims the activities it schedules.
    pub fn claim_lease(self) -> LeaseId {
        LeaseId(self.0)
    }
}
