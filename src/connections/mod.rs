//! Connections: one Confluence authorization of a workspace each, through an OAuth grant or with an API token.

pub mod access;
mod answers;
mod api_token;
mod bodies;
pub mod browse;
mod flow;
mod grants;
mod oauth;
mod problems;
pub mod routes;
pub mod store;
pub mod tokens;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::DbErr;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    app::App,
    entity::{Metadata, connection_site},
    ids::WorkspaceId,
};

pub use access::{Access, AccessError};
pub use api_token::{ApiTokenError, connect_with_token, reconnect_with_token};
pub use flow::{Begun, Callback, ConnectError, Landing, begin, confirm, land, reconnect};
pub use tokens::ApiToken;

/// How long a state, and after it a code, is good.
const PATIENCE: TimeDelta = TimeDelta::minutes(10);
/// How often a code may be wrong.
const MOST_TRIES: i32 = 5;
/// Where a person takes the access back that Tidegate can only forget.
pub const REVOKE_APPS_AT: &str = "https://id.atlassian.com/manage-profile/apps";
/// Where a person revokes an API token.
pub const REVOKE_TOKENS_AT: &str = "https://id.atlassian.com/manage-profile/security/api-tokens";

/// A site that a consent or connection covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// The cloud id.
    pub id: String,
    pub name: String,
    pub url: String,
}

impl From<connection_site::Model> for Site {
    fn from(row: connection_site::Model) -> Self {
        Self { id: row.cloud_id, name: row.name, url: row.url }
    }
}

/// What a new connection is, however it will prove itself.
#[derive(Clone, Debug)]
pub struct NewConnection {
    pub workspace_id: WorkspaceId,
    /// The principal that begins it.
    pub owner: String,
    pub external_id: Option<String>,
    pub metadata: Metadata,
}

/// The duties of a tick: ends attempts whose time has run out, and keeps grants alive.
pub async fn tend(app: &App, now: DateTime<Utc>) -> Result<(), DbErr> {
    expire_attempts(app, now).await?;
    grants::keep_alive(app, now).await
}

/// Forgets what has served its time: grants without connections, and hours of the ledger long past.
pub async fn tidy(app: &App, now: DateTime<Utc>) -> Result<(), DbErr> {
    store::forget_unused(app.db.write()).await?;
    store::forget_old_points(app.db.write(), now).await
}

/// Ends attempts whose time has run out; connections that never worked become `expired`.
pub async fn expire_attempts(app: &App, now: DateTime<Utc>) -> Result<(), DbErr> {
    let expired = store::expire_attempts(&app.db, &problems::expired(), now).await?;
    if expired > 0 {
        tracing::info!(expired, "attempts to connect have expired");
    }
    Ok(())
}

fn sha256(secret: &SecretString) -> [u8; 32] {
    Sha256::digest(secret.expose_secret()).into()
}
