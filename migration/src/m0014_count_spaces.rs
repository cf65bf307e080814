//! How many more pages the search counts in a space than a source has documents of it.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let add = "ALTER TABLE source_spaces ADD COLUMN search_surplus BIGINT";
        crate::ddl::run(manager, add).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::ddl::run(manager, "ALTER TABLE source_spaces DROP COLUMN search_surplus").await
    }
}
