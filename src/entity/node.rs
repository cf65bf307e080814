//! Titles and parents of folders and pages above the documents: what paths are made of.

use sea_orm::entity::prelude::*;

use crate::ids::SourceId;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "nodes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub source_id: SourceId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub external_id: String,
    pub kind: String,
    pub title: String,
    pub parent_id: Option<String>,
    pub parent_kind: Option<String>,
    pub read_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
