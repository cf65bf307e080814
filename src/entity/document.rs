//! Documents: one page of one source each, and what became of it.

use sea_orm::{entity::prelude::*, sea_query::ExprTrait};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Evidence;
use crate::ids::{DocumentId, SelectionId, SourceId, WorkspaceId};

/// What became of a page.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(examples("live"))]
pub enum DocumentState {
    /// Wanted, not in the store yet.
    Pending,
    /// Uploaded; OpenAI is indexing it.
    Indexing,
    /// In the store.
    Live,
    /// In the store, but Confluence no longer shows the page.
    Suspect,
    /// Not uploaded, for the reason given.
    Skipped,
    /// Not (or not newly) in the store; it is tried again.
    Failed,
    /// Taken out of the store.
    Removed,
}

/// What a run still has to do for a document.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Work {
    None,
    /// Render a newer version of what is live.
    Revise,
    /// Render it for the first time.
    Create,
    /// Only its attributes changed.
    Metadata,
}

impl Work {
    /// That this is to be done for a document. In literals, so that SQLite finds the partial index.
    #[must_use]
    pub fn is(self) -> Expr {
        let work = || Expr::col((Entity, Column::Work));
        let is = work().eq(self.literal());
        if self == Self::None { is } else { is.and(work().ne(Self::None.literal())) }
    }

    fn literal(self) -> Expr {
        Expr::Constant(self.to_value().into())
    }
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "documents")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DocumentId,
    pub workspace_id: WorkspaceId,
    pub source_id: SourceId,
    pub kind: String,
    /// The page id.
    pub external_id: String,
    /// The selection that brings it in.
    pub selection_id: Option<SelectionId>,
    pub title: String,
    pub url: String,
    pub space_id: String,
    pub parent_id: Option<String>,
    pub parent_kind: Option<String>,
    pub state: DocumentState,
    /// A stable word for why it is in that state.
    pub reason: Option<String>,
    /// The same for a person.
    pub message: Option<String>,
    pub work: Work,
    /// The newest version seen at Confluence.
    pub wanted_version: i64,
    /// The newest version whose text was looked at.
    pub rendered_version: Option<i64>,
    /// The version whose text is in the store.
    pub live_version: Option<i64>,
    /// When the wanted version was made, by Confluence's clock.
    pub edited_at: DateTimeUtc,
    pub detected_at: DateTimeUtc,
    /// When the text of its newest version could first be found.
    pub searchable_at: Option<DateTimeUtc>,
    /// Whether these times tell how soon an edit shows: not where the page was there before it was watched.
    pub timed: bool,
    pub verified_at: Option<DateTimeUtc>,
    pub suspect_since: Option<DateTimeUtc>,
    pub evidence: Option<Evidence>,
    pub failures: i32,
    pub retry_at: Option<DateTimeUtc>,
    /// A text that OpenAI refused for good.
    pub refused_sha256: Option<Vec<u8>>,
    pub removed_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
