//! What the three levels of `synchronous` promise, and that SQLite keeps it on this disk.

use crate::ledger::*;
use duroxide_sim_disk::Verdict::{CutPower, Kill};

const SEEDS: u64 = 400;

#[test]
fn wal_with_full_loses_and_tears_nothing_when_the_power_is_cut() {
    let all = crash_seeds(SEEDS, WAL_FULL, CutPower);
    assert_eq!((all.lost, all.torn, all.corrupt), (0, 0, 0), "{all:?}");
    assert_eq!(all.crashes, SEEDS * CRASHES);
    assert!(all.acknowledged > 5 * SEEDS, "{all:?}");
    // The cuts met work, and did to it all that they can do.
    assert!(all.sectors > 5 * all.crashes && all.garbage > all.crashes, "{all:?}");
    assert!(all.metadata > SEEDS / 10, "{all:?}");
}

#[test]
fn wal_with_normal_loses_commits_when_the_power_is_cut_and_is_never_damaged() {
    let all = crash_seeds(SEEDS, WAL_NORMAL, CutPower);
    assert_eq!((all.torn, all.corrupt), (0, 0), "{all:?}");
    assert!(all.lost > SEEDS / 10, "{all:?}");
}

#[test]
fn wal_without_syncs_is_damaged_when_the_power_is_cut() {
    let all = crash_seeds(SEEDS, WAL_OFF, CutPower);
    assert!(all.torn + all.corrupt > SEEDS / 10, "{all:?}");
}

#[test]
fn a_deleted_journal_with_extra_loses_and_tears_nothing_when_the_power_is_cut() {
    let all = crash_seeds(SEEDS, DELETE_EXTRA, CutPower);
    assert_eq!((all.lost, all.torn, all.corrupt), (0, 0, 0), "{all:?}");
}

/// The journal's deletion is the commit, and only EXTRA waits for it to be on the platter.
#[test]
fn a_deleted_journal_with_full_may_come_back_and_take_the_last_commit_with_it() {
    let all = crash_seeds(SEEDS, DELETE_FULL, CutPower);
    assert_eq!((all.torn, all.corrupt), (0, 0), "{all:?}");
    assert!(all.lost > 0, "{all:?}");
}

#[test]
fn a_truncated_journal_with_full_is_never_damaged_when_the_power_is_cut() {
    let all = crash_seeds(SEEDS, TRUNCATE_FULL, CutPower);
    assert_eq!((all.torn, all.corrupt), (0, 0), "{all:?}");
}

#[test]
fn a_deleted_journal_without_syncs_is_damaged_when_the_power_is_cut() {
    let all = crash_seeds(SEEDS, DELETE_OFF, CutPower);
    assert!(all.torn + all.corrupt > SEEDS / 10, "{all:?}");
}

#[test]
fn the_death_of_the_process_loses_nothing_whatever_the_mode() {
    for mode in [WAL_FULL, WAL_NORMAL, WAL_OFF, DELETE_FULL, DELETE_OFF] {
        let all = crash_seeds(SEEDS / 4, mode, Kill);
        assert_eq!((all.lost, all.torn, all.corrupt), (0, 0, 0), "{mode:?}: {all:?}");
        assert!(all.acknowledged > SEEDS, "{all:?}");
    }
}
