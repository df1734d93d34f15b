//! What no store survives is noticed: a disk that says it has synced and has not, once the
//! power fails; and one on which bits change. Not here: which bits SQLite can notice
//! (`sim/src/oracle/file`), what must be survived (`simulation`).

use duroxide_sim::{
    BitRot, Boundary, DiskCall, Fault, LyingSync, Orders, Outcome, Plan, Planned, PowerCut, STORE,
    StoreKind, Swarm, Sync, Workload, run,
};
use std::sync::Arc;

/// A world of SQLite in which nothing happens but this, each when the disk syncs for that time.
fn struck(seed: u64, faults: impl IntoIterator<Item = (u64, Fault)>) -> Outcome {
    let mut plan = Plan::draw(seed, &Orders, &Swarm::calm());
    (plan.store.kind, plan.store.sync) = (StoreKind::Sqlite, Sync::Full);
    let boundary = Boundary::Disk(DiskCall::Sync);
    let at = |(nth, fault)| Planned { host: STORE.to_owned(), boundary, nth, fault };
    plan.faults.extend(faults.into_iter().map(at));
    run(&plan, &(Arc::new(Orders) as Arc<dyn Workload>))
}

fn lies() -> (u64, Fault) {
    (20, LyingSync.into())
}

fn power_fails() -> (u64, Fault) {
    (60, PowerCut { down_ms: 1_000 }.into())
}

#[test]
fn syncs_that_were_not_made_are_noticed_once_the_power_fails() {
    for seed in [3, 7, 9] {
        for harmless in [lies(), power_fails()] {
            let outcome = struck(seed, [harmless.clone()]);
            assert_eq!(outcome.failure, None, "seed {seed}, {harmless:?}");
        }
        let outcome = struck(seed, [lies(), power_fails()]);
        assert_eq!((outcome.counts.of("lying_sync"), outcome.counts.of("power_cut")), (1, 1));
        let wrong = outcome.failure.unwrap();
        // What was acknowledged is not there, or as it was before.
        assert!(["promise", "status", "chain"].contains(&wrong.oracle.as_str()), "{wrong}");
    }
}

#[test]
fn bits_that_change_again_and_again_are_noticed() {
    for seed in [7, 9] {
        let outcome = struck(seed, (100..400).map(|nth| (nth, BitRot.into())));
        assert!(outcome.counts.of("bit_rot") > 50);
        let wrong = outcome.failure.unwrap();
        assert_ne!(wrong.oracle, "panic", "{wrong}");
    }
}
