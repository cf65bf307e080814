//! Cursor listings: opaque cursors bound to their question, `_links.next` and the `Link` header.

use std::hash::{DefaultHasher, Hash, Hasher};

use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::listing::{From, SortKey};
use super::model::{Confluence, CursorStyle};
use super::params::{Params, wrong_cursor};
use super::refusal::Refusal;
use crate::faults::ListingFault;

#[derive(Debug, Serialize, Deserialize)]
struct Cursor {
    /// The last item given out.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<SortKey>,
    /// Items given out so far.
    offset: usize,
    page: u32,
    question: u64,
    epoch: u32,
}

/// One page of a listing: where it begins, and how to write what follows.
#[derive(Debug)]
pub struct Walk {
    pub limit: usize,
    pub from: From,
    offset: usize,
    page: u32,
    question: u64,
    epoch: u32,
    own: Option<String>,
    style: CursorStyle,
    rest: String,
}

impl Walk {
    /// Reads `cursor`, refusing one that belongs to another question or another time.
    pub fn read(cloud: &Confluence, path: &str, params: &Params, limit: usize) -> Result<Self, Refusal> {
        let rest = params.without_cursor();
        let mut hasher = DefaultHasher::new();
        (path, &rest).hash(&mut hasher);
        let own = params.one("cursor")?.map(ToOwned::to_owned);
        let mut walk = Self {
            limit,
            from: From::Start,
            offset: 0,
            page: 1,
            question: hasher.finish(),
            epoch: cloud.cursor_epoch,
            own,
            style: cloud.habits.cursors,
            rest,
        };
        if let Some(text) = &walk.own {
            let cursor = decode(text).ok_or_else(wrong_cursor)?;
            if cursor.question != walk.question || cursor.epoch != walk.epoch {
                return Err(wrong_cursor());
            }
            walk.from = match (walk.style, cursor.after) {
                (CursorStyle::Stable, Some(key)) => From::After(key),
                (_, None) | (CursorStyle::Shifting, Some(_)) => From::Offset(cursor.offset),
            };
            (walk.offset, walk.page) = (cursor.offset, cursor.page);
        }
        Ok(walk)
    }

    /// How many items were given out before this page.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    fn cursor(&self, after: Option<SortKey>, given: usize) -> String {
        let cursor = Cursor {
            after,
            offset: self.offset + given,
            page: self.page + 1,
            question: self.question,
            epoch: self.epoch,
        };
        STANDARD.encode(serde_json::to_vec(&cursor).unwrap_or_default())
    }

    /// A cursor that leads to this very page again.
    fn loop_cursor(&self) -> String {
        self.own.clone().unwrap_or_else(|| {
            let cursor =
                Cursor { after: None, offset: 0, page: 1, question: self.question, epoch: self.epoch };
            STANDARD.encode(serde_json::to_vec(&cursor).unwrap_or_default())
        })
    }

    /// A link below `path` to what follows `given` items, the last of them `after`.
    #[must_use]
    pub fn next(&self, path: &str, after: Option<SortKey>, given: usize) -> String {
        self.link(path, &self.cursor(after, given))
    }

    fn link(&self, path: &str, cursor: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(self.rest.clone());
        format!("{path}?{}", query.append_pair("cursor", cursor).finish())
    }

    /// Writes the envelope around `results`, already JSON. `more` tells whether there are items behind.
    pub fn answer(&self, request: &HttpRequest, base: &str, page: Page) -> HttpResponse {
        let fault = request.extensions().get::<ListingFault>().cloned();
        let path = public_path(request.path());
        let ahead = self.next(path, page.last, page.count);
        let next = match fault {
            None => page.more.then_some(ahead),
            Some(ListingFault::NextLoop) => Some(self.link(path, &self.loop_cursor())),
            Some(ListingFault::NextWithoutCursor) => Some(format!("{path}?{}", self.rest)),
            Some(ListingFault::ForeignNext(host)) => Some(format!("https://{host}{ahead}")),
        };
        envelope(page.results, next.as_deref(), base)
    }
}

/// The items of one page as JSON, and what the next page needs.
#[derive(Debug)]
pub struct Page {
    /// A JSON array.
    pub results: Vec<u8>,
    pub count: usize,
    pub more: bool,
    pub last: Option<SortKey>,
}

fn envelope(mut results: Vec<u8>, next: Option<&str>, base: &str) -> HttpResponse {
    let links = match next {
        Some(next) => serde_json::json!({"next": next, "base": base}),
        None => serde_json::json!({"base": base}),
    };
    let mut body = Vec::with_capacity(results.len() + 256);
    body.extend_from_slice(b"{\"results\":");
    body.append(&mut results);
    body.extend_from_slice(b",\"_links\":");
    body.extend_from_slice(links.to_string().as_bytes());
    body.push(b'}');
    let link = match next {
        Some(next) => format!("<{next}>; rel=\"next\", <{base}>; rel=\"base\""),
        None => format!("<{base}>; rel=\"base\""),
    };
    HttpResponse::Ok().content_type("application/json").insert_header(("link", link)).body(body)
}

/// The path as seen from the site: `/wiki/…`.
#[must_use]
pub(crate) fn public_path(path: &str) -> &str {
    path.find("/wiki/").map_or(path, |at| &path[at..])
}

fn decode(text: &str) -> Option<Cursor> {
    serde_json::from_slice(&STANDARD.decode(text).ok()?).ok()
}

/// The page a query asks for, from 1: what its cursor says.
#[must_use]
pub(crate) fn page_of(query: &str) -> u32 {
    if !query.contains("cursor=") {
        return 1;
    }
    let cursor = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "cursor");
    cursor.and_then(|(_, value)| decode(&value)).map_or(1, |cursor| cursor.page)
}
