//! Selections: what of a site is wanted, or not.

use sea_orm::{FromJsonQueryResult, entity::prelude::*};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{SelectionId, SourceId};

/// What a selection names.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(examples("page_tree"))]
pub enum SelectionKind {
    Page,
    /// A page and everything below it.
    PageTree,
    /// Everything below a folder.
    Folder,
    Space,
}

/// Whether the pages are wanted.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum SelectionMode {
    Include,
    Exclude,
}

/// Whether what a selection names can be found.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum SelectionStatus {
    Ok,
    /// Trashed, purged or no longer visible.
    Missing,
    /// The site or space does not answer; nothing is concluded from that.
    Unreachable,
}

/// How far a space is listed that is too large to be listed at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Listing {
    /// Where it goes on; absent at the front.
    pub cursor: Option<String>,
    /// The last page before that.
    pub after: Option<String>,
    /// What was listed, in the order of page ids: each stretch begins where the one before it ends.
    pub stretches: Vec<Stretch>,
    /// Until when the points that it may have as time goes by are spent.
    pub spent_until: DateTimeUtc,
}

/// Pages that were listed together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// The last page; absent where the space ends.
    pub to: Option<String>,
    /// When they were listed.
    pub at: DateTimeUtc,
    /// The account that saw them, if it saw every document among them that does not leave.
    pub account: Option<String>,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "selections")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SelectionId,
    pub source_id: SourceId,
    pub kind: SelectionKind,
    pub mode: SelectionMode,
    pub external_id: String,
    pub title: String,
    pub space_id: Option<String>,
    pub status: SelectionStatus,
    pub problem_since: Option<DateTimeUtc>,
    /// Since when each of its pages has been looked for.
    pub verified_at: Option<DateTimeUtc>,
    /// Only of spaces that are listed piece by piece.
    pub listing: Option<Listing>,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
