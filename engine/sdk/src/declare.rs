//! Activities and orchestrations declared once, with their types: what is registered under
//! a declaration, and every call by it, then fits by compilation. Calls by name stay: they
//! are for names that are only known at run time. Not here: what the calls do (`context`).

use crate::calls::{ActivityCall, ChildCall};
use crate::context::OrchestrationContext;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;

/// An activity by name, that takes an `In` and gives an `Out`.
///
/// ```
/// use duroxide_sdk::{Activity, ActivityContext, OrchestrationContext, OrchestrationError, Registry};
///
/// const CHARGE: Activity<u32, String> = Activity::new("Charge");
///
/// async fn charge(_: ActivityContext, cents: u32) -> Result<String, String> {
///     Ok(format!("receipt for {cents}"))
/// }
///
/// async fn order(ctx: OrchestrationContext, cents: u32) -> Result<String, OrchestrationError> {
///     ctx.call(CHARGE, &cents).await
/// }
///
/// let registry = Registry::builder()
///     .register_activity(CHARGE, charge)
///     .register_orchestration("Order", order)
///     .build()?;
/// assert!(registry.activity(CHARGE.name()).is_some());
/// # Ok::<(), duroxide_sdk::RegistryError>(())
/// ```
///
/// An input of another type does not compile:
/// ```compile_fail,E0308
/// # use duroxide_sdk::{Activity, OrchestrationContext, OrchestrationError};
/// # const CHARGE: Activity<u32, String> = Activity::new("Charge");
/// async fn order(ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
///     ctx.call(CHARGE, "much").await
/// }
/// ```
/// nor does a result taken for another type:
/// ```compile_fail,E0308
/// # use duroxide_sdk::{Activity, OrchestrationContext, OrchestrationError};
/// # const CHARGE: Activity<u32, String> = Activity::new("Charge");
/// async fn order(ctx: OrchestrationContext) -> Result<u64, OrchestrationError> {
///     ctx.call(CHARGE, &1).await
/// }
/// ```
/// nor code of another type registered under it:
/// ```compile_fail,E0271
/// # use duroxide_sdk::{Activity, ActivityContext, Registry};
/// # const CHARGE: Activity<u32, String> = Activity::new("Charge");
/// async fn charge(_: ActivityContext, cents: u32) -> Result<u32, String> { Ok(cents) }
/// let builder = Registry::builder().register_activity(CHARGE, charge);
/// ```
pub struct Activity<In, Out> {
    name: &'static str,
    types: PhantomData<fn(In) -> Out>,
}

impl<In, Out> Activity<In, Out> {
    /// The activity of this name.
    pub const fn new(name: &'static str) -> Self {
        Self { name, types: PhantomData }
    }

    /// The name.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// An orchestration by name, that takes an `In` and gives an `Out`.
///
/// Its version is the one that code is registered under, 1.0.0 unless
/// [`version`](Self::version) says another. Calls by the declaration run the latest version
/// all the same, like calls by name: so that raising the version here does not change what
/// running orchestrations recorded. To ask for the declared version, [`pinned`](Self::pinned).
///
/// ```
/// use duroxide_sdk::{Orchestration, OrchestrationContext, OrchestrationError, Registry};
/// use std::time::Duration;
///
/// const COUNT: Orchestration<u32, u32> = Orchestration::new("Count").version("1.1.0");
///
/// async fn count(ctx: OrchestrationContext, n: u32) -> Result<u32, OrchestrationError> {
///     if n == 10 {
///         return Ok(n);
///     }
///     ctx.timer(Duration::from_secs(1)).await?;
///     ctx.continue_as(COUNT, &(n + 1)).await
/// }
///
/// async fn parent(ctx: OrchestrationContext, _: ()) -> Result<u32, OrchestrationError> {
///     ctx.start_detached(COUNT, "in the background", &0)?;
///     ctx.call(COUNT, &0).with_id("counter").await
/// }
///
/// let registry = Registry::builder()
///     .register_orchestration(COUNT, count)
///     .register_orchestration("Parent", parent)
///     .build()?;
/// assert_eq!(registry.latest("Count").map(ToString::to_string).as_deref(), Some("1.1.0"));
/// # Ok::<(), duroxide_sdk::RegistryError>(())
/// ```
///
/// An input of another type does not compile, wherever it is passed:
/// ```compile_fail,E0308
/// # use duroxide_sdk::{Orchestration, OrchestrationContext, OrchestrationError};
/// # const COUNT: Orchestration<u32, u32> = Orchestration::new("Count");
/// async fn parent(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
///     ctx.call(COUNT, "ten").await
/// }
/// ```
/// ```compile_fail,E0308
/// # use duroxide_sdk::{Orchestration, OrchestrationContext, OrchestrationError};
/// # const COUNT: Orchestration<u32, u32> = Orchestration::new("Count");
/// async fn parent(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
///     ctx.start_detached(COUNT, "id", "ten")
/// }
/// ```
/// ```compile_fail,E0308
/// # use duroxide_sdk::{Orchestration, OrchestrationContext, OrchestrationError};
/// # const COUNT: Orchestration<u32, u32> = Orchestration::new("Count");
/// async fn again(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
///     ctx.continue_as(COUNT, "ten").await
/// }
/// ```
/// Nor does a result taken for another type, nor code of another type registered under it:
/// ```compile_fail,E0308
/// # use duroxide_sdk::{Orchestration, OrchestrationContext, OrchestrationError};
/// # const COUNT: Orchestration<u32, u32> = Orchestration::new("Count");
/// async fn parent(ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
///     ctx.call(COUNT, &0).await
/// }
/// ```
/// ```compile_fail,E0631
/// # use duroxide_sdk::{Orchestration, OrchestrationContext, Registry};
/// # const COUNT: Orchestration<u32, u32> = Orchestration::new("Count");
/// async fn count(_: OrchestrationContext, n: String) -> Result<u32, String> { Ok(1) }
/// let builder = Registry::builder().register_orchestration(COUNT, count);
/// ```
pub struct Orchestration<In, Out> {
    name: &'static str,
    version: &'static str,
    pinned: bool,
    types: PhantomData<fn(In) -> Out>,
}

/// The version of code that is registered without one.
pub(crate) const FIRST_VERSION: &str = "1.0.0";

impl<In, Out> Orchestration<In, Out> {
    /// The orchestration of this name, in version 1.0.0.
    pub const fn new(name: &'static str) -> Self {
        Self { name, version: FIRST_VERSION, pinned: false, types: PhantomData }
    }

    /// In this version, which must be semver: registration checks it.
    #[must_use]
    pub const fn version(mut self, version: &'static str) -> Self {
        self.version = version;
        self
    }

    /// Calls by it run the declared version, not the latest. For versions that differ in
    /// their types.
    #[must_use]
    pub const fn pinned(mut self) -> Self {
        self.pinned = true;
        self
    }

    /// The name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn asked_version(&self) -> Option<String> {
        self.pinned.then(|| self.version.to_owned())
    }
}

/// What an activity may be registered under: any name, or the [`Activity`] of its types.
pub trait ActivityName<In, Out> {
    /// The name.
    fn into_name(self) -> String;
}

impl<In, Out, N: Into<String>> ActivityName<In, Out> for N {
    fn into_name(self) -> String {
        self.into()
    }
}

impl<In, Out> ActivityName<In, Out> for Activity<In, Out> {
    fn into_name(self) -> String {
        self.name.to_owned()
    }
}

/// What an orchestration may be registered under: any name, which stands for version 1.0.0,
/// or the [`Orchestration`] of its types.
pub trait OrchestrationName<In, Out> {
    /// Name and version.
    fn into_name_and_version(self) -> (String, &'static str);
}

impl<In, Out, N: Into<String>> OrchestrationName<In, Out> for N {
    fn into_name_and_version(self) -> (String, &'static str) {
        (self.into(), FIRST_VERSION)
    }
}

impl<In, Out> OrchestrationName<In, Out> for Orchestration<In, Out> {
    fn into_name_and_version(self) -> (String, &'static str) {
        (self.name.to_owned(), self.version)
    }
}

/// What can be started with an `Input`: any name, or an [`Orchestration`] that takes it (or
/// what it borrows as: a `&str` will do for a `String`).
pub trait Startable<Input: ?Sized> {
    /// Name, and version if not the latest.
    fn into_start(self) -> (String, Option<String>);
}

impl<Input: Serialize + ?Sized, N: Into<String>> Startable<Input> for N {
    fn into_start(self) -> (String, Option<String>) {
        (self.into(), None)
    }
}

impl<Input, In, Out> Startable<Input> for Orchestration<In, Out>
where
    Input: Serialize + ?Sized,
    In: Borrow<Input>,
{
    fn into_start(self) -> (String, Option<String>) {
        (self.name.to_owned(), self.asked_version())
    }
}

/// What [`OrchestrationContext::call`] takes: an [`Activity`] or an [`Orchestration`], with
/// an input that fits it.
pub trait Callable<Input: ?Sized>: sealed::Sealed {
    /// The call, whose options can still be set.
    type Call;
    /// The call on this context.
    fn call_on(self, ctx: &OrchestrationContext, input: &Input) -> Self::Call;
}

impl<Input, In, Out> Callable<Input> for Activity<In, Out>
where
    Input: Serialize + ?Sized,
    In: Borrow<Input>,
    Out: DeserializeOwned,
{
    type Call = ActivityCall<Out>;

    fn call_on(self, ctx: &OrchestrationContext, input: &Input) -> Self::Call {
        ctx.activity(self.name, input)
    }
}

impl<Input, In, Out> Callable<Input> for Orchestration<In, Out>
where
    Input: Serialize + ?Sized,
    In: Borrow<Input>,
    Out: DeserializeOwned,
{
    type Call = ChildCall<Out>;

    fn call_on(self, ctx: &OrchestrationContext, input: &Input) -> Self::Call {
        let call = ctx.child(self.name, input);
        match self.asked_version() {
            Some(version) => call.version(version),
            None => call,
        }
    }
}

mod sealed {
    /// Only declarations can be called.
    pub trait Sealed {}
    impl<In, Out> Sealed for super::Activity<In, Out> {}
    impl<In, Out> Sealed for super::Orchestration<In, Out> {}
}

// By hand: derived ones would ask the same of `In` and `Out`, of which there is no value.

impl<In, Out> Clone for Activity<In, Out> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<In, Out> Copy for Activity<In, Out> {}

impl<In, Out> fmt::Debug for Activity<In, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Activity({})", self.name)
    }
}

impl<In, Out> Clone for Orchestration<In, Out> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<In, Out> Copy for Orchestration<In, Out> {}

impl<In, Out> fmt::Debug for Orchestration<In, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Orchestration({} {})", self.name, self.version)
    }
}
