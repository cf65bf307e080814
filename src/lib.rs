//! Tidegate keeps chosen Confluence Cloud pages in an OpenAI vector store.

pub mod app;
pub mod auth;
pub mod config;
pub mod confluence;
pub mod connections;
pub mod convert;
pub mod documents;
pub mod engine;
pub mod entity;
pub mod files;
pub mod http;
pub mod ids;
pub mod installation;
pub mod knowledge_bases;
pub mod openai;
pub mod reconciles;
pub mod seal;
pub mod server;
pub mod sources;
pub mod syncs;
pub mod telemetry;
pub mod vendor;
pub mod workspaces;
