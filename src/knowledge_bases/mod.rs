//! Knowledge bases: one OpenAI vector store each, with the credential that reaches it.

pub mod store;
