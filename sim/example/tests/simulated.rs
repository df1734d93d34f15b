//! The project's own orchestration under every fault: crashes, power cuts, partitions,
//! lost answers, clocks that jump. `DUROXIDE_SIM_SEED=7 cargo test` runs one seed again.

use duroxide_sim::{Finished, Swarm, simulate};
use duroxide_sim_example::{Outcome, Transfer, registry};

fn pay(to: &str) -> Transfer {
    Transfer { from: "anna".to_owned(), to: to.to_owned(), amount: 500 }
}

#[test]
fn a_transfer_is_done_or_undone_whatever_goes_wrong() {
    simulate(registry)
        .start("Transfer", pay("ben"))
        .completes_with(Outcome::Done)
        .start("Transfer", pay("closed"))
        .completes_with(Outcome::Undone)
        .faults(Swarm::all())
        .seeds(1..40)
        .check();
}

#[test]
fn an_oracle_of_its_own_says_what_must_hold_of_every_transfer() {
    let even = |ended: &Finished<'_>| {
        let scheduled = ended.activities().len();
        if scheduled == 2 || scheduled == 3 {
            Ok(())
        } else {
            Err(format!("{scheduled} payments were made"))
        }
    };
    simulate(registry)
        .start("Transfer", pay("ben"))
        .start("Transfer", pay("closed"))
        .oracle(even)
        .faults(Swarm::all().without("power_cut"))
        .seeds(40..60)
        .check();
}

#[test]
fn a_wrong_expectation_is_told_with_the_seed_that_shows_it() {
    let told = simulate(registry)
        .named("wrong")
        .start("Transfer", pay("closed"))
        .completes_with(Outcome::Done)
        .seeds(7..8)
        .outcomes()
        .unwrap_err();
    for part in ["seed 7 FAILED", "[workload]", "Undone", "DUROXIDE_SIM_SEED=7"] {
        assert!(told.contains(part), "{part} is not in: {told}");
    }
}
