//! Who is calling, and what this installation can do.

use actix_web::{get, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    auth::{Require, Scope, extract::Anyone, store},
    config::Settings,
    http::{Json, Problem, body::BODY_LIMIT, paging::MOST},
    ids::{ApiKeyId, WorkspaceId},
    workspaces,
};

/// Who is calling, what they may do, and what this installation can do.
#[derive(Debug, Serialize, ToSchema)]
struct Me {
    principal: MyPrincipal,
    workspace: MyWorkspace,
    /// What the key or token may do.
    scopes: Vec<Scope>,
    capabilities: Capabilities,
    limits: Limits,
    atlassian: AtlassianRegistration,
}

/// The key or token that was sent.
#[derive(Debug, Serialize, ToSchema)]
struct MyPrincipal {
    kind: PrincipalKind,
    /// The key, or the key that made the token.
    api_key_id: ApiKeyId,
    /// The key's name.
    #[schema(examples("backend"))]
    name: String,
    /// The person whom the token is for.
    end_user: Option<String>,
    /// When the key or token ends; `null`: never.
    expires_at: Option<DateTime<Utc>>,
}

/// How a caller proves who it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum PrincipalKind {
    ApiKey,
    Token,
}

/// The workspace that the key belongs to.
#[derive(Debug, Serialize, ToSchema)]
struct MyWorkspace {
    id: WorkspaceId,
    #[schema(examples("default"))]
    name: String,
    external_id: Option<String>,
}

/// What this installation can do.
#[derive(Debug, Serialize, ToSchema)]
struct Capabilities {
    /// Whether connections through OAuth are possible; else only those with an API token.
    oauth: bool,
    /// Whether the server has an OpenAI key; else each knowledge base brings its own.
    server_openai_key: bool,
}

/// What requests must keep to.
#[derive(Debug, Serialize, ToSchema)]
struct Limits {
    /// The most items of a page.
    #[schema(examples(200))]
    page_items: u32,
    /// The most bytes of a body.
    #[schema(examples(1_048_576))]
    body_bytes: usize,
    /// The shortest interval a source may ask for.
    #[schema(examples(60))]
    source_interval_seconds_min: u64,
    /// The interval of sources that ask for none.
    #[schema(examples(300))]
    source_interval_seconds_default: u64,
}

/// What to enter when the OAuth app is registered with Atlassian.
#[derive(Debug, Serialize, ToSchema)]
struct AtlassianRegistration {
    #[schema(examples("http://localhost:8080/v1/oauth/callback"))]
    redirect_uri: String,
    #[schema(examples("read:page:confluence"))]
    scopes: Vec<String>,
}

/// Shows who is calling.
///
/// The key's workspace and scopes, what this installation can do, and what to register with Atlassian. A good first call.
#[utoipa::path(
    tag = "me",
    security(("bearer" = [])),
    responses((status = 200, description = "The caller.", body = Me)),
)]
#[get("/v1/me")]
pub(super) async fn show_me(app: web::Data<App>, caller: Require<Anyone>) -> Result<Json<Me>, Problem> {
    let key =
        store::find(app.db.read(), caller.key_id).await?.ok_or_else(|| Problem::not_found("API key"))?;
    let workspace = workspaces::store::find(app.db.read(), caller.workspace_id).await?;
    let workspace = workspace.ok_or_else(|| Problem::not_found("workspace"))?;
    Ok(Json(Me {
        principal: MyPrincipal {
            kind: caller.token_ends_at.map_or(PrincipalKind::ApiKey, |_| PrincipalKind::Token),
            api_key_id: key.id,
            name: key.name,
            end_user: caller.end_user.clone(),
            expires_at: caller.token_ends_at.or(key.expires_at),
        },
        workspace: MyWorkspace { id: workspace.id, name: workspace.name, external_id: workspace.external_id },
        scopes: caller.scopes.to_vec(),
        capabilities: Capabilities {
            oauth: app.settings.atlassian.app.is_some(),
            server_openai_key: app.settings.openai.api_key.is_some(),
        },
        limits: Limits::of(&app.settings),
        atlassian: AtlassianRegistration {
            redirect_uri: app.settings.redirect_uri(),
            scopes: app.settings.atlassian.scopes.clone(),
        },
    }))
}

impl Limits {
    fn of(settings: &Settings) -> Self {
        Self {
            page_items: MOST,
            body_bytes: BODY_LIMIT,
            source_interval_seconds_min: settings.min_source_interval.as_secs(),
            source_interval_seconds_default: settings.sync_interval.as_secs(),
        }
    }
}
