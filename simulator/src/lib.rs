//! Stateful models of Confluence Cloud and OpenAI over HTTP.
