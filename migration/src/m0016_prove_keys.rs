//! A value that only this installation's encryption keys open.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::ddl::run(manager, "ALTER TABLE installation ADD COLUMN key_proof BYTEA").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::ddl::run(manager, "ALTER TABLE installation DROP COLUMN key_proof").await
    }
}
