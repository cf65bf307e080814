//! Changes: what a sync did or would do, one page a row.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Cost, Evidence};
use crate::ids::{ChangeId, DocumentId, SyncId};

/// What kind of change it is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    Create,
    Revise,
    Metadata,
    Remove,
    Suspect,
}

/// What came of it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(examples("created"))]
pub enum ChangeOutcome {
    /// A plan's: nothing was done.
    Planned,
    Created,
    Updated,
    Metadata,
    /// A newer version with the same text: nothing was uploaded.
    Touched,
    Skipped,
    Removed,
    Suspect,
    Held,
    Failed,
    /// No longer suspect or held: the page was seen again.
    Released,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "changes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ChangeId,
    pub sync_id: SyncId,
    pub document_id: Option<DocumentId>,
    pub page_id: String,
    pub title: String,
    pub kind: ChangeKind,
    pub outcome: ChangeOutcome,
    pub reason: Option<String>,
    pub evidence: Option<Evidence>,
    /// What a planned change would cost.
    pub cost: Option<Cost>,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
