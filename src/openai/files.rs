//! Files: uploads, and looking for one whose upload was never answered.

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::multipart::{Form, Part};
use serde::Deserialize;

use super::listing::{Listed, Request};
use super::{Client, Deleted, Error, Listing, Walk, parse};
use crate::vendor::Idempotent;

/// A file of the project. It has no attributes: its name alone tells whose it is.
#[derive(Clone, Debug, Deserialize)]
pub struct File {
    pub id: String,
    pub filename: String,
    #[serde(default)]
    pub bytes: u64,
    /// Unix seconds, the vendor's clock.
    pub created_at: i64,
    pub purpose: Option<String>,
}

impl Listed for File {
    fn id(&self) -> &str {
        &self.id
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    NewestFirst,
    OldestFirst,
}

impl Order {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::NewestFirst => "desc",
            Self::OldestFirst => "asc",
        }
    }
}

/// Which files to list.
#[derive(Clone, Debug)]
pub struct FileQuery {
    pub order: Order,
    pub purpose: Option<&'static str>,
    /// 1 to 10,000.
    pub limit: usize,
}

impl Default for FileQuery {
    fn default() -> Self {
        Self { order: Order::NewestFirst, purpose: None, limit: 1_000 }
    }
}

impl FileQuery {
    fn request(&self) -> Request {
        let mut query = vec![("order", self.order.as_str().to_owned())];
        query.extend(self.purpose.map(|purpose| ("purpose", purpose.to_owned())));
        Request { path: vec!["files".to_owned()], query, limit: self.limit }
    }
}

impl Client {
    /// Uploads a Markdown text for search. Not repeated once it may have been received: see
    /// [`Error::effect_unknown`]. An empty text is refused by the vendor.
    pub async fn upload_file(&self, filename: &str, text: Bytes) -> Result<File, Error> {
        let url = self.url(&["files"], &[])?;
        let build = || {
            let form =
                Form::new().text("purpose", "assistants").part("file", markdown(filename, text.clone()));
            self.request(Method::POST, &url).timeout(self.timing.upload_timeout).multipart(form)
        };
        let answer = self.send(Idempotent::No, build).await?;
        parse(&answer)
    }

    /// One request of the project's files.
    pub async fn files(&self, query: &FileQuery, after: Option<&str>) -> Result<Listing<File>, Error> {
        self.list(&query.request(), after).await
    }

    #[must_use]
    pub fn walk_files(&self, query: &FileQuery) -> Walk<File> {
        self.walk(query.request())
    }

    pub async fn file(&self, id: &str) -> Result<File, Error> {
        parse(&self.get(&["files", id], &[]).await?)
    }

    /// Deletes the file itself. OpenAI takes it out of all stores as well, compatible servers may not: detach first.
    pub async fn delete_file(&self, id: &str) -> Result<Deleted, Error> {
        self.delete(&["files", id]).await
    }
}

/// The length is known, so that the request is not chunked.
fn markdown(filename: &str, text: Bytes) -> Part {
    let length = text.len() as u64;
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/markdown"))]);
    Part::stream_with_length(text, length).file_name(filename.to_owned()).headers(headers)
}
