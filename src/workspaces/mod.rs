//! Workspaces: the tenants of an installation.

pub mod routes;
pub mod store;
