//! Connections: one Confluence authorization of a workspace each.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Metadata, Problem};
use crate::ids::{ConnectionId, GrantId, WorkspaceId};

/// How a connection proves itself to Confluence.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ConnectionAuth {
    /// An OAuth grant, through the gateway.
    Oauth,
    /// An e-mail and an API token, at the site itself.
    ApiToken,
}

/// Where a connection stands.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(examples("active"))]
pub enum ConnectionStatus {
    /// Nobody has come back from Atlassian yet.
    Pending,
    /// Atlassian said yes; the code has not been confirmed.
    Authorized,
    Active,
    /// The grant or token is dead; a person must reconnect.
    NeedsReconnect,
    Failed,
    Expired,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "connections")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ConnectionId,
    pub workspace_id: WorkspaceId,
    pub auth: ConnectionAuth,
    pub status: ConnectionStatus,
    /// The principal that began it.
    pub owner: String,
    pub grant_id: Option<GrantId>,
    pub account_id: Option<String>,
    pub account_name: Option<String>,
    /// Of an API-token connection.
    pub site_url: Option<String>,
    /// Sealed e-mail and API token.
    pub credential: Option<Vec<u8>>,
    pub problem: Option<Problem>,
    pub external_id: Option<String>,
    pub metadata: Metadata,
    pub revision: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
