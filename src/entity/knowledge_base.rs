//! Knowledge bases: one vector store each, with the credential that reaches it.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Metadata, Problem};
use crate::ids::{KnowledgeBaseId, WorkspaceId};

/// Where the vector store came from.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum StoreOrigin {
    /// Tidegate made it.
    Created,
    /// It was there before.
    Adopted,
}

/// Where a knowledge base stands.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(examples("active"))]
pub enum KnowledgeBaseStatus {
    /// The store is being made, or its making is being checked.
    Creating,
    Active,
    /// The store or key is lost; `problem` says what to do.
    Blocked,
    Deleting,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "knowledge_bases")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: KnowledgeBaseId,
    pub workspace_id: WorkspaceId,
    pub name: String,
    pub openai_base_url: String,
    /// Absent only while the store is being created.
    pub vector_store_id: Option<String>,
    pub origin: StoreOrigin,
    pub status: KnowledgeBaseStatus,
    pub problem: Option<Problem>,
    /// Sealed key of its own; absent: the server's key.
    pub credential: Option<Vec<u8>>,
    pub credential_last4: Option<String>,
    pub delete_store: bool,
    /// Delete without reaching the store: its key is dead.
    pub forget: bool,
    pub external_id: Option<String>,
    pub metadata: Metadata,
    pub revision: i64,
    /// When its store was last compared with what is known, from end to end.
    pub last_reconciled_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
