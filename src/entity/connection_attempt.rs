//! Walks through the OAuth flow, one a row, each good for one callback.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{AttemptId, ConnectionId};

/// How far a walk through the OAuth flow has come.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum AttemptStatus {
    Pending,
    Authorized,
    Confirmed,
    Failed,
    Expired,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "connection_attempts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AttemptId,
    pub connection_id: ConnectionId,
    pub status: AttemptStatus,
    pub principal: String,
    pub state_sha256: Vec<u8>,
    pub return_url: Option<String>,
    pub code_sha256: Option<Vec<u8>>,
    pub tries: i32,
    /// Sealed tokens that wait for confirmation.
    pub parked: Option<Vec<u8>>,
    pub account_id: Option<String>,
    pub account_name: Option<String>,
    pub sites: Json,
    pub error: Option<String>,
    pub created_at: DateTimeUtc,
    pub expires_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
