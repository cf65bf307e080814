//! Since when a space that a source has met cannot be seen.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let add = "ALTER TABLE source_spaces ADD COLUMN hidden_since TIMESTAMPTZ";
        crate::ddl::run(manager, add).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::ddl::run(manager, "ALTER TABLE source_spaces DROP COLUMN hidden_since").await
    }
}
