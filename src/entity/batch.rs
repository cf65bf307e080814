//! Batches: the calls that attach files to a store, each known before it is made.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{BatchId, KnowledgeBaseId, SourceId};

/// What is known of a batch.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum BatchStatus {
    /// The call is being made, or its answer is lost.
    Sending,
    /// OpenAI has it.
    Open,
    /// The server has no batches: each file was attached by itself.
    Single,
    /// Never answered and not found: its files are looked up one by one.
    Lost,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "batches")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: BatchId,
    pub source_id: SourceId,
    pub knowledge_base_id: KnowledgeBaseId,
    pub vendor_id: Option<String>,
    pub status: BatchStatus,
    pub size: i32,
    pub sent_at: DateTimeUtc,
    /// When a file that is still being indexed is given up.
    pub deadline_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
