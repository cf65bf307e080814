//! Connections over HTTP: made, confirmed, reconnected, forgotten.

use actix_web::{
    HttpResponse, delete, get,
    http::header::{CACHE_CONTROL, LOCATION},
    middleware::from_fn,
    post, web,
};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    Begun, NewConnection, REVOKE_APPS_AT, REVOKE_TOKENS_AT, begin,
    bodies::{
        ConfirmConnection, ConnectionView, CreateConnection, CreateConnectionFields, ForgottenView,
        ListConnections, ReconnectConnection, SiteItem,
    },
    confirm, connect_with_token, reconnect, reconnect_with_token,
    store::{self, Forgotten, Listed},
};
use crate::{
    app::App,
    auth::{
        Principal, Require,
        extract::{Manage, Read},
    },
    entity::{connection, connection::ConnectionAuth},
    http::{IdempotencyKey, Json, Kind, Page, Paging, Problem, Query, idempotency},
    ids::{ConnectionId, SourceId},
};

/// Registers the operations.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_connections)
        .service(create_connection)
        .service(show_connection)
        .service(confirm_connection)
        .service(reconnect_connection)
        .service(delete_connection);
    super::flow::routes::configure(config);
    super::browse::routes::configure(config);
}

/// Lists connections.
///
/// Oldest first.
#[utoipa::path(
    tag = "connections",
    security(("bearer" = ["read"])),
    params(ListConnections),
    responses((status = 200, description = "A page of connections.", body = Page<ConnectionView>)),
)]
#[get("/v1/connections")]
async fn list_connections(
    app: web::Data<App>,
    caller: Require<Read>,
    Query(query): Query<ListConnections>,
) -> Result<Json<Page<ConnectionView>>, Problem> {
    let paging = Paging::<ConnectionId>::parse(query.limit, query.cursor.as_deref())?;
    let listed = Listed {
        external_id: query.external_id,
        status: query.status,
        after: paging.after,
        limit: paging.rows(),
    };
    let rows = store::list(app.db.read(), caller.workspace_id, &listed).await?;
    let ids: Vec<ConnectionId> = rows.iter().map(|row| row.id).collect();
    let sites = store::sites_of(app.db.read(), &ids).await?;
    let attempts = store::open_attempts(app.db.read(), &ids).await?;
    let show = |row: connection::Model| {
        let sites = sites.iter().filter(|site| site.connection_id == row.id).cloned();
        let attempt = attempts.iter().find(|attempt| attempt.connection_id == row.id).cloned();
        let sites = sites.map(|site| SiteItem::from(super::Site::from(site))).collect();
        ConnectionView::of(row, sites, attempt)
    };
    Ok(Json(paging.page(rows, |row| row.id, show)?))
}

/// Connects a Confluence account.
///
/// With `"auth": "oauth"` the answer is `pending` and has an `authorize_url`: send the person there. After they said yes
/// the connection is `authorized`, and the browser brings a code to `return_url` (or shows it on a page); confirm with
/// it within 10 minutes. With `"auth": "api_token"` the credential is checked at once and the connection is `active`.
#[utoipa::path(
    tag = "connections",
    security(("bearer" = ["manage"])),
    params(IdempotencyKey),
    request_body = CreateConnection,
    responses(
        (status = 201, description = "The connection; `pending` or `active`.", body = ConnectionView, example = json!({
            "id": "con_019ab2c4d5e67f8091a2b3c4d5e6f708",
            "auth": "oauth",
            "status": "pending",
            "owner": "key_019ab2c4d5e67f8091a2b3c4d5e6f708/ada",
            "authorize_url": "https://auth.atlassian.com/authorize?audience=api.atlassian.com&client_id=4xYz&state=Zk3f",
            "expires_at": "2026-03-04T09:25:00Z",
            "attempt": { "status": "pending", "expires_at": "2026-03-04T09:25:00Z" },
            "account": null,
            "sites": [],
            "problem": null,
            "external_id": null,
            "metadata": {},
            "created_at": "2026-03-04T09:15:00Z",
            "updated_at": "2026-03-04T09:15:00Z",
        })),
        (status = 409, description = "`oauth_not_configured`: the installation has no OAuth app; or the `Idempotency-Key` is in use."),
        (status = 422, description = "Some of the input is not valid: a `return_url` that is not on the list, a host that is not allowed, a token that the site does not accept."),
        (status = 503, description = "The site does not answer; `Retry-After` says when to try again."),
    ),
)]
#[post("/v1/connections", wrap = "from_fn(idempotency::once)")]
async fn create_connection(
    app: web::Data<App>,
    caller: Require<Manage>,
    Json(body): Json<CreateConnectionFields>,
) -> Result<HttpResponse, Problem> {
    let view = match body.check()? {
        CreateConnection::Oauth { return_url, end_user, external_id, metadata } => {
            let owner = principal(&caller, end_user.as_deref())?;
            let new = NewConnection { workspace_id: caller.workspace_id, owner, external_id, metadata };
            ConnectionView::begun(begin(&app, new, return_url).await?, Vec::new())
        }
        CreateConnection::ApiToken { site_url, email, token, end_user, external_id, metadata } => {
            let owner = principal(&caller, end_user.as_deref())?;
            let new = NewConnection { workspace_id: caller.workspace_id, owner, external_id, metadata };
            let credential = super::ApiToken { email: email.into(), token: token.into() };
            let row = connect_with_token(&app, new, &site_url, &credential).await?;
            view(&app, row).await?
        }
    };
    tracing::info!(connection.id = %view.id, auth = ?view.auth, "a connection was begun");
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/connections/{}", view.id)))
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(view))
}

/// Shows a connection.
///
/// Its status, its sites, and what is wrong with it.
#[utoipa::path(
    tag = "connections",
    security(("bearer" = ["read"])),
    params(ConnectionId),
    responses((status = 200, description = "The connection.", body = ConnectionView)),
)]
#[get("/v1/connections/{id}")]
async fn show_connection(
    app: web::Data<App>,
    caller: Require<Read>,
    id: web::Path<ConnectionId>,
) -> Result<Json<ConnectionView>, Problem> {
    let row = find(&app, &caller, *id).await?;
    Ok(Json(view(&app, row).await?))
}

/// Confirms an authorized connection.
///
/// Only the principal that began it can. A wrong code may be tried five times. From then on the connection is `active`
/// and its sites are fixed.
#[utoipa::path(
    tag = "connections",
    security(("bearer" = ["manage"])),
    params(ConnectionId),
    responses(
        (status = 200, description = "The connection, now `active`.", body = ConnectionView),
        (status = 403, description = "Another principal began it."),
        (status = 409, description = "`nothing_to_confirm`: nobody came back from Atlassian, or too late, or too many codes were wrong. `choose_sites`: name `site_ids` out of `sites`. `sites_in_use`: sources need `sites`, which would be lost."),
        (status = 422, description = "The code is wrong, and `tries_left` says how often it may be tried again; or a site is not one of the consent's."),
    ),
)]
#[post("/v1/connections/{id}/confirm")]
async fn confirm_connection(
    app: web::Data<App>,
    caller: Require<Manage>,
    id: web::Path<ConnectionId>,
    Json(body): Json<ConfirmConnection>,
) -> Result<Json<ConnectionView>, Problem> {
    let code = body.check()?;
    let row = find(&app, &caller, *id).await?;
    let principal = principal(&caller, body.end_user.as_deref())?;
    let row = confirm(&app, row.id, &principal, &code, body.site_ids.as_deref()).await?;
    app.wake.notify_one();
    Ok(Json(view(&app, row).await?))
}

/// Authorizes a connection anew.
///
/// With OAuth this begins an attempt beside the connection, which goes on working until the attempt is confirmed; another
/// account must cover every site that sources use. With an API token the new credential is checked at once. Also the way
/// to a fresh `authorize_url` for a connection that was never finished.
#[utoipa::path(
    tag = "connections",
    security(("bearer" = ["manage"])),
    params(ConnectionId),
    responses(
        (status = 200, description = "The connection; with an `authorize_url` if a person has to go there.", body = ConnectionView),
        (status = 403, description = "It belongs to another principal."),
        (status = 409, description = "`oauth_not_configured`: the installation has no OAuth app."),
        (status = 503, description = "The site does not answer; `Retry-After` says when to try again."),
    ),
)]
#[post("/v1/connections/{id}/reconnect")]
async fn reconnect_connection(
    app: web::Data<App>,
    caller: Require<Manage>,
    id: web::Path<ConnectionId>,
    Json(body): Json<ReconnectConnection>,
) -> Result<Json<ConnectionView>, Problem> {
    let row = owned(&app, &caller, *id).await?;
    Ok(Json(match row.auth {
        ConnectionAuth::Oauth => {
            let (return_url, end_user) = body.check_oauth()?;
            let principal = principal(&caller, end_user.as_deref())?;
            let begun: Begun = reconnect(&app, &row, &principal, return_url).await?;
            ConnectionView::begun(begun, sites(&app, *id).await?)
        }
        ConnectionAuth::ApiToken => {
            let row = reconnect_with_token(&app, &row, &body.check_api_token()?).await?;
            app.wake.notify_one();
            view(&app, row).await?
        }
    }))
}

/// Deletes a connection.
///
/// Its tokens are forgotten. Atlassian offers no way to revoke them from here: `revoke_at` is where the person can.
#[utoipa::path(
    tag = "connections",
    security(("bearer" = ["manage"])),
    params(ConnectionId),
    responses(
        (status = 200, description = "It is forgotten.", body = ForgottenView),
        (status = 403, description = "It belongs to another principal."),
        (status = 409, description = "`in_use`: the sources in `source_ids` feed from it."),
    ),
)]
#[delete("/v1/connections/{id}")]
async fn delete_connection(
    app: web::Data<App>,
    caller: Require<Manage>,
    id: web::Path<ConnectionId>,
) -> Result<Json<ForgottenView>, Problem> {
    let row = owned(&app, &caller, *id).await?;
    match store::forget(&app.db, caller.workspace_id, *id).await? {
        Forgotten::Done => {}
        Forgotten::InUse(sources) => return Err(in_use(&sources)),
        Forgotten::NotFound => return Err(Problem::not_found("connection")),
    }
    tracing::info!(connection.id = %*id, "a connection was forgotten");
    let (revoke_at, message) = match row.auth {
        ConnectionAuth::Oauth => (
            REVOKE_APPS_AT,
            "The tokens are forgotten here. To take the access back, remove the app from the Atlassian account.",
        ),
        ConnectionAuth::ApiToken => (
            REVOKE_TOKENS_AT,
            "The token is forgotten here. If nothing else uses it, revoke it in the Atlassian account.",
        ),
    };
    Ok(Json(ForgottenView { id: *id, revoke_at, message }))
}

/// Who acts: the caller, for the person it names. A caller that is a person's own speaks for nobody else.
fn principal(caller: &Principal, end_user: Option<&str>) -> Result<String, Problem> {
    match (&caller.end_user, end_user) {
        (Some(own), Some(named)) if own != named => {
            Err(Problem::invalid("/end_user", "not_allowed", "This token speaks for another person."))
        }
        (Some(_), _) => Ok(caller.owner()),
        (None, named) => Ok(caller.owner_for(named)),
    }
}

async fn find(app: &App, caller: &Principal, id: ConnectionId) -> Result<connection::Model, Problem> {
    let row = store::connection(app.db.read(), caller.workspace_id, id).await?;
    row.ok_or_else(|| Problem::not_found("connection"))
}

/// The connection, if the caller may use it: its owner, or a key with the scope `admin`.
pub(super) async fn owned(
    app: &App,
    caller: &Principal,
    id: ConnectionId,
) -> Result<connection::Model, Problem> {
    let row = find(app, caller, id).await?;
    if caller.may_use_what_belongs_to(&row.owner) {
        Ok(row)
    } else {
        Err(Problem::new(
            Kind::Forbidden,
            "This connection belongs to another principal; its owner or an admin may do this.",
        ))
    }
}

async fn sites(app: &App, id: ConnectionId) -> Result<Vec<SiteItem>, Problem> {
    let sites = store::sites(app.db.read(), id).await?;
    Ok(sites.into_iter().map(|site| SiteItem::from(super::Site::from(site))).collect())
}

async fn view(app: &App, row: connection::Model) -> Result<ConnectionView, Problem> {
    let sites = sites(app, row.id).await?;
    let attempt = store::open_attempt(app.db.read(), row.id).await?;
    Ok(ConnectionView::of(row, sites, attempt))
}

fn in_use(sources: &[SourceId]) -> Problem {
    let ids: Vec<String> = sources.iter().map(SourceId::to_string).collect();
    Problem::new(
        Kind::InUse,
        "Sources feed from this connection; delete them or give them another connection first.",
    )
    .with("source_ids", ids)
}
