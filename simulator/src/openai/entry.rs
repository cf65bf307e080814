//! A file in a store, and how its indexing goes.

use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};

use super::attributes::Attributes;
use super::model::File;
use super::search::Chunk;
use crate::clock::Millis;

/// How the indexing of an entry ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Completed,
    /// `server_error`, `unsupported_file`, `invalid_file` or another code, and a message.
    Failed {
        code: String,
        message: String,
    },
    /// It never ends.
    Stuck,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    InProgress,
    Completed,
    Failed,
    Cancelled,
}

impl State {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A file in a store.
#[derive(Debug, Clone)]
pub struct Entry {
    pub file: String,
    pub filename: String,
    pub attributes: Attributes,
    /// What search filters see.
    pub(super) filtered_by: Attributes,
    pub created_at: Millis,
    pub state: State,
    pub outcome: Outcome,
    pub bytes: usize,
    pub(super) order: u64,
    pub(super) chunking: Value,
    text: Option<Arc<str>>,
    pub(super) ready_at: Millis,
    chunks: Arc<OnceLock<Vec<Chunk>>>,
}

impl Entry {
    pub(super) fn new(
        order: u64,
        file: &File,
        attributes: Attributes,
        now: Millis,
        ready_at: Millis,
        outcome: Outcome,
    ) -> Self {
        Self {
            file: file.id.clone(),
            filename: file.filename.clone(),
            filtered_by: attributes.clone(),
            attributes,
            created_at: now,
            state: State::InProgress,
            outcome,
            bytes: file.bytes,
            order,
            chunking: auto_chunking(),
            text: file.text.clone(),
            ready_at,
            chunks: Arc::default(),
        }
    }

    /// A failed entry for a file that is not there.
    pub(super) fn phantom(order: u64, file: &str, now: Millis) -> Self {
        let outcome =
            Outcome::Failed { code: "server_error".to_owned(), message: format!("File {file} not found") };
        Self {
            file: file.to_owned(),
            filename: String::new(),
            filtered_by: Attributes::new(),
            attributes: Attributes::new(),
            created_at: now,
            state: State::Failed,
            outcome,
            bytes: 0,
            order,
            chunking: auto_chunking(),
            text: None,
            ready_at: now,
            chunks: Arc::default(),
        }
    }

    /// The indexed text, if the simulator kept it.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    pub(super) fn chunks(&self) -> &[Chunk] {
        self.chunks.get_or_init(|| self.text().map(super::search::chunks).unwrap_or_default())
    }

    /// The entry as the API shows it.
    #[must_use]
    pub fn shape(&self, store: &str) -> Value {
        let last_error = match (&self.state, &self.outcome) {
            (State::Failed, Outcome::Failed { code, message }) => json!({"code": code, "message": message}),
            _ => Value::Null,
        };
        json!({
            "id": self.file,
            "object": "vector_store.file",
            "usage_bytes": if self.state == State::Completed { self.bytes } else { 0 },
            "created_at": self.created_at.div_euclid(1_000),
            "vector_store_id": store,
            "status": self.state.name(),
            "last_error": last_error,
            "chunking_strategy": self.chunking,
            "attributes": self.attributes,
        })
    }
}

/// What `auto` chunking comes out as.
#[must_use]
pub(super) fn auto_chunking() -> Value {
    json!({"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}})
}
