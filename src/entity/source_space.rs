//! The spaces a source watches, and how far it has read each one's feed.

use sea_orm::entity::prelude::*;

use crate::ids::SourceId;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "source_spaces")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub source_id: SourceId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub space_id: String,
    pub key: String,
    pub name: String,
    /// The newest change that was persisted, by Confluence's clock.
    pub watermark: Option<DateTimeUtc>,
    /// Since when it cannot be seen.
    pub hidden_since: Option<DateTimeUtc>,
    /// How many more pages the search counted in it than there were documents.
    pub search_surplus: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
