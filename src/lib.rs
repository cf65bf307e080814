//! Tidegate keeps chosen Confluence Cloud pages in an OpenAI vector store.

pub mod app;
pub mod entity;
pub mod ids;
