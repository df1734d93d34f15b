//! What the tests of snapshots share: a test is the list of events above it, and the name of
//! what is played. Not here: the lists.

use duroxide_snapshots::{cases, expected, found, text};

/// Tests named like functions. The doc comment above each is the list of events expected, and
/// the test asserts it, before it compares the snapshot.
#[macro_export]
macro_rules! reviewed {
    ($($(#[doc = $line:literal])+ $test:ident: $case:literal;)+) => {$(
        $(#[doc = $line])+
        #[test]
        fn $test() {
            common::review(&[$($line),+], $case);
        }
    )+};
}

pub(crate) fn review(doc: &[&str], name: &str) {
    let cases = cases().expect("they register");
    let case = cases.into_iter().find(|case| case.name == name).expect("there is such a case");
    let list = expected(doc);
    assert!(!list.is_empty(), "the list of events expected stands above the test");
    assert_eq!(found(&case.recordings), list, "{}", text(&case.recordings));
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path("../snapshots");
    settings.bind(|| insta::assert_snapshot!(case.name, text(&case.recordings)));
}
