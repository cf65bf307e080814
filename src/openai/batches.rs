//! Batches: many files attached by one request.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::attributes::Attributes;
use super::{Client, Error, FileCounts, IndexStatus, StoreFile, StoreFileQuery, Walk, parse, poll_after};
use crate::vendor::{Answer, Idempotent};

/// One file of a batch that is to be made.
#[derive(Clone, Debug, Serialize)]
pub struct BatchFile {
    pub file_id: String,
    pub attributes: Attributes,
}

/// A batch. That it is completed does not mean that its files are: look at the counts. A `total` that is not the number
/// of files sent is a server that ignores them.
#[derive(Clone, Debug, Deserialize)]
pub struct Batch {
    pub id: String,
    pub status: IndexStatus,
    #[serde(rename = "file_counts")]
    pub counts: FileCounts,
    object: Option<String>,
    /// When the server would like to be asked again.
    #[serde(skip)]
    pub poll_after: Option<Duration>,
}

impl Client {
    /// Attaches files, each with its attributes. Not repeated once it may have been received: look into the store
    /// first. 500 files are accepted nearly everywhere, else [`Error::BatchTooLong`] tells how many.
    pub async fn create_batch(&self, store: &str, files: &[BatchFile]) -> Result<Batch, Error> {
        let body = json!({ "files": files });
        let answer = self.post(&["vector_stores", store, "file_batches"], &body, Idempotent::No).await?;
        let batch = genuine(&answer)?;
        if batch.id == store {
            return Err(Error::malformed("a batch was answered with the store's id", &answer.request_id));
        }
        Ok(batch)
    }

    pub async fn batch(&self, store: &str, id: &str) -> Result<Batch, Error> {
        let answer = self.get(&["vector_stores", store, "file_batches", id], &[]).await?;
        let batch = genuine(&answer)?;
        if batch.id != id {
            return Err(Error::malformed("another batch was answered", &answer.request_id));
        }
        Ok(batch)
    }

    /// The entries of a batch's files.
    #[must_use]
    pub fn walk_batch_files(&self, store: &str, id: &str, query: &StoreFileQuery) -> Walk<StoreFile> {
        self.walk(query.request(&["vector_stores", store, "file_batches", id, "files"]))
    }
}

/// Some answers to questions about a batch were seen to hold another object.
fn genuine(answer: &Answer) -> Result<Batch, Error> {
    let batch: Batch = parse(answer)?;
    match batch.object.as_deref() {
        None | Some("vector_store.files_batch" | "vector_store.file_batch") => {
            Ok(Batch { poll_after: poll_after(answer), ..batch })
        }
        Some(_) => Err(Error::malformed(
            "a question about a batch was answered with another object",
            &answer.request_id,
        )),
    }
}
