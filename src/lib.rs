//! Tidegate keeps chosen Confluence Cloud pages in an OpenAI vector store.
