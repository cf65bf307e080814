//! Answers to people who browse, kept for a minute and never more than a few hundred.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{NodeItem, NodesWanted, Part, SpaceItem, SpacesWanted};
use crate::ids::ConnectionId;

const KEPT_FOR: TimeDelta = TimeDelta::minutes(1);
const MOST: usize = 500;

/// Who asked what of which site.
pub(super) type Key = (ConnectionId, String, Wanted);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Wanted {
    Spaces(SpacesWanted),
    Nodes(NodesWanted),
}

#[derive(Clone, Debug)]
pub(super) enum Kept {
    Spaces(Part<SpaceItem>),
    Nodes(Part<NodeItem>),
}

/// The answers of one process.
#[derive(Debug, Default)]
pub struct Browsed(Mutex<HashMap<Key, (DateTime<Utc>, Kept)>>);

impl Browsed {
    pub(super) fn find(&self, key: &Key, now: DateTime<Utc>) -> Option<Kept> {
        let answers = self.lock();
        let (until, kept) = answers.get(key)?;
        (now < *until).then(|| kept.clone())
    }

    pub(super) fn keep(&self, key: Key, kept: Kept, now: DateTime<Utc>) {
        let mut answers = self.lock();
        if answers.len() >= MOST {
            answers.retain(|_, (until, _)| now < *until);
        }
        if answers.len() >= MOST {
            answers.clear();
        }
        answers.insert(key, (now + KEPT_FOR, kept));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, (DateTime<Utc>, Kept)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        let wanted = SpacesWanted { text: Some(text.to_owned()), limit: 50, cursor: None };
        (ConnectionId(uuid::Uuid::nil()), "cloud".to_owned(), Wanted::Spaces(wanted))
    }

    fn nothing() -> Kept {
        Kept::Spaces(Part { items: Vec::new(), next: None })
    }

    #[test]
    fn an_answer_is_kept_for_a_minute() {
        let (browsed, now) = (Browsed::default(), DateTime::UNIX_EPOCH);
        browsed.keep(key("a"), nothing(), now);
        assert!(browsed.find(&key("a"), now + TimeDelta::seconds(59)).is_some());
        assert!(browsed.find(&key("a"), now + TimeDelta::seconds(60)).is_none());
        assert!(browsed.find(&key("b"), now).is_none());
    }

    #[test]
    fn it_never_grows_beyond_its_bound() {
        let (browsed, now) = (Browsed::default(), DateTime::UNIX_EPOCH);
        for n in 0..3 * MOST {
            browsed.keep(key(&n.to_string()), nothing(), now);
            assert!(browsed.lock().len() <= MOST);
        }
    }
}
