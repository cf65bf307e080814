//! Tidegate keeps chosen Confluence Cloud pages in an OpenAI vector store.

pub mod app;
pub mod config;
pub mod confluence;
pub mod engine;
pub mod entity;
pub mod ids;
pub mod openai;
pub mod seal;
pub mod telemetry;
pub mod vendor;
