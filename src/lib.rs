//! Tidegate keeps chosen Confluence Cloud pages in an OpenAI vector store.

pub mod app;
pub mod config;
pub mod entity;
pub mod ids;
pub mod seal;
pub mod telemetry;
