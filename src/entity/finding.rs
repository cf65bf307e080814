//! Findings: where a store differs from what is known of it, one file a row. What is to be deleted is a row before it is.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{DocumentId, FileId, FindingId, ReconcileId};

/// What is wrong with a file.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A live file is not in the store: it is put there again.
    Missing,
    /// A live file cannot be searched any more: it is replaced.
    Broken,
    /// Others changed the attributes of a live file: they are written again.
    Changed,
    /// A file of ours that nothing knows, of a page that has no live file: it is taken up.
    Unknown,
    /// A file of ours beside the live one of the same page: it is removed.
    Duplicate,
    /// A file of ours in the store that no page wants: it is removed when it is a day old.
    Orphan,
    /// A file of ours in the account, but in no store: it is removed when it is a day old.
    Stray,
}

impl FindingKind {
    /// What is put right by taking a file away.
    pub const REMOVALS: [Self; 3] = [Self::Duplicate, Self::Orphan, Self::Stray];
}

/// What came of it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum FindingOutcome {
    /// It was met in a list.
    Found,
    /// It was looked at by itself.
    Confirmed,
    /// A look at it showed otherwise, or it changed meanwhile.
    Dismissed,
    /// It is too early: a later reconcile decides.
    Waiting,
    /// Its removal waits for a person.
    Held,
    /// It is being put right.
    Repairing,
    Repaired,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "findings")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: FindingId,
    pub reconcile_id: ReconcileId,
    pub kind: FindingKind,
    pub outcome: FindingOutcome,
    pub openai_file_id: String,
    pub file_id: Option<FileId>,
    pub document_id: Option<DocumentId>,
    pub page_id: Option<String>,
    pub title: Option<String>,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
