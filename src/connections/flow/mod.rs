//! The OAuth flow: a person is sent to Atlassian, comes back with the browser, and whoever began confirms.
//!
//! * a state is unguessable, good once and for ten minutes, and known here only by its hash;
//! * a callback connects nothing: it parks tokens until the principal that began brings the code;
//! * nothing that fails on the way touches a connection that works.

mod page;
pub mod routes;

use chrono::{DateTime, Utc};
use sea_orm::DbErr;
use secrecy::SecretString;
use serde_json::json;
use url::Url;

use super::{
    NewConnection, PATIENCE, Site,
    oauth::{self, OAuthApp},
    problems, sha256, store,
    store::{Authorized, ConfirmError, Confirmation},
    tokens::{Pair, Place},
};
use crate::{
    app::App,
    confluence::{self, account},
    entity::{
        Problem, connection,
        connection::{ConnectionAuth, ConnectionStatus},
        connection_attempt,
        connection_attempt::AttemptStatus,
    },
    ids::{AttemptId, ConnectionId},
};

/// Why nobody can be sent to Atlassian.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is no OAuth app.
    #[error("no OAuth app is configured")]
    NotConfigured,
    /// The return URL is not an entry of the list in the settings.
    #[error("the return URL is not allowed")]
    ReturnUrlNotAllowed,
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// A person can be sent to Atlassian.
#[derive(Debug)]
pub struct Begun {
    pub connection: connection::Model,
    pub authorize_url: Url,
    pub expires_at: DateTime<Utc>,
}

/// Begins a new connection.
pub async fn begin(app: &App, new: NewConnection, return_url: Option<String>) -> Result<Begun, ConnectError> {
    let now = app.clock.now();
    let connection = connection::Model {
        id: ConnectionId::new(),
        workspace_id: new.workspace_id,
        auth: ConnectionAuth::Oauth,
        status: ConnectionStatus::Pending,
        owner: new.owner,
        grant_id: None,
        account_id: None,
        account_name: None,
        site_url: None,
        credential: None,
        problem: None,
        external_id: new.external_id,
        metadata: new.metadata,
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    let (attempt, authorize_url) = attempt(app, connection.id, &connection.owner, return_url)?;
    let expires_at = attempt.expires_at;
    store::begin_connection(&app.db, connection.clone(), attempt).await?;
    Ok(Begun { connection, authorize_url, expires_at })
}

/// Begins an attempt beside a connection that exists. What works goes on working until it is confirmed.
pub async fn reconnect(
    app: &App,
    connection: &connection::Model,
    principal: &str,
    return_url: Option<String>,
) -> Result<Begun, ConnectError> {
    let (attempt, authorize_url) = attempt(app, connection.id, principal, return_url)?;
    let expires_at = attempt.expires_at;
    let connection = store::begin_attempt(&app.db, attempt).await?;
    Ok(Begun { connection, authorize_url, expires_at })
}

fn attempt(
    app: &App,
    connection_id: ConnectionId,
    principal: &str,
    return_url: Option<String>,
) -> Result<(connection_attempt::Model, Url), ConnectError> {
    let oauth = OAuthApp::of(app).ok_or(ConnectError::NotConfigured)?;
    if return_url.as_ref().is_some_and(|url| !app.settings.return_urls.contains(url)) {
        return Err(ConnectError::ReturnUrlNotAllowed);
    }
    let now = app.clock.now();
    let state = hex(&rand::random::<[u8; 32]>());
    let attempt = connection_attempt::Model {
        id: AttemptId::new(),
        connection_id,
        status: AttemptStatus::Pending,
        principal: principal.to_owned(),
        state_sha256: sha256(&state).to_vec(),
        return_url,
        code_sha256: None,
        tries: 0,
        parked: None,
        account_id: None,
        account_name: None,
        sites: json!([]),
        error: None,
        created_at: now,
        expires_at: now + PATIENCE,
    };
    Ok((attempt, oauth.authorize_url(&state)))
}

/// What a browser brings back from Atlassian.
#[derive(Debug)]
pub struct Callback {
    pub state: Option<SecretString>,
    pub code: Option<SecretString>,
    pub error: Option<String>,
}

/// Where a callback ends.
#[derive(Debug)]
pub enum Landing {
    /// The person said yes; the principal that began has to confirm with this code.
    Authorized { visit: Visit, account_name: Option<String>, code: SecretString },
    /// It ended without a yes.
    Failed { visit: Visit, problem: Problem },
    /// The state is unknown, was used before, or gave way to a newer one.
    Unknown,
}

/// Which attempt a browser came back from.
#[derive(Debug)]
pub struct Visit {
    pub connection_id: ConnectionId,
    pub workspace_name: String,
    pub return_url: Option<String>,
}

/// Takes a callback. Logs nobody in, connects nothing yet, and is good once.
pub async fn land(app: &App, callback: Callback) -> Result<Landing, DbErr> {
    let now = app.clock.now();
    let Some(state) = callback.state.as_ref().map(sha256) else { return Ok(Landing::Unknown) };
    let found = store::pending_attempt(app.db.read(), &state).await?;
    let Some((attempt, connection)) = found else { return Ok(Landing::Unknown) };
    let workspace_name =
        store::workspace_name(app.db.read(), connection.workspace_id).await?.unwrap_or_default();
    let visit =
        Visit { connection_id: connection.id, workspace_name, return_url: attempt.return_url.clone() };
    if attempt.status == AttemptStatus::Expired || attempt.expires_at <= now {
        super::expire_attempts(app, now).await?;
        return Ok(Landing::Failed { visit, problem: problems::expired() });
    }
    if !store::burn_state(app.db.write(), &state, rand::random::<[u8; 32]>().to_vec()).await? {
        return Ok(Landing::Unknown);
    }
    let code = hex(&rand::random::<[u8; 16]>());
    let authorized = match authorize(app, attempt.id, callback, &code).await {
        Ok(authorized) => authorized,
        Err(problem) => {
            tracing::info!(connection.id = %connection.id, error = problem.code, "an attempt to connect failed");
            store::fail_attempt(&app.db, attempt.id, &problem, app.clock.now()).await?;
            return Ok(Landing::Failed { visit, problem });
        }
    };
    let account_name = authorized.account_name.clone();
    if !store::park(&app.db, attempt.id, authorized, app.clock.now()).await? {
        return Ok(Landing::Unknown);
    }
    tracing::info!(connection.id = %connection.id, "a connection was authorized and waits for its confirmation");
    Ok(Landing::Authorized { visit, account_name, code })
}

/// Confirms what [`land`] parked: the connection is active and its sites are fixed.
pub async fn confirm(
    app: &App,
    connection_id: ConnectionId,
    principal: &str,
    code: &SecretString,
    site_ids: Option<&[String]>,
) -> Result<connection::Model, ConfirmError> {
    let now = app.clock.now();
    let confirmation = Confirmation { connection_id, principal, code_sha256: sha256(code), site_ids, now };
    let connection = store::confirm(&app.db, &app.sealer, &confirmation).await?;
    tracing::info!(connection.id = %connection.id, "a connection was confirmed");
    Ok(connection)
}

/// From the callback to tokens, account and sites, or the problem that the person is told.
async fn authorize(
    app: &App,
    id: AttemptId,
    callback: Callback,
    confirmation: &SecretString,
) -> Result<Authorized, Problem> {
    if let Some(error) = callback.error {
        return Err(problems::refused(&plain_code(&error)));
    }
    let code = callback.code.ok_or_else(|| problems::refused("authorization_failed"))?;
    let oauth = OAuthApp::of(app).ok_or_else(problems::not_configured)?;
    let asked_at = app.clock.now();
    let tokens = oauth.exchange_code(code).await.map_err(|error| exchange_failed(&error))?;
    let pair = Pair::new(&oauth, tokens, asked_at);
    let (api_url, timing) = (&app.settings.atlassian.api_url, app.settings.timing.clients());
    let account =
        account::me(&app.http, api_url, &pair.access, &timing).await.map_err(|e| reading_failed(&e))?;
    let resources = account::accessible_resources(&app.http, api_url, &pair.access, &timing).await;
    let sites = confluence_sites(resources.map_err(|error| reading_failed(&error))?);
    if sites.is_empty() {
        return Err(problems::no_sites());
    }
    Ok(Authorized {
        parked: pair.seal(&app.sealer, Place::Attempt(id)),
        code_sha256: sha256(confirmation).to_vec(),
        account_id: account.account_id,
        account_name: account.name,
        sites,
        expires_at: app.clock.now() + PATIENCE,
    })
}

fn exchange_failed(error: &oauth::Error) -> Problem {
    match error {
        oauth::Error::Refused(_) => problems::code_refused(),
        oauth::Error::Misconfigured(code) => {
            tracing::error!(
                error = code,
                "Atlassian does not accept the OAuth app: check ATLASSIAN_CLIENT_ID, ATLASSIAN_CLIENT_SECRET and the redirect URI"
            );
            problems::misconfigured()
        }
        oauth::Error::Unavailable { .. } | oauth::Error::AnswerLost(_) => {
            tracing::warn!(%error, "Atlassian's authorization server gave no tokens");
            problems::unavailable()
        }
    }
}

fn reading_failed(error: &confluence::Error) -> Problem {
    tracing::warn!(%error, "the account or sites of a new connection could not be read");
    match error {
        confluence::Error::ScopeMissing { .. } | confluence::Error::Forbidden { .. } => {
            problems::misconfigured()
        }
        _ => problems::unavailable(),
    }
}

/// The sites with Confluence, each once.
fn confluence_sites(resources: Vec<account::Resource>) -> Vec<Site> {
    let mut sites: Vec<Site> = Vec::new();
    for resource in resources.into_iter().filter(account::Resource::is_confluence) {
        if sites.iter().all(|site| site.id != resource.id) {
            let url = resource.url.as_str().trim_end_matches('/').to_owned();
            sites.push(Site { id: resource.id, name: resource.name, url });
        }
    }
    sites
}

/// An error code of the query, as far as it looks like one.
fn plain_code(error: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c == '_';
    if !error.is_empty() && error.len() <= 40 && error.chars().all(plain) {
        error.to_owned()
    } else {
        "authorization_failed".to_owned()
    }
}

fn hex(bytes: &[u8]) -> SecretString {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for half in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(half.into(), 16));
        }
    }
    text.into()
}
