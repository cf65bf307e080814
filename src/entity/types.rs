//! What the tables keep as JSON: typed, so that a row is never half understood.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A client's own notes on a resource: a map of strings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult, ToSchema)]
#[serde(transparent)]
pub struct Metadata(pub BTreeMap<String, String>);

/// Why a resource does not work, and what a person can do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult, ToSchema)]
pub struct Problem {
    /// A stable word that programs may match on.
    #[schema(examples("connection_needs_reconnect"))]
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub action: String,
}

impl Problem {
    /// A problem of three plain texts.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>, action: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), action: action.into() }
    }
}

/// How a source treats its pages. Absent fields take their defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, FromJsonQueryResult, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SourceOptions {
    /// Removals without a person's word: at most this many of a source's documents in 24 hours …
    #[schema(minimum = 0)]
    pub guard_max_removals: u32,
    /// … or this share of its live documents, whichever is more.
    #[schema(minimum = 0, maximum = 100)]
    pub guard_max_percent: u32,
    /// How long a page must be absent, at least, before it is removed.
    #[schema(minimum = 0)]
    pub suspect_age_seconds: u32,
    /// What becomes of pages that only some people of the site may read.
    pub restricted_pages: RestrictedPages,
}

/// What becomes of pages of which reading is restricted to some people, on themselves or on anything above them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RestrictedPages {
    /// They are kept out of the vector store, from where everybody who searches it could read them.
    #[default]
    Skip,
    /// They are treated as any other.
    Include,
}

impl Default for SourceOptions {
    fn default() -> Self {
        Self {
            guard_max_removals: 10,
            guard_max_percent: 25,
            suspect_age_seconds: 120,
            restricted_pages: RestrictedPages::Skip,
        }
    }
}

/// What a sync did, by kind of change.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult, ToSchema,
)]
#[serde(default)]
pub struct Counts {
    /// Pages new in the store.
    pub created: u64,
    /// Pages whose text was replaced.
    pub updated: u64,
    /// Pages of which only attributes changed.
    pub metadata: u64,
    /// Newer versions with the same text: nothing was uploaded.
    pub touched: u64,
    /// Pages taken out of the store.
    pub removed: u64,
    /// Pages that Confluence no longer shows, still in the store.
    pub suspect: u64,
    /// Removals that wait for a person.
    pub held: u64,
    /// Pages that failed and will be tried again.
    pub failed: u64,
    /// Pages not uploaded, each for a reason.
    pub skipped: u64,
}

/// What changes cost, or would cost at the most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Cost {
    /// Text to upload: as much as the pages had when they were last rendered.
    pub bytes: u64,
    /// Pages that were never rendered: their text is not among the bytes.
    pub unmeasured: u64,
    /// Calls to Confluence.
    pub confluence_calls: u64,
    /// Calls to OpenAI.
    pub openai_calls: u64,
    /// Confluence points.
    pub points: u64,
}

/// What proves that a page must leave the store, or makes it suspect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult, ToSchema)]
pub struct Evidence {
    /// What was found.
    pub kind: EvidenceKind,
    /// When, by our clock.
    pub at: DateTime<Utc>,
    /// The call or the act that showed it.
    #[schema(examples("GET /pages?id=…&status=trashed answered status trashed"))]
    pub call: String,
}

/// The kinds of evidence; all but the last three prove that a page must leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// The page answered with status `trashed`.
    Trashed,
    /// The page answered with status `archived`.
    Archived,
    /// A person took it out of the selections.
    Deselected,
    /// The page was read outside every selected scope.
    MovedOut,
    /// Reading the page, or something above it, is restricted to some people.
    Restricted,
    /// The page's newest version has no text.
    Empty,
    /// The source or knowledge base is being deleted.
    SourceDeleted,
    /// Absent for long enough, while the connection was proven healthy.
    Absent,
    /// The page or folder that brought it in is gone.
    RootGone,
    /// Its space or site has not answered for a day.
    Unreachable,
}
