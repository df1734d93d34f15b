//! The list of all checks, written once: from it come [`checks`], [`groups`] and the tests
//! of [`conformance_suite!`](crate::conformance_suite). A check that is not in it is dead
//! code, which the compiler tells. The groups stand in the files beside this one.

mod instances;
mod store;
mod turns;

use crate::run::Check;

/// Hands the list of groups to a macro, behind what is to go before it.
#[doc(hidden)]
#[macro_export]
macro_rules! __for_each_check {
    ([$($then:tt)*] $($with:tt)*) => {
        $crate::__checks_of_turns! { [$($then)*] [$($with)*] }
    };
}

/// One `#[test]` per check, in a module per group. The factory's expression is evaluated
/// for each test, so that each has a store of its own. A check that needs an ability which
/// the factory has not passes as a test and says on its stdout that it was skipped, as
/// [`run_all`](crate::run_all) tells.
#[macro_export]
macro_rules! conformance_suite {
    ($factory:expr) => {
        $crate::__for_each_check! { [$crate::__conformance_tests] $factory }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ([$factory:expr] $($group:ident $title:literal { $($name:ident)* })*) => {
        /// Where the macro stands, so that the expression means what it says there.
        fn conformance_factory() -> impl $crate::Factory {
            $factory
        }
        $(
            mod $group {
                $(
                    #[test]
                    fn $name() {
                        let factory = super::conformance_factory();
                        $crate::assert_check(factory, stringify!($group), stringify!($name));
                    }
                )*
            }
        )*
    };
}

/// A part of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// The short name, the first half of a check's.
    pub name: &'static str,
    /// What the part says, as a sentence.
    pub title: &'static str,
}

macro_rules! group_list {
    ([] $($group:ident $title:literal { $($name:ident)* })*) => {
        &[$(Group { name: stringify!($group), title: $title },)*]
    };
}

/// Every group, in the order of the report.
pub fn groups() -> &'static [Group] {
    __for_each_check! { [group_list] }
}

macro_rules! check_list {
    ([] $($group:ident $title:literal { $($name:ident)* })*) => {
        vec![$($(
            Check {
                group: stringify!($group),
                name: stringify!($name),
                run: |fixture| Box::pin(crate::groups::$group::$name(fixture)),
            },
        )*)*]
    };
}

/// Every check, group by group.
pub fn checks() -> Vec<Check> {
    __for_each_check! { [check_list] }
}
