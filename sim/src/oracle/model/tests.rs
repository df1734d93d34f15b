//! The model allows what the engine does, and nothing else.

use super::super::build::{
    Feed, Turn, activity, arrived, completed, delivered, done, ended, event, fired, info, key,
    mail, start, started, timer, turn, waits,
};
use super::super::fact::Fact;
use super::*;
use duroxide_core::{EventKind, KvEntry, Payload, TimeMs};
use duroxide_provider::Submitted;

/// A model that knows of a start.
fn feed() -> Feed<Model> {
    let mut feed = Feed::new(Model::default());
    feed.submit(&start(1), Submitted::Created).unwrap();
    feed
}

/// The first turn: an activity, a timer and two waits.
fn opens() -> Turn {
    turn(None, 1, vec![started(), activity(2), timer(3, 500), waits(4), waits(5)])
}

fn writes(id: u64, status: &str) -> duroxide_core::Event {
    event(id, EventKind::CustomStatusUpdated { status: Some(status.to_owned()) })
}

fn impossible(feed: &mut Feed<Model>, turn: &Turn, says: &str) {
    feed.wrong(|feed| feed.commit(turn), NAME, says);
}

#[test]
fn a_run_from_start_to_end_is_possible() {
    let mut feed = feed();
    feed.commit(&opens()).unwrap();
    feed.complete(&completed(2, 11)).unwrap();
    feed.commit(&turn(Some(1), 2, vec![done(6, 2)]).at(6)).unwrap();
    feed.submit(&mail(2, "x"), Submitted::Accepted).unwrap();
    feed.hand(&[arrived(10, "x")]).unwrap();
    let goes_on = turn(Some(2), 3, vec![delivered(7, 4, 10, "x"), fired(8, 3, 1_500)]);
    feed.commit(&goes_on.at(7)).unwrap();
    let mut end = ended(9);
    end.at = TimeMs(1_500);
    feed.commit(&turn(Some(3), 4, vec![end]).at(9).completed()).unwrap();
    let state = InstanceState::Completed { output: Payload::json("1") };
    feed.see(&Fact::Looked(&key(), Some(&InstanceInfo { state, ..info(0, None) }))).unwrap();
}

#[test]
fn a_start_that_nobody_asked_for_is_found() {
    let mut feed = Feed::new(Model::default());
    impossible(&mut feed, &turn(None, 1, vec![started()]), "nobody asked for that start");
}

#[test]
fn completions_of_nothing_and_early_timers_are_found() {
    let mut feed = feed();
    feed.commit(&opens()).unwrap();
    impossible(&mut feed, &turn(Some(1), 2, vec![done(6, 2)]).at(6), "no worker said");
    let mut feed = self::feed();
    feed.commit(&opens()).unwrap();
    impossible(&mut feed, &turn(Some(1), 2, vec![done(6, 3)]).at(6), "is Some(Timer");
    let mut feed = self::feed();
    feed.commit(&opens()).unwrap();
    impossible(
        &mut feed,
        &turn(Some(1), 2, vec![fired(6, 3, 1_499)]).at(6),
        "due at 1500, it fires at 1499",
    );
}

#[test]
fn mail_of_nobody_and_mail_for_a_younger_wait_are_found() {
    let mut feed = feed();
    feed.commit(&opens()).unwrap();
    let invents = turn(Some(1), 2, vec![delivered(6, 4, 10, "x")]).at(6);
    impossible(&mut feed, &invents, "nobody sent that");
    let mut feed = self::feed();
    feed.commit(&opens()).unwrap();
    feed.submit(&mail(2, "x"), Submitted::Accepted).unwrap();
    let younger = turn(Some(1), 2, vec![delivered(6, 5, 10, "x")]).at(6);
    impossible(&mut feed, &younger, "the oldest wait");
}

#[test]
fn a_turn_that_asks_for_less_or_more_than_its_events_say_is_found() {
    let mut forgets = opens();
    forgets.turn.activities.clear();
    impossible(&mut feed(), &forgets, "its activities are []");
    let mut keeps = turn(None, 1, vec![started(), writes(2, "x")]);
    impossible(&mut feed(), &keeps, "its status are []");
    keeps.turn.status = Some(duroxide_core::StatusChange { status: Some("x".to_owned()) });
    feed().commit(&keeps).unwrap();
}

#[test]
fn a_cancel_and_a_termination_of_nobody_are_found() {
    let (reason, from_parent, unstarted) = ("enough".to_owned(), false, false);
    let cancel = EventKind::OrchestrationCancelRequested { reason, from_parent, unstarted };
    impossible(&mut feed(), &turn(None, 1, vec![started(), event(2, cancel)]), "no client asked");
    let terminated = EventKind::OrchestrationTerminated { reason: "now".to_owned() };
    let ends = turn(None, 1, vec![started(), event(2, terminated)]).completed();
    impossible(&mut feed(), &ends, "nobody asked for that termination");
}

#[test]
fn a_client_is_shown_what_was_accepted_or_what_may_have_been() {
    let mut feed = feed();
    feed.see(&Fact::Looked(&key(), Some(&info(0, None)))).unwrap();
    let mut sets = turn(None, 1, vec![started(), writes(2, "x")]);
    sets.turn.status = Some(duroxide_core::StatusChange { status: Some("x".to_owned()) });
    // It has reached the store, and nobody has an answer: both are possible.
    let request = Arc::new((*sets).clone());
    feed.see(&Fact::Committing(&key(), &request)).unwrap();
    feed.see(&Fact::Looked(&key(), Some(&info(0, None)))).unwrap();
    feed.see(&Fact::Looked(&key(), Some(&info(1, Some("x"))))).unwrap();
    feed.commit(&sets).unwrap();
    let stale = |feed: &mut Feed<Model>| feed.see(&Fact::Looked(&key(), Some(&info(0, None))));
    feed.wrong(stale, NAME, "it was shown as");
}

#[test]
fn pairs_that_nobody_wrote_are_found() {
    let mut feed = feed();
    feed.commit(&opens()).unwrap();
    feed.see(&Fact::Values(&key(), &[])).unwrap();
    let pair = KvEntry { key: "k".to_owned(), value: "v".to_owned(), updated_at: TimeMs(1) };
    feed.wrong(|feed| feed.see(&Fact::Values(&key(), &[pair])), NAME, "it was shown as");
}
