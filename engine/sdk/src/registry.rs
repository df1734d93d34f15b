//! Which code runs under which name. Built once, then only read: a name that is wrong, or
//! registered twice, is an error of the builder, long before anything runs.

use crate::error::failure_of;
use crate::{
    ActivityContext, ActivityName, BoxFuture, OrchestrationContext, OrchestrationName, codec,
};
use duroxide_core::{Failure, Limits, Payload, validate_name};
use semver::Version;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// An orchestration's code, its types erased.
pub type OrchestrationFn =
    Arc<dyn Fn(OrchestrationContext, Payload) -> BoxFuture<Result<Payload, Failure>> + Send + Sync>;

/// An activity's code, its types erased.
pub type ActivityFn =
    Arc<dyn Fn(ActivityContext, Payload) -> BoxFuture<Result<Payload, Failure>> + Send + Sync>;

/// Names under this prefix belong to the engine.
const RESERVED: &str = "duroxide::";

/// Why a registry could not be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// A name is empty, too long or reserved.
    #[error("cannot register {what} {name:?}: {problem}")]
    Name {
        /// `activity` or `orchestration`.
        what: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A version is not semver.
    #[error(
        "cannot register orchestration {name:?}: its version {version:?} is not semver: {problem}"
    )]
    Version {
        /// The orchestration.
        name: String,
        /// The version.
        version: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The activity is registered already.
    #[error("activity {name:?} is registered twice")]
    DuplicateActivity {
        /// Its name.
        name: String,
    },
    /// The orchestration is registered already in this version.
    #[error("orchestration {name:?} is registered twice in version {version}")]
    DuplicateOrchestration {
        /// Its name.
        name: String,
        /// The version.
        version: Version,
    },
}

/// Activities and orchestrations by name. Cheap to clone.
#[derive(Clone, Default)]
pub struct Registry(Arc<Tables>);

#[derive(Clone, Default)]
struct Tables {
    activities: BTreeMap<String, ActivityFn>,
    orchestrations: BTreeMap<String, BTreeMap<Version, OrchestrationFn>>,
}

impl Registry {
    /// An empty registry to fill.
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder { tables: Tables::default(), error: None }
    }

    /// The activity of this name.
    pub fn activity(&self, name: &str) -> Option<&ActivityFn> {
        self.0.activities.get(name)
    }

    /// The orchestration of this name in exactly this version.
    pub fn orchestration(&self, name: &str, version: &Version) -> Option<&OrchestrationFn> {
        self.0.orchestrations.get(name)?.get(version)
    }

    /// The highest version of an orchestration, in whatever order they were registered.
    pub fn latest(&self, name: &str) -> Option<&Version> {
        self.0.orchestrations.get(name)?.keys().next_back()
    }

    /// Names of the activities, sorted.
    pub fn activities(&self) -> impl Iterator<Item = &str> {
        self.0.activities.keys().map(String::as_str)
    }

    /// Names of the orchestrations, sorted, with their versions, ascending.
    pub fn orchestrations(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = &Version>)> {
        self.0.orchestrations.iter().map(|(name, versions)| (name.as_str(), versions.keys()))
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let orchestrations: BTreeMap<_, Vec<_>> =
            self.orchestrations().map(|(name, versions)| (name, versions.collect())).collect();
        f.debug_struct("Registry")
            .field("activities", &self.0.activities.keys())
            .field("orchestrations", &orchestrations)
            .finish()
    }
}

/// Collects registrations; [`build`](Self::build) reports the first that was wrong.
#[must_use = "call build()"]
pub struct RegistryBuilder {
    tables: Tables,
    error: Option<RegistryError>,
}

impl RegistryBuilder {
    /// Names an activity, by text or by its [`Activity`](crate::Activity).
    pub fn register_activity<In, Out, E, F, Fut>(
        mut self,
        name: impl ActivityName<In, Out>,
        code: F,
    ) -> Self
    where
        In: DeserializeOwned + Send + 'static,
        Out: Serialize,
        E: fmt::Display + 'static,
        F: Fn(ActivityContext, In) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Out, E>> + Send + 'static,
    {
        let name = name.into_name();
        let added = self.add_activity(&name, erase_activity(&name, code));
        self.note(added);
        self
    }

    /// Names an orchestration: by text, as version 1.0.0, or by its
    /// [`Orchestration`](crate::Orchestration), as the version declared there.
    pub fn register_orchestration<In, Out, E, F, Fut>(
        self,
        name: impl OrchestrationName<In, Out>,
        code: F,
    ) -> Self
    where
        In: DeserializeOwned + Send + 'static,
        Out: Serialize,
        E: fmt::Display + 'static,
        F: Fn(OrchestrationContext, In) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Out, E>> + Send + 'static,
    {
        let (name, version) = name.into_name_and_version();
        self.register_orchestration_versioned(name, version, code)
    }

    /// Names one version of an orchestration. New instances run the highest; running ones
    /// stay on theirs.
    pub fn register_orchestration_versioned<In, Out, E, F, Fut>(
        mut self,
        name: impl Into<String>,
        version: &str,
        code: F,
    ) -> Self
    where
        In: DeserializeOwned + Send + 'static,
        Out: Serialize,
        E: fmt::Display + 'static,
        F: Fn(OrchestrationContext, In) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Out, E>> + Send + 'static,
    {
        let name = name.into();
        let added = self.add_orchestration(&name, version, erase_orchestration(&name, code));
        self.note(added);
        self
    }

    /// The registry, unless a registration was wrong.
    pub fn build(self) -> Result<Registry, RegistryError> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(Registry(Arc::new(self.tables))),
        }
    }

    fn note(&mut self, added: Result<(), RegistryError>) {
        if let (None, Err(error)) = (&self.error, added) {
            self.error = Some(error);
        }
    }

    fn add_activity(&mut self, name: &str, code: ActivityFn) -> Result<(), RegistryError> {
        check_name("activity", name)?;
        match self.tables.activities.insert(name.to_owned(), code) {
            None => Ok(()),
            Some(_) => Err(RegistryError::DuplicateActivity { name: name.to_owned() }),
        }
    }

    fn add_orchestration(
        &mut self,
        name: &str,
        version: &str,
        code: OrchestrationFn,
    ) -> Result<(), RegistryError> {
        check_name("orchestration", name)?;
        let version = Version::parse(version).map_err(|error| RegistryError::Version {
            name: name.to_owned(),
            version: version.to_owned(),
            problem: error.to_string(),
        })?;
        let versions = self.tables.orchestrations.entry(name.to_owned()).or_default();
        match versions.insert(version.clone(), code) {
            None => Ok(()),
            Some(_) => {
                Err(RegistryError::DuplicateOrchestration { name: name.to_owned(), version })
            }
        }
    }
}

impl fmt::Debug for RegistryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryBuilder").field("error", &self.error).finish_non_exhaustive()
    }
}

fn check_name(what: &'static str, name: &str) -> Result<(), RegistryError> {
    let refuse = |problem: String| RegistryError::Name { what, name: name.to_owned(), problem };
    if name.starts_with(RESERVED) {
        return Err(refuse(format!("names under {RESERVED:?} belong to the engine")));
    }
    validate_name(what, name, &Limits::default()).map_err(|failure| refuse(failure.message))
}

// The user's function is called inside the future, so that a panic in it is caught where
// the future is polled.

fn erase_activity<In, Out, E, F, Fut>(name: &str, code: F) -> ActivityFn
where
    In: DeserializeOwned + Send + 'static,
    Out: Serialize,
    E: fmt::Display + 'static,
    F: Fn(ActivityContext, In) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Out, E>> + Send + 'static,
{
    let what: Arc<str> = format!("activity {name:?}").into();
    let code = Arc::new(code);
    Arc::new(move |ctx, input| {
        let (what, code) = (Arc::clone(&what), Arc::clone(&code));
        Box::pin(async move {
            let input = codec::decode(format_args!("the input of {what}"), &input)?;
            let output = code(ctx, input).await.map_err(|error| failure_of(&error))?;
            codec::encode(format_args!("the output of {what}"), &output)
        })
    })
}

fn erase_orchestration<In, Out, E, F, Fut>(name: &str, code: F) -> OrchestrationFn
where
    In: DeserializeOwned + Send + 'static,
    Out: Serialize,
    E: fmt::Display + 'static,
    F: Fn(OrchestrationContext, In) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Out, E>> + Send + 'static,
{
    let what: Arc<str> = format!("orchestration {name:?}").into();
    let code = Arc::new(code);
    Arc::new(move |ctx, input| {
        let (what, code) = (Arc::clone(&what), Arc::clone(&code));
        Box::pin(async move {
            let input = codec::decode(format_args!("the input of {what}"), &input)?;
            let output = code(ctx, input).await.map_err(|error| failure_of(&error))?;
            codec::encode(format_args!("the output of {what}"), &output)
        })
    })
}
