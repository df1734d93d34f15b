//! What a power cut leaves of one file.

use super::{Content, Mood, SECTOR};
use crate::counts::Counts;
use duroxide_sim_dice::Dice;
use std::collections::BTreeSet;

fn cut(content: &mut Content, mood: Mood, seed: u64) -> Counts {
    let mut counts = Counts::default();
    content.cut(mood, &mut Dice::new(seed, "test"), &mut counts);
    counts
}

/// A file of this many durable sectors, all `b'a'`.
fn durable(sectors: usize) -> Content {
    let mut content = Content::default();
    content.write(0, &vec![b'a'; sectors * SECTOR]);
    content.sync();
    content
}

#[test]
fn what_was_synced_survives_whatever_the_mood() {
    for mood in [Mood::AllOld, Mood::AllNew, Mood::Mixed, Mood::Torn] {
        for seed in 0..20 {
            let mut content = durable(3);
            assert_eq!(cut(&mut content, mood, seed), Counts::default());
            assert_eq!(content.bytes(), [b'a'; 3 * SECTOR]);
        }
    }
}

#[test]
fn a_sector_comes_back_old_new_between_or_garbage() {
    let mut seen = BTreeSet::new();
    for seed in 0..100 {
        let mut content = durable(1);
        content.write(0, &[b'b'; SECTOR]);
        content.write(0, &[b'c'; SECTOR]);
        cut(&mut content, Mood::Torn, seed);
        let same = content.bytes().iter().all(|byte| *byte == content.bytes()[0]);
        seen.insert(if same { content.bytes()[0] } else { b'?' });
    }
    assert_eq!(seen, BTreeSet::from([b'a', b'b', b'c', b'?']));
}

#[test]
fn each_sector_has_a_fate_of_its_own() {
    let torn = |seed| {
        let mut content = durable(8);
        content.write(0, &[b'b'; 8 * SECTOR]);
        cut(&mut content, Mood::Mixed, seed);
        let old = content.bytes().chunks(SECTOR).filter(|sector| sector[0] == b'a').count();
        (1..8).contains(&old)
    };
    assert!((0..20).filter(|seed| torn(*seed)).count() > 10);
}

#[test]
fn garbage_stays_within_the_bytes_that_were_written() {
    for seed in 0..200 {
        let mut content = durable(2);
        content.write(100, &[b'b'; 10]);
        content.write(300, &[b'b'; 300]);
        cut(&mut content, Mood::Torn, seed);
        for (at, byte) in content.bytes().iter().enumerate() {
            assert!(*byte == b'a' || (100..110).contains(&at) || (300..600).contains(&at), "{at}");
        }
    }
}

#[test]
fn a_length_that_was_not_synced_may_be_the_old_one() {
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let mut content = durable(1);
        content.write(SECTOR, &[b'b'; 4 * SECTOR]);
        cut(&mut content, Mood::Mixed, seed);
        assert!(content.bytes().iter().all(|byte| b"\0ab".contains(byte)));
        seen.insert(content.len() / SECTOR);
    }
    assert!(seen.contains(&1) && seen.contains(&5) && seen.len() > 3, "{seen:?}");
}

#[test]
fn a_truncation_is_lost_whole_or_kept_whole() {
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let mut content = durable(4);
        content.truncate(SECTOR);
        content.write(SECTOR, &[b'b'; SECTOR]);
        cut(&mut content, Mood::Mixed, seed);
        let tail = content.bytes().get(SECTOR).copied();
        match content.len() / SECTOR {
            4 => assert!(content.bytes().iter().all(|byte| *byte == b'a')),
            1 => assert_eq!(tail, None),
            2 => assert!(matches!(tail, Some(0 | b'b'))),
            other => panic!("{other} sectors"),
        }
        seen.insert(content.len() / SECTOR);
    }
    assert_eq!(seen, BTreeSet::from([1, 2, 4]));
}

#[test]
fn what_a_failed_sync_forgot_is_not_written_by_the_next_one() {
    let mut lost = false;
    for seed in 0..20 {
        let mut content = durable(9);
        content.write(0, &[b'b'; SECTOR]);
        content.write(8 * SECTOR, &[b'b'; SECTOR]);
        content.fail_sync();
        // The second page is written again.
        content.write(8 * SECTOR, &[b'c'; 1]);
        content.sync();
        cut(&mut content, Mood::Mixed, seed);
        assert_eq!(content.bytes()[8 * SECTOR..8 * SECTOR + 2], [b'c', b'b']);
        lost |= content.bytes()[0] == b'a';
    }
    assert!(lost);
}

#[test]
fn what_is_read_beyond_the_end_is_zero() {
    let content = durable(1);
    let mut buffer = [b'x'; 8];
    assert_eq!(content.read(SECTOR - 4, &mut buffer), 4);
    assert_eq!(buffer, *b"aaaa\0\0\0\0");
}
