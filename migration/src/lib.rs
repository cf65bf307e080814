//! The schema of Tidegate as a list of migrations, each the schema of its own day.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::{MigrationTrait, async_trait};

mod ddl;
mod m0001_create_workspaces;
mod m0002_create_connections;
mod m0003_create_knowledge_bases;
mod m0004_create_documents;
mod m0005_create_syncs;
mod m0006_remember_accounts;
mod m0007_create_reconciles;
mod m0008_number_the_changes_of_documents;
mod m0009_list_large_spaces_by_pieces;
mod m0010_create_restrictions;
mod m0011_price_plans;
mod m0012_time_documents;
mod m0013_remember_hidden_spaces;
mod m0014_count_spaces;
mod m0015_take_turns;
mod m0016_prove_keys;

/// Brings a database to the newest schema, on SQLite and on PostgreSQL.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_create_workspaces::Migration),
            Box::new(m0002_create_connections::Migration),
            Box::new(m0003_create_knowledge_bases::Migration),
            Box::new(m0004_create_documents::Migration),
            Box::new(m0005_create_syncs::Migration),
            Box::new(m0006_remember_accounts::Migration),
            Box::new(m0007_create_reconciles::Migration),
            Box::new(m0008_number_the_changes_of_documents::Migration),
            Box::new(m0009_list_large_spaces_by_pieces::Migration),
            Box::new(m0010_create_restrictions::Migration),
            Box::new(m0011_price_plans::Migration),
            Box::new(m0012_time_documents::Migration),
            Box::new(m0013_remember_hidden_spaces::Migration),
            Box::new(m0014_count_spaces::Migration),
            Box::new(m0015_take_turns::Migration),
            Box::new(m0016_prove_keys::Migration),
        ]
    }
}
