//! Who may read a page: whether reading a page or folder is restricted on itself, as far as that is known.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &str = r"
CREATE TABLE restrictions (
    source_id UUID NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    external_id TEXT NOT NULL,
    restricted BOOLEAN NOT NULL,
    read_at TIMESTAMPTZ,
    asked_at TIMESTAMPTZ,
    PRIMARY KEY (source_id, external_id)
);
CREATE INDEX restrictions_asked ON restrictions (source_id, asked_at);
CREATE INDEX restrictions_set ON restrictions (source_id) WHERE restricted;
";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_tables(manager, &["restrictions"]).await
    }
}
