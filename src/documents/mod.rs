//! Documents: one page of a source each, and what became of it.

mod freshness;
mod listed;
pub mod routes;
pub mod store;

pub use freshness::{Freshness, Lag, Waiting};
pub use listed::Listed;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    entity::document::{DocumentState, Model},
    http::Problem,
    ids::{DocumentId, WorkspaceId},
};

/// One document of a workspace, or a 404.
pub async fn found(app: &App, workspace_id: WorkspaceId, id: DocumentId) -> Result<Model, Problem> {
    let row = store::find(app.db.read(), workspace_id, id).await?;
    row.ok_or_else(|| Problem::not_found("document"))
}

/// How many documents are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct StateCounts {
    /// Wanted, not in the store yet.
    #[schema(examples(2))]
    pub pending: u64,
    /// Uploaded; OpenAI is indexing them.
    #[schema(examples(1))]
    pub indexing: u64,
    /// In the store.
    #[schema(examples(745))]
    pub live: u64,
    /// In the store, but Confluence no longer shows them.
    #[schema(examples(0))]
    pub suspect: u64,
    /// Not uploaded, each for a reason.
    #[schema(examples(3))]
    pub skipped: u64,
    /// Not (or not newly) in the store; they are tried again.
    #[schema(examples(0))]
    pub failed: u64,
    /// Taken out of the store, and still listed.
    #[schema(examples(12))]
    pub removed: u64,
}

impl StateCounts {
    /// Counts `count` more documents in `state`.
    pub fn add(&mut self, state: DocumentState, count: i64) {
        let field = match state {
            DocumentState::Pending => &mut self.pending,
            DocumentState::Indexing => &mut self.indexing,
            DocumentState::Live => &mut self.live,
            DocumentState::Suspect => &mut self.suspect,
            DocumentState::Skipped => &mut self.skipped,
            DocumentState::Failed => &mut self.failed,
            DocumentState::Removed => &mut self.removed,
        };
        *field += count.unsigned_abs();
    }
}
