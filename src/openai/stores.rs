//! Vector stores themselves.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::listing::{Listed, Request};
use super::{Client, Deleted, Error, Listing, Walk, parse};
use crate::vendor::Idempotent;

#[derive(Clone, Debug, Deserialize)]
pub struct Store {
    pub id: String,
    pub name: Option<String>,
    pub status: StoreStatus,
    #[serde(default)]
    pub file_counts: FileCounts,
    #[serde(default)]
    pub usage_bytes: Option<u64>,
    pub created_at: i64,
    #[serde(default, deserialize_with = "texts")]
    pub metadata: BTreeMap<String, String>,
}

impl Listed for Store {
    fn id(&self) -> &str {
        &self.id
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreStatus {
    InProgress,
    Completed,
    /// Its files are gone.
    Expired,
    Other(String),
}

impl<'de> Deserialize<'de> for StoreStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|word| match word.as_str() {
            "in_progress" => Self::InProgress,
            "completed" => Self::Completed,
            "expired" => Self::Expired,
            _ => Self::Other(word),
        })
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct FileCounts {
    pub in_progress: u64,
    pub completed: u64,
    pub failed: u64,
    pub cancelled: u64,
    pub total: u64,
}

impl Client {
    /// Makes a store. Not repeated once it may have been received: look it up by its metadata first. Metadata is
    /// written here and never again, because compatible servers keep their own settings in it.
    pub async fn create_store(
        &self,
        name: &str,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Store, Error> {
        let body = json!({ "name": name, "metadata": metadata });
        parse(&self.post(&["vector_stores"], &body, Idempotent::No).await?)
    }

    pub async fn store(&self, id: &str) -> Result<Store, Error> {
        let answer = self.get(&["vector_stores", id], &[]).await?;
        let store: Store = parse(&answer)?;
        if store.id == id {
            Ok(store)
        } else {
            Err(Error::malformed("another store was answered", &answer.request_id))
        }
    }

    /// One request of the project's stores, the newest first.
    pub async fn stores(&self, after: Option<&str>) -> Result<Listing<Store>, Error> {
        self.list(&all_stores(), after).await
    }

    #[must_use]
    pub fn walk_stores(&self) -> Walk<Store> {
        self.walk(all_stores())
    }

    /// Deletes the store, not the files in it.
    pub async fn delete_store(&self, id: &str) -> Result<Deleted, Error> {
        self.delete(&["vector_stores", id]).await
    }
}

fn all_stores() -> Request {
    Request { path: vec!["vector_stores".to_owned()], query: vec![("order", "desc".to_owned())], limit: 100 }
}

/// Metadata is text; a server that keeps something else in it is not our business.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let values = Option::<BTreeMap<String, Value>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(values.into_iter().filter_map(|(key, value)| Some((key, value.as_str()?.to_owned()))).collect())
}
