//! Listings and the walk along their cursors, which distrusts every link it is given.
//!
//! * only the cursor's value is taken out of a `next` link; the URL asked is always our own, with unchanged parameters;
//! * a `next` without a cursor, with a foreign host, or with a cursor that was already used fails the walk;
//! * a walk ends: after its last page, at an error, or at a cap on requests.

use std::collections::HashSet;
use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use reqwest::header::LINK;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::wire::{Links, or_default};
use super::{Client, Error, RequestId, parse};
use crate::vendor::Answer;

/// More requests than any listing of ours needs: 250 a request, 2.5 million items.
const MOST_REQUESTS: usize = 10_000;

/// Where a listing goes on. It belongs to the query it came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor(String);

impl Cursor {
    /// A cursor that travelled through somebody else's hands.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One answer of a listing.
#[derive(Clone, Debug)]
pub struct Listing<T> {
    pub items: Vec<T>,
    /// Set when there is more.
    pub next: Option<Cursor>,
    /// The vendor's clock when it answered.
    pub date: Option<DateTime<Utc>>,
    /// The site's base, such as `https://{site}/wiki`.
    pub base: Option<String>,
}

#[derive(Deserialize)]
struct Envelope<T> {
    results: Vec<T>,
    #[serde(default, deserialize_with = "or_default", rename = "_links")]
    links: Links,
}

/// What is listed: a path below `/wiki` and the parameters that every request repeats.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub path: Vec<String>,
    pub query: Vec<(&'static str, String)>,
}

impl Client {
    /// One request of a listing. Costs a point, and one more an item.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        request: &Request,
        cursor: Option<&Cursor>,
    ) -> Result<Listing<T>, Error> {
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        let mut query = request.query.clone();
        query.extend(cursor.map(|cursor| ("cursor", cursor.0.clone())));
        let answer = self.get(&path, &query).await?;
        let envelope: Envelope<T> = parse(&answer)?;
        self.meter.spend(envelope.results.len() as u64);
        let link = envelope.links.next.as_deref().or_else(|| next_in_header(&answer));
        let next = link
            .map(|link| cursor_of(link, &self.base, envelope.links.base.as_deref()))
            .transpose()
            .map_err(|what| Error::malformed(what, &answer.request_id))?;
        if next.is_some() && next.as_ref() == cursor {
            return Err(Error::malformed("a cursor repeats", &answer.request_id));
        }
        Ok(Listing { items: envelope.results, next, date: answer.date(), base: envelope.links.base })
    }

    pub(super) fn walk<T>(&self, request: Request) -> Walk<T> {
        self.walk_from(request, None)
    }

    pub(super) fn walk_from<T>(&self, request: Request, from: Option<Cursor>) -> Walk<T> {
        let state = from.map_or(State::Begin, State::At);
        Walk { client: self.clone(), request, state, used: HashSet::new(), item: PhantomData }
    }
}

/// Follows a listing to its end, one request a step. After an error it stays failed: what it gave is not the whole.
#[derive(Debug)]
pub struct Walk<T> {
    client: Client,
    request: Request,
    state: State,
    used: HashSet<Cursor>,
    item: PhantomData<fn() -> T>,
}

#[derive(Debug)]
enum State {
    Begin,
    At(Cursor),
    End,
    Failed,
}

impl<T: DeserializeOwned> Walk<T> {
    /// The next part of the listing; `None` once it was complete.
    pub async fn next(&mut self) -> Result<Option<Listing<T>>, Error> {
        let cursor = match std::mem::replace(&mut self.state, State::Failed) {
            State::Begin => None,
            State::At(cursor) => Some(cursor),
            State::End => {
                self.state = State::End;
                return Ok(None);
            }
            State::Failed => return Err(malformed("the listing has failed before")),
        };
        let listing: Listing<T> = self.client.list(&self.request, cursor.as_ref()).await?;
        self.state = match &listing.next {
            None => State::End,
            Some(next) if !self.used.insert(next.clone()) => return Err(malformed("a cursor repeats")),
            Some(_) if self.used.len() >= MOST_REQUESTS => return Err(malformed("the listing does not end")),
            Some(next) => State::At(next.clone()),
        };
        Ok(Some(listing))
    }

    /// The rest of the listing at once, for those known to be short.
    pub async fn rest(&mut self) -> Result<Vec<T>, Error> {
        let mut items = Vec::new();
        while let Some(listing) = self.next().await? {
            items.extend(listing.items);
        }
        Ok(items)
    }
}

fn malformed(what: &str) -> Error {
    Error::malformed(what, &RequestId::default())
}

/// The cursor in a link, percent-decoded once, or what is wrong with the link.
fn cursor_of(link: &str, base: &Url, site: Option<&str>) -> Result<Cursor, &'static str> {
    let url = base.join(link).map_err(|_| "a next link is not a link")?;
    let is_site = |site: &str| Url::parse(site).is_ok_and(|site| site.origin() == url.origin());
    if url.origin() != base.origin() && !site.is_some_and(is_site) {
        return Err("a next link leads to a foreign host");
    }
    // A plus is a plus in the vendor's cursors, not a space.
    let query = url.query().unwrap_or_default().replace('+', "%2B");
    let mut cursors = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "cursor");
    match (cursors.next(), cursors.next()) {
        (Some((_, cursor)), None) if !cursor.is_empty() => Ok(Cursor(cursor.into_owned())),
        (Some(_), Some(_)) => Err("a next link has two cursors"),
        _ => Err("a next link has no cursor"),
    }
}

/// The target of `Link: <…>; rel="next"`. On the last page only `rel="base"` is left.
fn next_in_header(answer: &Answer) -> Option<&str> {
    answer.headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok()).find_map(next_in_links)
}

fn next_in_links(mut rest: &str) -> Option<&str> {
    while let Some((_, after)) = rest.split_once('<') {
        let (target, after) = after.split_once('>')?;
        let parameters = after.split('<').next().unwrap_or_default();
        if parameters
            .split([';', ','])
            .any(|parameter| matches!(parameter.trim(), r#"rel="next""# | "rel=next"))
        {
            return Some(target);
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://api.atlassian.com/ex/confluence/c-1/wiki";
    const SITE: &str = "https://x.atlassian.net/wiki";

    fn cursor(link: &str) -> Result<String, &'static str> {
        cursor_of(link, &BASE.parse().unwrap(), Some(SITE)).map(|cursor| cursor.0)
    }

    #[test]
    fn only_the_cursor_is_taken_and_decoded_once() {
        assert_eq!(cursor("/wiki/api/v2/pages?limit=5&cursor=abc").unwrap(), "abc");
        assert_eq!(cursor("/rest/api/search?cql=type%3Dpage&cursor=a%3D%3D").unwrap(), "a==");
        assert_eq!(cursor("/wiki/api/v2/pages?cursor=a%252Bb+c").unwrap(), "a%2Bb+c");
        assert_eq!(cursor("https://x.atlassian.net/wiki/api/v2/pages?cursor=abc").unwrap(), "abc");
        assert_eq!(
            cursor("https://api.atlassian.com/ex/confluence/c-1/wiki/api/v2/pages?cursor=abc").unwrap(),
            "abc"
        );
    }

    #[test]
    fn a_next_link_without_one_cursor_is_refused() {
        for link in ["/wiki/api/v2/pages?limit=5", "/wiki/api/v2/pages?cursor=", "string", ""] {
            assert_eq!(cursor(link), Err("a next link has no cursor"), "{link}");
        }
        assert_eq!(cursor("?cursor=a&cursor=b"), Err("a next link has two cursors"));
    }

    #[test]
    fn a_foreign_host_is_refused() {
        for link in [
            "https://evil.example/wiki/api/v2/pages?cursor=abc",
            "//evil.example/wiki/api/v2/pages?cursor=abc",
            "http://api.atlassian.com/wiki?cursor=abc",
            "https://api.atlassian.com:444/wiki?cursor=abc",
        ] {
            assert_eq!(cursor(link), Err("a next link leads to a foreign host"), "{link}");
        }
    }

    #[test]
    fn the_link_header_is_read_by_its_relation() {
        let both =
            r#"</wiki/api/v2/pages?cursor=a,b>; rel="next", <https://x.atlassian.net/wiki>; rel="base""#;
        assert_eq!(next_in_links(both), Some("/wiki/api/v2/pages?cursor=a,b"));
        let turned = r#"<https://x.atlassian.net/wiki>; rel="base", </p?cursor=c>; rel="next""#;
        assert_eq!(next_in_links(turned), Some("/p?cursor=c"));
        assert_eq!(next_in_links(r#"<https://x.atlassian.net/wiki>; rel="base""#), None);
        assert_eq!(next_in_links("nothing"), None);
    }
}
