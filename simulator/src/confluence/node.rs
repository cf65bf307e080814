//! What a wiki is made of: nodes (pages, folders and their kin), their bodies, and spaces.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::worlds::synthetic;

/// Number of a space or node: unique within a site, repeated on the next one.
pub type Id = u64;

/// What a node is; everything but pages and folders is only there to be skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Page,
    Folder,
    Whiteboard,
    Database,
    Embed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Current,
    Archived,
    Trashed,
    Draft,
}

/// Storage format of a page.
#[derive(Debug, Clone)]
pub enum Body {
    Text(Arc<str>),
    /// Made from the seed each time it is read: 50,000 of them cost nothing.
    Synthetic {
        seed: u64,
    },
}

impl Body {
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Synthetic { seed } => Cow::Owned(synthetic::body(*seed)),
        }
    }
}

impl<T: Into<Arc<str>>> From<T> for Body {
    fn from(text: T) -> Self {
        Self::Text(text.into())
    }
}

/// The current version of a node.
#[derive(Debug, Clone)]
pub struct Version {
    pub number: u32,
    pub at: Millis,
    pub message: String,
    pub minor: bool,
    pub author: Arc<str>,
}

/// A page, a folder or another kind of content in the tree of a space.
#[derive(Debug, Clone)]
pub struct Node {
    pub id: Id,
    pub kind: Kind,
    pub status: Status,
    pub title: String,
    pub space: Id,
    /// `None` at the top of the space.
    pub parent: Option<Id>,
    pub position: i64,
    pub author: Arc<str>,
    pub created_at: Millis,
    pub version: Version,
    pub body: Body,
    /// Who may read it, when restricted: account ids.
    pub readers: Option<BTreeSet<String>>,
}

/// A space and its pages in the orders that listings ask for.
#[derive(Debug, Clone)]
pub struct Space {
    pub id: Id,
    pub key: String,
    pub name: String,
    pub description: String,
    /// `global`, `personal`, `collaboration`, …
    pub kind: String,
    pub archived: bool,
    pub created_at: Millis,
    pub homepage: Option<Id>,
    /// Who may see it, when not everybody: account ids.
    pub readers: Option<BTreeSet<String>>,
    pub(super) index: PageIndex,
}

/// The pages of a space by each sort key.
#[derive(Debug, Clone, Default)]
pub(super) struct PageIndex {
    pub ids: BTreeSet<Id>,
    pub created: BTreeSet<(Millis, Id)>,
    pub modified: BTreeSet<(Millis, Id)>,
    /// By title in lower case, which no two pages of a space share.
    pub titles: BTreeMap<String, Id>,
}

impl PageIndex {
    pub fn insert(&mut self, node: &Node) {
        self.ids.insert(node.id);
        self.created.insert((node.created_at, node.id));
        self.modified.insert((node.version.at, node.id));
        self.titles.insert(folded(&node.title), node.id);
    }

    pub fn remove(&mut self, node: &Node) {
        self.ids.remove(&node.id);
        self.created.remove(&(node.created_at, node.id));
        self.modified.remove(&(node.version.at, node.id));
        self.titles.remove(&folded(&node.title));
    }
}

/// Titles are compared without regard to case.
pub(super) fn folded(title: &str) -> String {
    title.to_lowercase()
}

impl Space {
    #[must_use]
    pub fn visible_to(&self, account: &str) -> bool {
        self.readers.as_ref().is_none_or(|readers| readers.contains(account))
    }

    /// How many pages it holds, whatever their status.
    #[must_use]
    pub fn page_count(&self) -> usize {
        self.index.ids.len()
    }
}
