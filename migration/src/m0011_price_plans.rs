//! What a plan was made of and what it would cost, each of its changes too, and which plan a sync applies.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &str = r"
ALTER TABLE syncs ADD COLUMN plan JSONB;
ALTER TABLE syncs ADD COLUMN applies UUID;
ALTER TABLE changes ADD COLUMN cost JSONB;
";

const DOWN: &str = r"
ALTER TABLE changes DROP COLUMN cost;
ALTER TABLE syncs DROP COLUMN applies;
ALTER TABLE syncs DROP COLUMN plan;
";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, DOWN).await
    }
}
