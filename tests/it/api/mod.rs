//! Stories of clients that call the API over HTTP.

mod documents;
mod freshness;
mod gap;
mod house;
mod knowledge_bases;
mod plans;
mod reconciles;
mod sources;
mod syncs;
mod walls;
