//! Reconciles: what a knowledge base's store holds beside what is known of it, found, reported and put right.

pub mod routes;
pub mod store;

use crate::{
    app::App,
    entity::reconcile::Model,
    http::Problem,
    ids::{ReconcileId, WorkspaceId},
};

/// One reconcile of a workspace, or a 404.
pub async fn found(app: &App, workspace_id: WorkspaceId, id: ReconcileId) -> Result<Model, Problem> {
    let row = store::find(app.db.read(), workspace_id, id).await?;
    row.ok_or_else(|| Problem::not_found("reconcile"))
}
