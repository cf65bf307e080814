//! Sources: one site feeding one knowledge base each.

use sea_orm::{UpdateMany, entity::prelude::*, sea_query::ExprTrait};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Metadata, Problem, SourceOptions};
use crate::ids::{ConnectionId, KnowledgeBaseId, ReplicaId, SourceId, SyncId, WorkspaceId};

/// Where a source stands.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum SourceStatus {
    Active,
    Paused,
    /// Its connection or knowledge base is lost; `problem` says what to do.
    Blocked,
    Deleting,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sources")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SourceId,
    pub workspace_id: WorkspaceId,
    pub knowledge_base_id: KnowledgeBaseId,
    /// Absent only while it is being deleted.
    pub connection_id: Option<ConnectionId>,
    /// The account under which its documents were observed; absent before the first observation.
    pub account_id: Option<String>,
    pub cloud_id: String,
    pub site_url: String,
    pub name: String,
    pub status: SourceStatus,
    pub problem: Option<Problem>,
    pub options: SourceOptions,
    pub interval_seconds: i32,
    /// Grows with each change of selections.
    pub selections_revision: i64,
    /// Grows with each transaction that may change its documents.
    pub documents_revision: i64,
    pub keep_documents: bool,
    /// Grows with each lease-holder; every write of a run repeats it.
    pub fence: i64,
    pub lease_holder: Option<ReplicaId>,
    pub lease_until: Option<DateTimeUtc>,
    /// When a process last took the lease: those whose turn is longest ago come first.
    pub last_run_at: Option<DateTimeUtc>,
    pub next_sync_at: DateTimeUtc,
    pub last_checked_at: Option<DateTimeUtc>,
    pub last_sync_id: Option<SyncId>,
    pub external_id: Option<String>,
    pub metadata: Metadata,
    pub revision: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// An update of sources whose documents may change in the same transaction: lists that were answered before are read anew.
#[must_use]
pub fn documents_change() -> UpdateMany<Entity> {
    let revision = Column::DocumentsRevision;
    Entity::update_many().col_expr(revision, Expr::col(revision).add(1))
}
