//! Lists of documents as they were answered, for those who ask again before anything has changed.
//!
//! * A list is answered again only at the very revision of the source's documents at which it was read.
//! * It takes a bounded part of memory.

use bytes::Bytes;
use quick_cache::{Weighter, sync::Cache};

use crate::{
    entity::document::DocumentState,
    ids::{DocumentId, SourceId},
};

/// The bytes of all answers together.
const MOST_BYTES: u64 = 4 * 1024 * 1024;
/// About how many answers fit.
const ANSWERS: usize = 256;

/// Which list was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Asked {
    pub source: SourceId,
    pub state: Option<DocumentState>,
    pub title: Option<String>,
    pub after: Option<DocumentId>,
    pub rows: u64,
}

#[derive(Clone, Debug)]
struct Answer {
    revision: i64,
    body: Bytes,
}

#[derive(Clone, Debug)]
struct Weight;

impl Weighter<Asked, Answer> for Weight {
    fn weight(&self, asked: &Asked, answer: &Answer) -> u64 {
        let title = asked.title.as_ref().map_or(0, String::len);
        (size_of::<Asked>() + size_of::<Answer>() + title + answer.body.len()) as u64
    }
}

/// The answers of one process.
#[derive(Debug)]
pub struct Listed(Cache<Asked, Answer, Weight>);

impl Default for Listed {
    fn default() -> Self {
        Self(Cache::with_weighter(ANSWERS, MOST_BYTES, Weight))
    }
}

impl Listed {
    /// The body that was answered at this revision of the source's documents.
    #[must_use]
    pub fn find(&self, asked: &Asked, revision: i64) -> Option<Bytes> {
        self.0.get(asked).filter(|answer| answer.revision == revision).map(|answer| answer.body)
    }

    /// Keeps the body of a list that was read when the documents had this revision or a later one.
    pub fn keep(&self, asked: Asked, revision: i64, body: Bytes) {
        self.0.insert(asked, Answer { revision, body });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(title: &str) -> Asked {
        let source = SourceId(uuid::Uuid::nil());
        Asked { source, state: None, title: Some(title.to_owned()), after: None, rows: 51 }
    }

    #[test]
    fn an_answer_is_good_for_its_revision_only() {
        let listed = Listed::default();
        listed.keep(asked("a"), 7, Bytes::from_static(b"seven"));
        assert_eq!(listed.find(&asked("a"), 7).as_deref(), Some(&b"seven"[..]));
        assert_eq!(listed.find(&asked("a"), 8), None);
        assert_eq!(listed.find(&asked("b"), 7), None);
    }

    #[test]
    fn answers_take_a_bounded_part_of_memory() {
        let listed = Listed::default();
        for n in 0..200 {
            listed.keep(asked(&n.to_string()), 1, Bytes::from(vec![0; 100_000]));
        }
        assert!(listed.0.weight() <= MOST_BYTES);
    }
}
