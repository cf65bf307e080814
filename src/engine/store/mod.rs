//! What the engine reads and writes, in groups that belong together. Every write of a run is made under its lease.

pub mod changes;
pub mod documents;
pub mod erased;
pub mod files;
pub mod holds;
pub mod kept_out;
pub mod lease;
pub mod nodes;
pub mod observed;
pub mod old;
pub mod outcomes;
pub mod restrictions;
pub mod syncs;

use sea_orm::DbErr;

/// A statement of the engine could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process holds the source's lease now, or the source is being deleted: this run may do nothing more.
    #[error("the lease of the source is lost")]
    LeaseLost,
    /// The database failed.
    #[error("the database failed")]
    Db(#[from] DbErr),
}
