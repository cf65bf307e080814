//! Grants: the OAuth tokens of one (app, Atlassian account), shared by its connections.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{GrantId, ReplicaId};

/// Whether the tokens still work.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum GrantStatus {
    Active,
    /// Atlassian said so; a person must authorize again.
    Dead,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "grants")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: GrantId,
    pub client_id: String,
    pub account_id: String,
    pub status: GrantStatus,
    /// Sealed access and refresh token.
    pub tokens: Vec<u8>,
    pub scopes: String,
    pub access_expires_at: DateTimeUtc,
    /// Grows with each new pair of tokens.
    pub generation: i64,
    pub refresh_holder: Option<ReplicaId>,
    pub refresh_until: Option<DateTimeUtc>,
    /// When the current refresh token was first sent, if the answer is not known.
    pub refresh_sent_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
