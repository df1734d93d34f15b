//! Declared activities and orchestrations do what calls by name do, driven by hand. That
//! wrong types do not compile: the doc tests of `Activity` and `Orchestration`.

use duroxide_core::{End, FailureKind};
use duroxide_sdk::testing::ByHand;
use duroxide_sdk::{
    Activity, ActivityContext, Orchestration, OrchestrationContext, OrchestrationError, Registry,
    RegistryError,
};
use serde::{Deserialize, Serialize};

type Outcome<T> = Result<T, OrchestrationError>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Order {
    item: String,
    count: u32,
}

const PRICE: Activity<Order, u32> = Activity::new("Price");
const GREET: Activity<String, String> = Activity::new("Greet");
const SHOP: Orchestration<Order, u32> = Orchestration::new("Shop").version("1.1.0");
const LOOP: Orchestration<u32, u32> = Orchestration::new("It");

async fn price(_: ActivityContext, order: Order) -> Result<u32, String> {
    Ok(7 * order.count)
}

async fn shop(ctx: OrchestrationContext, order: Order) -> Outcome<u32> {
    ctx.call(PRICE, &order).await
}

fn order() -> Order {
    Order { item: "cup".to_owned(), count: 3 }
}

/// A registry of one orchestration, named `It`, and the shop.
macro_rules! it {
    ($code:expr) => {
        Registry::builder()
            .register_orchestration("It", $code)
            .register_orchestration(SHOP, shop)
            .build()
            .unwrap()
    };
}

#[test]
fn a_declared_activity_is_called_as_one_by_name() {
    let by_name = |ctx: OrchestrationContext, order: Order| async move {
        ctx.activity::<u32>("Price", &order).on_session("s").with_tag("t").await
    };
    let declared = |ctx: OrchestrationContext, order: Order| async move {
        ctx.call(PRICE, &order).on_session("s").with_tag("t").await
    };
    let mut runs = [it!(by_name), it!(declared)].map(|it| ByHand::start(&it, "It", &order()));
    for run in &mut runs {
        run.turn();
        run.activity_completes("Price", &21).turn();
        assert_eq!(run.output::<u32>(), Ok(21));
    }
    assert_eq!(runs[0].history(), runs[1].history());
}

#[test]
fn what_borrows_as_the_declared_input_will_do() {
    let registry =
        it!(|ctx: OrchestrationContext, (): ()| async move { ctx.call(GREET, "World").await });
    let mut run = ByHand::start(&registry, "It", &());
    let commit = run.turn().commit;
    assert_eq!(commit.activities[0].input.as_json(), Some("\"World\""));
}

#[test]
fn code_registered_under_a_declaration_runs_in_its_version() {
    let registry =
        Registry::builder().register_activity(PRICE, price).register_orchestration(SHOP, shop);
    let registry = registry.build().unwrap();
    assert_eq!(registry.latest("Shop").unwrap().to_string(), "1.1.0");
    let mut run = ByHand::start(&registry, SHOP.name(), &order());
    run.turn();
    assert_eq!(run.perform_activity().as_deref(), Some("Price"));
    run.turn();
    assert_eq!(run.output::<u32>(), Ok(21));
}

#[test]
fn a_declared_child_is_the_latest_version_unless_it_is_pinned() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        let latest = ctx.call(SHOP, &order());
        let pinned = ctx.call(SHOP.pinned(), &order()).with_id("pinned");
        let (latest, pinned) = ctx.join((latest, pinned)).await;
        Ok::<_, OrchestrationError>(latest? + pinned?)
    });
    let mut run = ByHand::start(&registry, "It", &());
    let starts = run.turn().commit.starts;
    let asked = |n: usize| (starts[n].instance.as_str(), starts[n].version.as_deref());
    assert_eq!(asked(0), ("test::sub::2", None));
    assert_eq!(asked(1), ("pinned", Some("1.1.0")));
    run.child_completes("Shop", &1).child_completes("Shop", &2).turn();
    assert_eq!(run.output::<u32>(), Ok(3));
}

#[test]
fn a_declared_orchestration_is_started_detached() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        ctx.start_detached(SHOP, "one", &order())?;
        ctx.start_detached(SHOP.pinned(), "two", &order())?;
        ctx.start_detached("Shop", "three", &order())
    });
    let mut run = ByHand::start(&registry, "It", &());
    let starts = run.turn().commit.starts;
    let asked: Vec<_> = starts.iter().map(|start| start.version.as_deref()).collect();
    assert_eq!(asked, [None, Some("1.1.0"), None]);
    assert!(starts.iter().all(|start| start.detached && start.name == "Shop"));
}

#[test]
fn it_continues_as_new_by_its_declaration() {
    let registry = it!(|ctx: OrchestrationContext, n: u32| async move {
        match n {
            0 => ctx.continue_as(LOOP, &1).await,
            1 => ctx.continue_as(LOOP.pinned(), &2).await,
            _ => Ok::<_, OrchestrationError>(n),
        }
    });
    let mut run = ByHand::start(&registry, "It", &0);
    let version_of = |end: Option<End>| match end {
        Some(End::ContinuedAsNew { version, .. }) => version,
        other => panic!("it continues as new, not {other:?}"),
    };
    assert_eq!(version_of(run.turn().commit.end), None);
    assert_eq!(version_of(run.turn().commit.end).as_deref(), Some("1.0.0"));
    run.turn();
    assert_eq!(run.output::<u32>(), Ok(2));
}

#[test]
fn it_cannot_continue_as_another_orchestration() {
    let registry = it!(|ctx: OrchestrationContext, (): ()| async move {
        let error = ctx.continue_as::<u32, _, _, _>(SHOP, &order()).await.unwrap_err();
        assert_eq!(error.kind(), FailureKind::Invalid);
        Err::<(), _>(error)
    });
    let mut run = ByHand::start(&registry, "It", &());
    run.turn();
    assert_eq!(run.output::<()>(), Err("\"It\" cannot continue as \"Shop\"".to_owned()));
}

#[test]
fn a_declaration_is_checked_when_it_is_registered() {
    const TYPO: Orchestration<Order, u32> = Orchestration::new("Shop").version("1.1");
    let builder = Registry::builder().register_orchestration(TYPO, shop);
    assert!(
        matches!(builder.build(), Err(RegistryError::Version { version, .. }) if version == "1.1")
    );
    let twice =
        Registry::builder().register_orchestration(SHOP, shop).register_orchestration(SHOP, shop);
    assert_eq!(
        twice.build().unwrap_err().to_string(),
        "orchestration \"Shop\" is registered twice in version 1.1.0"
    );
    let nameless = Registry::builder().register_activity(Activity::<Order, u32>::new(""), price);
    assert!(matches!(nameless.build(), Err(RegistryError::Name { what: "activity", .. })));
}
