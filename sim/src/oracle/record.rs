//! What was known when: values with the moment from which each was certain. Moments are
//! counted in calls of the store, not in time.

/// Values, each certain from a moment on.
#[derive(Debug, Clone)]
pub(crate) struct Record<T>(Vec<(u64, T)>);

impl<T> Default for Record<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Record<T> {
    /// From this moment on it is this.
    pub(crate) fn push(&mut self, from: u64, value: T) {
        self.0.push((from, value));
    }

    /// What was certain before a moment; the latest of it.
    pub(crate) fn before(&self, moment: u64) -> Option<&T> {
        let known = self.0.partition_point(|(from, _)| *from < moment);
        known.checked_sub(1).map(|last| &self.0[last].1)
    }

    /// What may have been the case at some time after a moment.
    pub(crate) fn since(&self, moment: u64) -> impl Iterator<Item = &T> {
        let known = self.0.partition_point(|(from, _)| *from < moment);
        self.0[known.saturating_sub(1)..].iter().map(|(_, value)| value)
    }

    /// The latest.
    pub(crate) fn last(&self) -> Option<&T> {
        self.0.last().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_may_see_what_was_certain_when_it_began_and_all_that_came_since() {
        let mut record = Record::default();
        for (from, value) in [(1, 'a'), (4, 'b'), (7, 'c')] {
            record.push(from, value);
        }
        assert_eq!((record.before(1), record.before(5)), (None, Some(&'b')));
        assert_eq!(record.since(5).copied().collect::<String>(), "bc");
        assert_eq!(record.since(0).copied().collect::<String>(), "abc");
    }
}
