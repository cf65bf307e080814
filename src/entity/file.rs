//! Files: one uploaded rendering of a document each, known before it is uploaded.

use sea_orm::{entity::prelude::*, sea_query::ExprTrait};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{BatchId, DocumentId, FileId, KnowledgeBaseId, SourceId};

/// What a file is to its document.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum FileRole {
    /// On its way into the store.
    Candidate,
    /// What readers of the store find.
    Live,
    /// On its way out.
    Retiring,
}

impl FileRole {
    /// That a file has this role. In literals: SQLite does not match a bound value with partial indexes, and plans the
    /// statement again whenever another one is bound.
    #[must_use]
    pub fn is(self) -> Expr {
        let is = Expr::col((Entity, Column::Role)).eq(self.literal());
        if self == Self::Live { is } else { is.and(Self::Live.is_not()) }
    }

    /// That a file has another role.
    #[must_use]
    pub fn is_not(self) -> Expr {
        Expr::col((Entity, Column::Role)).ne(self.literal())
    }

    fn literal(self) -> Expr {
        Expr::Constant(self.to_value().into())
    }
}

/// How far a file has come.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum FileStage {
    /// The upload was sent; until it is answered, the file may exist.
    Uploading,
    Uploaded,
    /// The attaching call was sent; until it is answered, the file may be attached.
    Attaching,
    Indexing,
    Completed,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "files")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: FileId,
    pub document_id: DocumentId,
    pub source_id: SourceId,
    pub knowledge_base_id: KnowledgeBaseId,
    pub role: FileRole,
    pub stage: FileStage,
    pub file_name: String,
    pub openai_file_id: Option<String>,
    pub batch_id: Option<BatchId>,
    pub sha256: Vec<u8>,
    pub bytes: i64,
    pub version: i64,
    pub edited_at: DateTimeUtc,
    /// As last written to the store.
    pub attributes: Json,
    pub selections_revision: i64,
    /// When the upload was sent.
    pub sent_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub completed_at: Option<DateTimeUtc>,
    pub retiring_at: Option<DateTimeUtc>,
    pub retire_reason: Option<String>,
    /// When the reconcile began that last met it in the store's own list.
    pub seen_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
