//! Sources: one site feeding one knowledge base each, with what is selected of it.

pub mod choices;
mod create;
pub mod routes;
pub mod scope;
pub mod store;

pub use create::{New, create, select, usable};

use crate::{
    app::App,
    entity::{
        Problem,
        connection::{self, ConnectionStatus},
        knowledge_base::{self, KnowledgeBaseStatus},
        source::{self, SourceStatus},
    },
    http::Problem as HttpProblem,
    ids::{SourceId, WorkspaceId},
};

/// One source of a workspace, or a 404.
pub async fn found(app: &App, workspace_id: WorkspaceId, id: SourceId) -> Result<source::Model, HttpProblem> {
    let row = store::find(app.db.read(), workspace_id, id).await?;
    row.ok_or_else(|| HttpProblem::not_found("source"))
}

/// Whether a source that is not paused can work, given what it depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub status: SourceStatus,
    pub problem: Option<Problem>,
}

impl Standing {
    /// The standing of a source with this connection and knowledge base.
    #[must_use]
    pub fn of(
        connection: Option<&connection::Model>,
        knowledge_base: Option<&knowledge_base::Model>,
    ) -> Self {
        let problem = Self::of_knowledge_base(knowledge_base).or_else(|| Self::of_connection(connection));
        let status = if problem.is_some() { SourceStatus::Blocked } else { SourceStatus::Active };
        Self { status, problem }
    }

    fn of_knowledge_base(knowledge_base: Option<&knowledge_base::Model>) -> Option<Problem> {
        let knowledge_base = knowledge_base?;
        (knowledge_base.status == KnowledgeBaseStatus::Blocked).then(|| {
            Problem::new(
                "knowledge_base_blocked",
                format!("{} cannot be reached.", knowledge_base.id),
                "See the problem of the knowledge base.",
            )
        })
    }

    fn of_connection(connection: Option<&connection::Model>) -> Option<Problem> {
        match connection {
            Some(connection) if connection.status == ConnectionStatus::Active => None,
            Some(connection) => Some(connection.problem.clone().unwrap_or_else(|| {
                Problem::new(
                    "connection_not_active",
                    format!("{} is not active.", connection.id),
                    "Finish connecting, or reconnect it: POST /v1/connections/{id}/reconnect.",
                )
            })),
            None => Some(Problem::new(
                "connection_missing",
                "The source has no connection.",
                "Give it one: PATCH /v1/sources/{id} with connection_id.",
            )),
        }
    }
}
