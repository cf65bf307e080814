//! What planned changes would cost: pure.
//!
//! Bodies are read fifty at once, readers of pages asked for 250 at once, and files attached five hundred at once, so many
//! changes together cost less than each by itself. A text that turns out to be the same costs no upload: what is said here
//! is the most.

use std::ops::AddAssign;

use crate::{
    confluence::MOST_IDS,
    entity::{Cost, change::ChangeKind},
};

/// Bodies asked for at once: half the points of single reads, and a bounded answer.
pub const BODIES: u64 = 50;
/// Files attached at once.
const ATTACHED: u64 = 500;
/// A batch is made, and looked at once at least.
const CALLS_A_BATCH: u64 = 2;
/// A file that leaves is detached, then deleted.
const CALLS_A_FILE: u64 = 2;

/// What has to be done for changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Pages to render and upload.
    renderings: u64,
    /// Their text, as far as it was rendered before.
    bytes: u64,
    /// Those that never were.
    unmeasured: u64,
    /// Files whose attributes are written.
    descriptions: u64,
    /// Files that leave the store.
    retirements: u64,
    /// Pages of which it is asked who may read them.
    readers: u64,
}

impl Effort {
    /// What one change takes. `live` is the length of the text that is in the store; `renders` tells of a move into
    /// another space, where the same version may read otherwise.
    #[must_use]
    pub fn of(kind: ChangeKind, live: Option<u64>, renders: bool) -> Self {
        match (kind, live) {
            (ChangeKind::Create | ChangeKind::Revise, live) => Self::rendering(live),
            (ChangeKind::Metadata, Some(_)) if renders => Self::rendering(live),
            (ChangeKind::Metadata, Some(_)) => Self { descriptions: 1, ..Self::default() },
            (ChangeKind::Remove, Some(_)) => Self { retirements: 1, ..Self::default() },
            (ChangeKind::Metadata | ChangeKind::Remove, None) | (ChangeKind::Suspect, _) => Self::default(),
        }
    }

    fn rendering(live: Option<u64>) -> Self {
        Self {
            renderings: 1,
            bytes: live.unwrap_or(0),
            unmeasured: live.is_none().into(),
            retirements: live.is_some().into(),
            ..Self::default()
        }
    }

    /// The same where it is asked first who may read a page.
    #[must_use]
    pub fn with_readers(self) -> Self {
        Self { readers: self.renderings + self.descriptions, ..self }
    }

    /// What it costs, done together.
    #[must_use]
    pub fn cost(self) -> Cost {
        let reads = self.renderings.div_ceil(BODIES) + self.readers.div_ceil(MOST_IDS as u64);
        Cost {
            bytes: self.bytes,
            unmeasured: self.unmeasured,
            confluence_calls: reads,
            openai_calls: self.renderings
                + self.renderings.div_ceil(ATTACHED) * CALLS_A_BATCH
                + self.descriptions
                + self.retirements * CALLS_A_FILE,
            points: reads + self.renderings + self.readers,
        }
    }
}

impl AddAssign for Effort {
    fn add_assign(&mut self, other: Self) {
        self.renderings += other.renderings;
        self.bytes += other.bytes;
        self.unmeasured += other.unmeasured;
        self.descriptions += other.descriptions;
        self.retirements += other.retirements;
        self.readers += other.readers;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_changes_cost_less_than_each_by_itself() {
        let one = Effort::of(ChangeKind::Revise, Some(1_000), false);
        let cost = one.cost();
        assert_eq!((cost.bytes, cost.confluence_calls, cost.openai_calls, cost.points), (1_000, 1, 5, 2));
        let mut hundred = Effort::default();
        for _ in 0..100 {
            hundred += one;
        }
        let cost = hundred.cost();
        assert_eq!(
            (cost.bytes, cost.confluence_calls, cost.openai_calls, cost.points),
            (100_000, 2, 302, 102)
        );
    }

    #[test]
    fn where_it_is_asked_who_may_read_a_page_that_costs_a_point_more() {
        let mut changes = Effort::default();
        for _ in 0..50 {
            changes += Effort::of(ChangeKind::Revise, Some(9), false).with_readers();
            changes += Effort::of(ChangeKind::Metadata, Some(9), false).with_readers();
            changes += Effort::of(ChangeKind::Remove, Some(9), false).with_readers();
        }
        let cost = changes.cost();
        assert_eq!((cost.confluence_calls, cost.points), (1 + 1, 50 + 1 + 100 + 1));
    }

    #[test]
    fn a_page_that_was_never_rendered_is_not_measured() {
        let cost = Effort::of(ChangeKind::Create, None, false).cost();
        assert_eq!((cost.bytes, cost.unmeasured, cost.openai_calls), (0, 1, 3));
    }

    #[test]
    fn what_is_not_in_the_store_costs_nothing_to_remove_or_describe() {
        for kind in [ChangeKind::Remove, ChangeKind::Metadata, ChangeKind::Suspect] {
            assert_eq!(Effort::of(kind, None, true).cost(), Cost::default());
        }
        assert_eq!(Effort::of(ChangeKind::Remove, Some(9), false).cost().openai_calls, 2);
        assert_eq!(Effort::of(ChangeKind::Metadata, Some(9), false).cost().openai_calls, 1);
        assert_eq!(Effort::of(ChangeKind::Metadata, Some(9), true).cost().bytes, 9);
    }
}
