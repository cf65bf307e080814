//! How a knowledge base looks outside.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    documents::StateCounts,
    entity::{
        Metadata, Problem as Trouble,
        knowledge_base::{KnowledgeBaseStatus, Model, StoreOrigin},
    },
    http::Problem,
    ids::KnowledgeBaseId,
    knowledge_bases::store,
};

/// An OpenAI vector store that Tidegate feeds.
#[derive(Debug, Serialize, ToSchema)]
pub struct KnowledgeBase {
    pub id: KnowledgeBaseId,
    #[schema(examples("Handbook"))]
    name: String,
    status: KnowledgeBaseStatus,
    /// Why it is blocked, and what to do about it.
    problem: Option<Trouble>,
    /// The store at OpenAI. It never changes by itself; `null` only while it is being made.
    #[schema(examples("vs_68f0a1b2c3d4819190abcdef"))]
    vector_store_id: Option<String>,
    origin: StoreOrigin,
    credential: Credential,
    /// Paste this into `tools` of `POST /v1/responses` at OpenAI; `null` while the store is being made.
    file_search_tool: Option<FileSearchTool>,
    /// How many documents of all its sources are in each state.
    documents: StateCounts,
    /// When the store was last compared with what is known of it, from end to end.
    #[schema(examples("2026-03-04T03:00:12Z"))]
    last_reconciled_at: Option<DateTime<Utc>>,
    external_id: Option<String>,
    metadata: Metadata,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// Whose OpenAI key reaches the store.
#[derive(Debug, Serialize, ToSchema)]
struct Credential {
    kind: CredentialKind,
    /// The end of a key of its own.
    #[schema(examples("9xYz"))]
    last4: Option<String>,
}

/// Whose key it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CredentialKind {
    /// The knowledge base brought it.
    Own,
    /// The installation's.
    Server,
}

/// The tool as OpenAI's Responses API takes it.
#[derive(Debug, Serialize, ToSchema)]
struct FileSearchTool {
    #[schema(examples("file_search"))]
    r#type: &'static str,
    #[schema(examples("vs_68f0a1b2c3d4819190abcdef"))]
    vector_store_ids: Vec<String>,
}

impl KnowledgeBase {
    /// A knowledge base with its documents counted.
    #[must_use]
    pub fn of(row: Model, documents: StateCounts) -> Self {
        let tool = |id: &String| FileSearchTool { r#type: "file_search", vector_store_ids: vec![id.clone()] };
        let kind = if row.credential.is_some() { CredentialKind::Own } else { CredentialKind::Server };
        Self {
            file_search_tool: row.vector_store_id.as_ref().map(tool),
            id: row.id,
            name: row.name,
            status: row.status,
            problem: row.problem,
            vector_store_id: row.vector_store_id,
            origin: row.origin,
            credential: Credential { kind, last4: row.credential_last4 },
            documents,
            last_reconciled_at: row.last_reconciled_at,
            external_id: row.external_id,
            metadata: row.metadata,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }

    /// A knowledge base with its documents as they are now.
    pub async fn counted(app: &App, row: Model) -> Result<Self, Problem> {
        let mut counts = store::count_documents(app.db.read(), &[row.id]).await?;
        let documents = counts.remove(&row.id).unwrap_or_default();
        Ok(Self::of(row, documents))
    }
}
