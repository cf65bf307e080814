//! Reconciles: one comparison of a store with what is known of it each, or one rebuild of a store that was lost.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Problem;
use crate::ids::{FileId, KnowledgeBaseId, ReconcileId, WorkspaceId};

/// What is done.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ReconcileKind {
    /// The store is compared with what is known, and put right.
    Reconcile,
    /// The store is lost: another is made and filled.
    Rebuild,
}

/// Why it was begun.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(examples("daily"))]
pub enum ReconcileTrigger {
    /// A day had passed since the last.
    Daily,
    Manual,
    /// The store was adopted.
    Adoption,
}

/// Where it stands.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(examples("running"))]
pub enum ReconcileStatus {
    Queued,
    Running,
    /// Done but for removals that wait for a person.
    Held,
    Succeeded,
    /// Done, but some of it has to wait for the next.
    Partial,
    Failed,
    /// It held removals, and a later one looked again.
    Superseded,
}

impl ReconcileStatus {
    /// The statuses of those that are under way.
    pub const OPEN: [Self; 2] = [Self::Queued, Self::Running];
}

/// What it is at.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(examples("list"))]
pub enum ReconcileStep {
    Queued,
    /// Reads the store's own list.
    List,
    /// Looks for files that the list lacks.
    Miss,
    /// Looks through the account for files that nothing knows.
    Sweep,
    /// Looks at each finding by itself.
    Confirm,
    /// Puts right what was confirmed.
    Repair,
    /// Makes a new store.
    Create,
    /// Puts the documents into the new store.
    Fill,
    Done,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "reconciles")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ReconcileId,
    pub workspace_id: WorkspaceId,
    pub knowledge_base_id: KnowledgeBaseId,
    pub kind: ReconcileKind,
    pub trigger: ReconcileTrigger,
    /// Reports and changes nothing.
    pub dry_run: bool,
    pub status: ReconcileStatus,
    pub step: ReconcileStep,
    /// A person approved the removals that it held.
    pub approved: bool,
    /// The store that it is about; a rebuild's new one, once it is made.
    pub vector_store_id: Option<String>,
    /// Where its listing goes on.
    pub list_after: Option<String>,
    /// Where its look at the rows goes on.
    pub row_after: Option<FileId>,
    /// Entries of the store's list that were read; of a rebuild, documents that are in the new store.
    pub done: i64,
    /// How many there are to read, or to bring in.
    pub total: Option<i64>,
    /// Entries of others.
    pub foreign_files: i64,
    /// Entries that a person kept when their source was deleted.
    pub kept_files: i64,
    pub problem: Option<Problem>,
    /// When the call that makes a new store was last sent.
    pub sent_at: Option<DateTimeUtc>,
    pub not_before: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub started_at: Option<DateTimeUtc>,
    pub finished_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
