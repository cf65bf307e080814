//! Holds: removals of a source that wait for a person, one hold a source.

use sea_orm::entity::prelude::*;

use crate::ids::{SourceId, SyncId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "holds")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub source_id: SourceId,
    /// The sync that first held them.
    pub sync_id: SyncId,
    pub reason: String,
    pub live_documents: i64,
    /// The account under which they were found, if that is not the one under which the documents were observed.
    pub account_id: Option<String>,
    /// Kept by a person's word until the set changes.
    pub rejected: bool,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
