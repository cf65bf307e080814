//! The selections of a source over HTTP.

use actix_web::{HttpResponse, get, put, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::etag;
use crate::{
    app::App,
    auth::{
        Require,
        extract::{Manage, Read},
    },
    entity::{
        selection::{Model, SelectionKind, SelectionMode, SelectionStatus},
        source,
        source::SourceStatus,
    },
    http::{Check, IfMatch, Json, Kind, Page, Problem},
    ids::SourceId,
    sources::{choices, choices::Choice, found, select, store},
};

/// Registers the operations.
pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(list_selections).service(replace_selections);
}

/// What of the site is wanted, or not, and whether it can be found.
#[derive(Debug, Serialize, ToSchema)]
struct Selection {
    kind: SelectionKind,
    /// The id at Confluence of the page, folder or space.
    #[schema(examples("65538"))]
    id: String,
    mode: SelectionMode,
    #[schema(examples("Employee handbook"))]
    title: String,
    #[schema(examples("32770"))]
    space_id: Option<String>,
    status: SelectionStatus,
    /// Since when it is not `ok`.
    problem_since: Option<DateTime<Utc>>,
    /// Since when each of its pages has been looked for. A space too large to be listed at once is as old as the piece of it
    /// that was listed longest ago.
    #[schema(examples("2026-03-04T09:15:02Z"))]
    verified_at: Option<DateTime<Utc>>,
}

impl From<Model> for Selection {
    fn from(row: Model) -> Self {
        Self {
            kind: row.kind,
            id: row.external_id,
            mode: row.mode,
            title: row.title,
            space_id: row.space_id,
            status: row.status,
            problem_since: row.problem_since,
            verified_at: row.verified_at,
        }
    }
}

async fn answer(app: &App, source: &source::Model) -> Result<HttpResponse, Problem> {
    let rows = store::selections_of(app.db.read(), source.id).await?;
    let items = rows.into_iter().map(Selection::from).collect();
    let etag = etag(source)?;
    Ok(HttpResponse::Ok().insert_header(etag.header()).json(Page { items, next_cursor: None }))
}

/// Lists what a source selects.
///
/// All of it at once. The most specific selection decides: a page before the nearest tree or folder before the space,
/// and an exclusion where two are alike.
#[utoipa::path(
    tag = "sources",
    params(SourceId),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "The selections.", body = Page<Selection>)),
)]
#[get("/v1/sources/{id}/selections")]
async fn list_selections(
    app: web::Data<App>,
    caller: Require<Read>,
    id: web::Path<SourceId>,
) -> Result<HttpResponse, Problem> {
    answer(&app, &found(&app, caller.workspace_id, *id).await?).await
}

/// What a source shall select from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReplaceSelections {
    /// All selections, the unchanged ones, too.
    #[schema(max_items = 1000)]
    selections: Vec<Choice>,
    /// How many documents may leave the vector store by this.
    #[serde(default)]
    #[schema(examples(42), default = 0)]
    confirm_removals: u64,
}

/// Replaces what a source selects.
///
/// What is new is looked up first. If more documents would leave the vector store than the source's guard lets pass, the
/// answer is 409 with their number as `removals`; send it as `confirm_removals` to go ahead. A sync is due at once. The
/// same selections again change nothing.
#[utoipa::path(
    tag = "sources",
    params(SourceId, IfMatch),
    security(("bearer" = ["manage"])),
    responses(
        (status = 200, description = "The selections as they are now.", body = Page<Selection>),
        (status = 409, description = "Many documents would leave (`removals_need_confirmation`, with their number as `removals`), the source is being deleted (`deleting`), or the connection is lost (`needs_reconnect`)."),
    ),
)]
#[put("/v1/sources/{id}/selections")]
async fn replace_selections(
    app: web::Data<App>,
    caller: Require<Manage>,
    id: web::Path<SourceId>,
    if_match: IfMatch,
    Json(body): Json<ReplaceSelections>,
) -> Result<HttpResponse, Problem> {
    let mut check = Check::default();
    choices::check(&mut check, &body.selections);
    check.done()?;
    let source = found(&app, caller.workspace_id, *id).await?;
    if_match.check(&etag(&source)?)?;
    if source.status == SourceStatus::Deleting {
        return Err(Problem::new(Kind::Deleting, "The source is being deleted."));
    }
    let changed = select(&app, &caller, &source, &body.selections, body.confirm_removals).await?;
    answer(&app, &changed.unwrap_or(source)).await
}
