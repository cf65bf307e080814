//! Workspaces over HTTP: for the operator.

use actix_web::{HttpResponse, delete, get, http::header::LOCATION, middleware::from_fn, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::store;
use crate::{
    app::App,
    auth::{Require, extract::Operator},
    entity::{
        Metadata,
        workspace::{Model, WorkspaceStatus},
    },
    http::{Check, IdempotencyKey, Json, Kind, Page, Paging, Problem, Query, idempotency},
    ids::WorkspaceId,
};

/// Registers the operations.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_workspaces)
        .service(create_workspace)
        .service(show_workspace)
        .service(delete_workspace);
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::ExternalIdTaken => {
                Self::new(Kind::AlreadyExists, "Another workspace has this `external_id`.")
            }
            store::Error::Db(error) => error.into(),
        }
    }
}

/// A tenant: it owns connections, knowledge bases and API keys, and nothing crosses it.
#[derive(Debug, Serialize, ToSchema)]
struct Workspace {
    id: WorkspaceId,
    #[schema(examples("Acme"))]
    name: String,
    status: WorkspaceStatus,
    /// Your own id for it; no two workspaces have the same.
    external_id: Option<String>,
    metadata: Metadata,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Model> for Workspace {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            name: row.name,
            status: row.status,
            external_id: row.external_id,
            metadata: row.metadata,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListWorkspaces {
    /// The most items of the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only the workspace with this `external_id`.
    external_id: Option<String>,
}

/// Lists the workspaces.
///
/// Oldest first.
#[utoipa::path(
    tag = "workspaces",
    security(("bearer" = ["operator"])),
    params(ListWorkspaces),
    responses((status = 200, description = "A page of workspaces.", body = Page<Workspace>)),
)]
#[get("/v1/workspaces")]
async fn list_workspaces(
    app: web::Data<App>,
    _caller: Require<Operator>,
    Query(query): Query<ListWorkspaces>,
) -> Result<Json<Page<Workspace>>, Problem> {
    let paging = Paging::<WorkspaceId>::parse(query.limit, query.cursor.as_deref())?;
    let rows = store::list(app.db.read(), query.external_id.as_deref(), paging.after, paging.rows()).await?;
    Ok(Json(paging.page(rows, |row| row.id, Workspace::from)?))
}

/// What a new workspace shall be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateWorkspace {
    /// A name for people.
    #[schema(examples("Acme"), min_length = 1, max_length = 200)]
    name: String,
    /// Your own id for it; no two workspaces have the same.
    #[schema(max_length = 255)]
    external_id: Option<String>,
    /// Your own notes.
    #[serde(default)]
    metadata: Metadata,
}

impl CreateWorkspace {
    fn check(&self) -> Result<(), Problem> {
        let mut check = Check::default();
        check.text("/name", &self.name, 1..=200);
        check.labels(self.external_id.as_deref(), &self.metadata);
        check.done()
    }
}

/// Creates a workspace.
///
/// It has no API keys yet: `tidegate keys create --workspace ID` makes the first.
#[utoipa::path(
    tag = "workspaces",
    security(("bearer" = ["operator"])),
    params(IdempotencyKey),
    responses(
        (status = 201, description = "The workspace.", body = Workspace),
        (status = 409, description = "Another workspace has this `external_id`, or the `Idempotency-Key` came with \
                                      another request."),
    ),
)]
#[post("/v1/workspaces", wrap = "from_fn(idempotency::once)")]
async fn create_workspace(
    app: web::Data<App>,
    _caller: Require<Operator>,
    Json(body): Json<CreateWorkspace>,
) -> Result<HttpResponse, Problem> {
    body.check()?;
    let workspace = store::new(body.name, body.external_id, body.metadata, app.clock.now());
    let workspace = store::insert(&app.db, workspace).await?;
    tracing::info!(workspace.id = %workspace.id, "a workspace was made");
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/workspaces/{}", workspace.id)))
        .json(Workspace::from(workspace)))
}

/// Shows a workspace.
///
/// One that is being deleted is still shown, with its status, until it is gone.
#[utoipa::path(
    tag = "workspaces",
    security(("bearer" = ["operator"])),
    params(WorkspaceId),
    responses((status = 200, description = "The workspace.", body = Workspace)),
)]
#[get("/v1/workspaces/{id}")]
async fn show_workspace(
    app: web::Data<App>,
    _caller: Require<Operator>,
    id: web::Path<WorkspaceId>,
) -> Result<Json<Workspace>, Problem> {
    let workspace = store::find(app.db.read(), *id).await?.ok_or_else(|| Problem::not_found("workspace"))?;
    Ok(Json(workspace.into()))
}

/// Deletes a workspace and erases all that it owns.
///
/// Its API keys stop working at once. Its files leave their vector stores first; when the last is gone, so is the
/// workspace. Until then it shows the status `deleting`.
#[utoipa::path(
    tag = "workspaces",
    security(("bearer" = ["operator"])),
    params(WorkspaceId),
    responses(
        (status = 202, description = "It is being erased.", body = Workspace),
        (status = 409, description = "It is the workspace of the key that asks."),
    ),
)]
#[delete("/v1/workspaces/{id}")]
async fn delete_workspace(
    app: web::Data<App>,
    caller: Require<Operator>,
    id: web::Path<WorkspaceId>,
) -> Result<HttpResponse, Problem> {
    if *id == caller.workspace_id {
        return Err(Problem::new(Kind::Conflict, "A key cannot delete its own workspace."));
    }
    let workspace = store::begin_delete(&app.db, *id, app.clock.now()).await?;
    let workspace = workspace.ok_or_else(|| Problem::not_found("workspace"))?;
    app.known.forget();
    app.wake.notify_one();
    tracing::info!(workspace.id = %workspace.id, "a workspace is being erased");
    Ok(HttpResponse::Accepted()
        .insert_header((LOCATION, format!("/v1/workspaces/{}", workspace.id)))
        .json(Workspace::from(workspace)))
}
