//! Oracle "came back": a deleted instance stays deleted. No turn of it is accepted any more
//! and nobody leases it, however late; another one may have its id.

use super::fact::{Fact, Oracle, Span, wrong};
use crate::wrong::Verdict;
use duroxide_provider::{Incarnation, InstanceKey};
use std::collections::BTreeMap;

const NAME: &str = "came back";

/// Which creations of instances there were, and which are gone.
#[derive(Default)]
pub(crate) struct Gone {
    /// Since when each was known.
    known: BTreeMap<InstanceKey, BTreeMap<Incarnation, u64>>,
    gone: BTreeMap<Incarnation, u64>,
}

impl Oracle for Gone {
    fn see(&mut self, fact: &Fact<'_>, span: Span) -> Verdict {
        if let Fact::Leased(_, leased) = fact {
            for leased in &leased.instances {
                self.check(&leased.key, leased.incarnation, "leased", span)?;
                let known = self.known.entry(leased.key.clone()).or_default();
                known.entry(leased.incarnation).or_insert(span.ended);
            }
        }
        if let Fact::Committed(accepted) = fact {
            self.check(accepted.key, accepted.request.incarnation, "given a turn", span)?;
        }
        if let Fact::Deleted(key) = fact {
            for (incarnation, since) in self.known.get(key).iter().flat_map(|known| *known) {
                if *since < span.began {
                    self.gone.entry(*incarnation).or_insert(span.ended);
                }
            }
        }
        Ok(())
    }
}

impl Gone {
    fn check(&self, key: &InstanceKey, of: Incarnation, what: &str, span: Span) -> Verdict {
        if self.gone.get(&of).is_some_and(|since| *since < span.began) {
            return wrong(NAME, key, format!("it was {what} after it had been deleted"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::{Feed, key, leased, started, turn};
    use super::*;

    #[test]
    fn a_turn_before_the_deletion_and_another_instance_of_the_id_pass() {
        let mut feed = Feed::new(Gone::default());
        feed.lease(&leased(7, None, 1)).unwrap();
        feed.commit(&turn(None, 1, vec![started()])).unwrap();
        feed.see(&Fact::Deleted(&key())).unwrap();
        let mut another = leased(8, None, 1);
        another.leased.instances[0].incarnation = Incarnation(2);
        feed.lease(&another).unwrap();
    }

    #[test]
    fn a_lease_and_a_turn_of_a_deleted_instance_are_found() {
        let mut feed = Feed::new(Gone::default());
        feed.lease(&leased(7, None, 1)).unwrap();
        feed.see(&Fact::Deleted(&key())).unwrap();
        feed.wrong(|feed| feed.lease(&leased(8, None, 1)), NAME, "leased after");
        let late = turn(None, 1, vec![started()]);
        feed.wrong(|feed| feed.commit(&late), NAME, "given a turn after");
    }
}
