//! Search over one vector store.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::attributes::{Attributes, tolerant};
use super::{Client, Error, parse};
use crate::vendor::Idempotent;

#[derive(Clone, Debug, Default, Serialize)]
pub struct SearchRequest {
    pub query: String,
    /// 1 to 50; ten if it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_num_results: Option<u32>,
    /// A comparison or a compound of them, in the vendor's own form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filters: Option<Value>,
    /// Whether the vendor may put the question in other words first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rewrite_query: Option<bool>,
}

/// A passage. Compatible servers give other file ids than ours and scores above 1: recognize by attributes.
#[derive(Clone, Debug, Deserialize)]
pub struct Hit {
    pub file_id: String,
    #[serde(default)]
    pub filename: Option<String>,
    pub score: f64,
    #[serde(default, deserialize_with = "tolerant")]
    pub attributes: Attributes,
    content: Vec<Content>,
}

#[derive(Clone, Debug, Deserialize)]
struct Content {
    text: Option<String>,
}

impl Hit {
    /// The passage's text.
    #[must_use]
    pub fn text(&self) -> String {
        self.content.iter().filter_map(|content| content.text.as_deref()).collect::<Vec<_>>().join("\n")
    }
}

impl Client {
    /// The best passages, the best first.
    pub async fn search(&self, store: &str, request: &SearchRequest) -> Result<Vec<Hit>, Error> {
        #[derive(Deserialize)]
        struct Envelope {
            data: Vec<Hit>,
        }
        let answer = self.post(&["vector_stores", store, "search"], request, Idempotent::Yes).await?;
        parse::<Envelope>(&answer).map(|envelope| envelope.data)
    }
}
