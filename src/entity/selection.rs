//! Selections: what of a site is wanted, or not.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{SelectionId, SourceId};

/// What a selection names.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
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
    /// When its pages were last listed completely.
    pub verified_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
