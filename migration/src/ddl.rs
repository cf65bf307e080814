//! Runs schema statements written once, in PostgreSQL's types, on either database.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend},
};

/// What SQLite calls the types. The names decide a column's affinity there, and how the driver reads it.
const SQLITE_TYPES: [(&str, &str); 4] = [
    (" UUID", " uuid_text"),
    (" TIMESTAMPTZ", " timestamp_with_timezone_text"),
    (" JSONB", " jsonb_text"),
    (" BYTEA", " blob"),
];

/// Executes the statements of `sql`, which end in `;` at a line's end.
pub async fn run(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    for statement in sql.split(";\n").map(str::trim).filter(|statement| !statement.is_empty()) {
        let statement = match connection.get_database_backend() {
            DbBackend::Sqlite => SQLITE_TYPES
                .iter()
                .fold(statement.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours)),
            _ => statement.to_owned(),
        };
        connection.execute_unprepared(&statement).await?;
    }
    Ok(())
}

/// Drops the tables, the last first.
pub async fn drop_tables(manager: &SchemaManager<'_>, tables: &[&'static str]) -> Result<(), DbErr> {
    for table in tables.iter().rev() {
        manager.drop_table(Table::drop().table(*table).to_owned()).await?;
    }
    Ok(())
}
