//! A small, tolerant client of the OpenAI files and vector store calls that Tidegate makes, at OpenAI or any server
//! that speaks the same API.

mod attributes;
mod batches;
mod error;
mod files;
mod listing;
mod pace;
mod search;
mod store_files;
mod stores;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::vendor::{ANSWER_CAP, Answer, Idempotent, is_path_id, receive, repeat};

pub use crate::vendor::{Lost, Meter, RequestId, Signals, Timing};
pub use attributes::{AttributeProblem, AttributeValue, Attributes, LONGEST_TEXT, check_attributes};
pub use batches::{Batch, BatchFile};
pub use error::Error;
pub use files::{File, FileQuery, Order};
pub use listing::{Listing, Walk};
pub use pace::{Limits, Pace, Paces};
pub use search::{Hit, SearchRequest};
pub use store_files::{FileError, StoreFile, StoreFileQuery};
pub use stores::{FileCounts, Store, StoreStatus};

/// Where indexing a file or a batch has got to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum IndexStatus {
    InProgress,
    Completed,
    Cancelled,
    Failed,
    /// A word this client does not know: not done.
    Other(String),
}

impl IndexStatus {
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Other(word) => word,
        }
    }

    /// Whether it will stay as it is.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Failed)
    }
}

impl From<String> for IndexStatus {
    fn from(word: String) -> Self {
        match word.as_str() {
            "in_progress" => Self::InProgress,
            "completed" => Self::Completed,
            "cancelled" => Self::Cancelled,
            "failed" => Self::Failed,
            _ => Self::Other(word),
        }
    }
}

impl<'de> Deserialize<'de> for IndexStatus {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// What became of a request to delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    Done,
    /// It was not there. Proof only if the key and the store are known to be in order.
    NotThere,
}

/// One project, through one key. Clones share the connection pool and the meter.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Arc<Url>,
    key: Arc<SecretString>,
    timing: Timing,
    answer_cap: usize,
    meter: Arc<Meter>,
}

impl Client {
    /// `base` ends in the version: `https://api.openai.com/v1`. `http` should follow no redirects.
    #[must_use]
    pub fn new(http: reqwest::Client, base: Url, key: SecretString, timing: Timing) -> Self {
        let (base, key, meter) = (Arc::new(base), Arc::new(key), Arc::default());
        Self { http, base, key, timing, answer_cap: ANSWER_CAP, meter }
    }

    /// Counts into `meter`, which several clients may share.
    #[must_use]
    pub fn with_meter(self, meter: Arc<Meter>) -> Self {
        Self { meter, ..self }
    }

    /// Reads at most this many bytes of an answer (64 MiB by default).
    #[must_use]
    pub fn with_answer_cap(self, bytes: usize) -> Self {
        Self { answer_cap: bytes, ..self }
    }

    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    async fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Answer, Error> {
        let url = self.url(path, query)?;
        self.send(Idempotent::Yes, || self.request(Method::GET, &url)).await
    }

    async fn post(
        &self,
        path: &[&str],
        body: &(impl Serialize + Sync),
        twice: Idempotent,
    ) -> Result<Answer, Error> {
        let url = self.url(path, &[])?;
        self.send(twice, || self.request(Method::POST, &url).json(body)).await
    }

    /// Deletes, or finds that there is nothing to delete.
    async fn delete(&self, path: &[&str]) -> Result<Deleted, Error> {
        #[derive(Deserialize)]
        struct Done {
            deleted: Option<bool>,
        }
        let url = self.url(path, &[])?;
        let answer = match self.send(Idempotent::Yes, || self.request(Method::DELETE, &url)).await {
            Ok(answer) => answer,
            Err(Error::NotFound { .. }) => return Ok(Deleted::NotThere),
            Err(error) => return Err(error),
        };
        match parse::<Done>(&answer)?.deleted {
            Some(false) => {
                Err(Error::malformed("a deletion was answered with \"deleted\": false", &answer.request_id))
            }
            Some(true) | None => Ok(Deleted::Done),
        }
    }

    fn request(&self, method: Method, url: &Url) -> RequestBuilder {
        self.http.request(method, url.clone()).timeout(self.timing.request_timeout)
    }

    async fn send(&self, twice: Idempotent, build: impl Fn() -> RequestBuilder) -> Result<Answer, Error> {
        repeat(&self.timing, twice, || self.attempt(build())).await
    }

    async fn attempt(&self, request: RequestBuilder) -> Result<Answer, Error> {
        // A key that no header can carry is not one that the vendor would accept.
        if !self.key.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::Unauthorized { request_id: RequestId::default() });
        }
        // Older gateways hide vector stores from those who do not ask for this version.
        let request = request.bearer_auth(self.key.expose_secret()).header("openai-beta", "assistants=v2");
        self.meter.count_request();
        let answer = receive(request, &["x-request-id"], self.answer_cap).await?;
        self.meter.note(&answer);
        if answer.status.is_success() { Ok(answer) } else { Err(Error::from_answer(&answer)) }
    }

    /// `path` below the base; each element is one segment.
    fn url(&self, path: &[&str], query: &[(&str, String)]) -> Result<Url, Error> {
        if !path.iter().all(|segment| is_path_id(segment)) {
            return Err(Error::refused("invalid_id", "an id holds characters that no id has"));
        }
        let mut url = (*self.base).clone();
        match url.path_segments_mut() {
            Ok(mut segments) => segments.pop_if_empty().extend(path),
            Err(()) => return Err(Error::refused("invalid_base_url", "the base URL cannot have a path")),
        };
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("openai::Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

fn parse<T: DeserializeOwned>(answer: &Answer) -> Result<T, Error> {
    answer.json().map_err(|what| Error::malformed(what, &answer.request_id))
}

/// The server's hint when to look again at something that is being indexed.
fn poll_after(answer: &Answer) -> Option<Duration> {
    const LONGEST_MS: u64 = 60_000;
    let milliseconds: u64 = answer.header("openai-poll-after-ms")?.parse().ok()?;
    Some(Duration::from_millis(milliseconds.min(LONGEST_MS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_can_be_made_from_any_thread() {
        fn movable<T: Send>(_: &T) {}
        let base = "https://api.openai.com/v1".parse().unwrap();
        let client = Client::new(reqwest::Client::new(), base, "key".into(), Timing::default());
        movable(&client.upload_file("a.md", bytes::Bytes::new()));
        movable(&client.create_batch("vs_1", &[]));
        movable(&client.walk_files(&FileQuery::default()).next());
        assert_eq!(format!("{client:?}"), r#"openai::Client { base: "https://api.openai.com/v1", .. }"#);
    }

    #[test]
    fn an_unknown_word_is_not_done() {
        let status: IndexStatus = serde_json::from_str(r#""queued""#).unwrap();
        assert!(!status.is_terminal());
        assert_eq!(status.as_str(), "queued");
    }
}
