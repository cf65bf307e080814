//! Files that stay at OpenAI though nothing knows them any more: a person kept them when their source was deleted.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "kept_files")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub openai_file_id: String,
    pub kept_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
