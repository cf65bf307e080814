//! API keys: a workspace's secrets for machines, stored as hashes.

use sea_orm::entity::prelude::*;

use super::Metadata;
use crate::ids::{ApiKeyId, WorkspaceId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ApiKeyId,
    pub workspace_id: WorkspaceId,
    pub name: String,
    /// The first characters of the key, to tell keys apart.
    pub prefix: String,
    pub secret_sha256: Vec<u8>,
    /// A list of scope names.
    pub scopes: Json,
    /// Made from the settings or at the first start; replaced when the setting changes.
    pub bootstrap: bool,
    pub external_id: Option<String>,
    pub metadata: Metadata,
    pub created_at: DateTimeUtc,
    pub expires_at: Option<DateTimeUtc>,
    pub last_used_at: Option<DateTimeUtc>,
    pub revoked_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
