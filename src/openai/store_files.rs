//! Files in a vector store: attached, looked at, labelled, detached.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;

use super::attributes::{Attributes, tolerant};
use super::listing::{Listed, Request};
use super::{Client, Deleted, Error, IndexStatus, Listing, Order, Walk, parse, poll_after};
use crate::vendor::{Answer, Idempotent};

/// A file's entry in a store.
#[derive(Clone, Debug, Deserialize)]
pub struct StoreFile {
    /// The file's id.
    pub id: String,
    pub status: IndexStatus,
    pub last_error: Option<FileError>,
    #[serde(default, deserialize_with = "tolerant")]
    pub attributes: Attributes,
    /// Unix seconds, the vendor's clock.
    #[serde(default)]
    pub created_at: i64,
    #[serde(default)]
    pub usage_bytes: Option<u64>,
    /// When the server would like to be asked again.
    #[serde(skip)]
    pub poll_after: Option<Duration>,
    /// The vendor's clock when it was asked for this entry alone.
    #[serde(skip)]
    pub date: Option<DateTime<Utc>>,
}

impl Listed for StoreFile {
    fn id(&self) -> &str {
        &self.id
    }
}

/// Why a file could not be indexed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FileError {
    #[serde(default)]
    pub code: Option<String>,
    #[serde(default)]
    pub message: Option<String>,
}

/// Which entries to list.
#[derive(Clone, Debug)]
pub struct StoreFileQuery {
    pub order: Order,
    /// Of one status, or of all.
    pub status: Option<IndexStatus>,
    /// 1 to 100.
    pub limit: usize,
}

impl Default for StoreFileQuery {
    fn default() -> Self {
        Self { order: Order::NewestFirst, status: None, limit: 100 }
    }
}

impl StoreFileQuery {
    pub(super) fn request(&self, path: &[&str]) -> Request {
        let mut query = vec![("order", self.order.as_str().to_owned())];
        query.extend(self.status.iter().map(|status| ("filter", status.as_str().to_owned())));
        Request { path: path.iter().map(|&segment| segment.to_owned()).collect(), query, limit: self.limit }
    }
}

impl Client {
    /// Attaches one file. Not repeated once it may have been received: look into the store first.
    pub async fn attach(
        &self,
        store: &str,
        file_id: &str,
        attributes: &Attributes,
    ) -> Result<StoreFile, Error> {
        let body = json!({ "file_id": file_id, "attributes": attributes });
        let answer = self.post(&["vector_stores", store, "files"], &body, Idempotent::No).await?;
        entry(&answer, file_id)
    }

    pub async fn store_file(&self, store: &str, file_id: &str) -> Result<StoreFile, Error> {
        let answer = self.get(&["vector_stores", store, "files", file_id], &[]).await?;
        entry(&answer, file_id)
    }

    /// One request of a store's entries, with their attributes.
    pub async fn store_files(
        &self,
        store: &str,
        query: &StoreFileQuery,
        after: Option<&str>,
    ) -> Result<Listing<StoreFile>, Error> {
        self.list(&query.request(&["vector_stores", store, "files"]), after).await
    }

    #[must_use]
    pub fn walk_store_files(&self, store: &str, query: &StoreFileQuery) -> Walk<StoreFile> {
        self.walk(query.request(&["vector_stores", store, "files"]))
    }

    /// Replaces all attributes; nothing is indexed anew.
    pub async fn update_attributes(
        &self,
        store: &str,
        file_id: &str,
        attributes: &Attributes,
    ) -> Result<StoreFile, Error> {
        let body = json!({ "attributes": attributes });
        let answer = self.post(&["vector_stores", store, "files", file_id], &body, Idempotent::Yes).await?;
        entry(&answer, file_id)
    }

    /// Takes a file out of a store; the file itself stays. Searches may find it for a little while longer.
    pub async fn detach(&self, store: &str, file_id: &str) -> Result<Deleted, Error> {
        self.delete(&["vector_stores", store, "files", file_id]).await
    }
}

fn entry(answer: &Answer, file_id: &str) -> Result<StoreFile, Error> {
    let file: StoreFile = parse(answer)?;
    if file.id != file_id {
        return Err(Error::malformed("another file was answered", &answer.request_id));
    }
    Ok(StoreFile { poll_after: poll_after(answer), date: answer.date(), ..file })
}
