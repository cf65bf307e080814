//! What a run learns from Confluence, and what it already knows: the inputs of [`super::plan`].

use std::cmp::Ordering;

use chrono::{DateTime, Utc};

use crate::{
    entity::document::{DocumentState, Work},
    ids::{DocumentId, SelectionId},
};

/// A current page as Confluence showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Confluence's id of the page.
    pub page_id: String,
    /// Confluence's number of the version.
    pub version: i64,
    /// When that version was made, by Confluence's clock.
    pub edited_at: DateTime<Utc>,
    /// Its title.
    pub title: String,
    /// Where a person reads it.
    pub url: String,
    /// The space it is in.
    pub space_id: String,
    /// What it hangs below; absent at the top of a space.
    pub parent_id: Option<String>,
    /// The kind of that parent: `page`, `folder` or another.
    pub parent_kind: Option<String>,
}

/// A document as the database has it, as far as the plan needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Our id.
    pub id: DocumentId,
    /// Confluence's id of the page.
    pub page_id: String,
    /// What became of it.
    pub state: DocumentState,
    /// What is still to be done.
    pub work: Work,
    /// The selection that brought it in.
    pub selection_id: Option<SelectionId>,
    /// The newest version seen.
    pub wanted_version: i64,
    /// The version whose text is in the store.
    pub live_version: Option<i64>,
    /// Its title.
    pub title: String,
    /// Its address.
    pub url: String,
    /// Its space.
    pub space_id: String,
    /// Its parent.
    pub parent_id: Option<String>,
    /// Since when it has been absent.
    pub suspect_since: Option<DateTime<Utc>>,
}

impl Known {
    /// Whether it stands for a page that is, or is meant to be, in the store.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.state != DocumentState::Removed
    }
}

/// What the selections say of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This selection brings it in.
    Wanted(SelectionId),
    /// This selection keeps it out.
    Excluded(SelectionId),
    /// No selection reaches it.
    Outside,
    /// An exclusion covers it, but a wanted tree inside of that, which could not be seen, may hold it.
    Unclear,
}

/// How much of a scope was seen in this sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Everything: what was not seen is not in it.
    Complete,
    /// Nothing, or not all: absence means nothing. The scope was not due, or its listing failed.
    Partial,
    /// Confluence says that the page, folder or space that names the scope is gone.
    Gone,
}

/// The order of page ids: numbers that exceed 2^53 and are kept as text, so that shorter ones come first.
#[must_use]
pub fn page_order(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}
