//! Listings and the walk along them: each part begins after an item of the part before.
//!
//! * never delete while walking: some servers begin anew when the item to go on from is gone;
//! * a part that goes on after an item already used, or that begins the listing anew, fails the walk;
//! * a walk ends: after its last part, at an error, or at a cap on requests.

use std::collections::HashSet;
use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Client, Error, RequestId, parse};

/// More requests than any listing of ours needs: 100 a request, a million items.
const MOST_REQUESTS: usize = 10_000;

/// An item that a listing can go on after.
pub trait Listed {
    fn id(&self) -> &str;
}

/// One answer of a listing.
#[derive(Clone, Debug)]
pub struct Listing<T> {
    pub items: Vec<T>,
    /// Set when there is more: the id to go on after.
    pub after: Option<String>,
    /// The vendor's clock when it answered.
    pub date: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: Vec<T>,
    has_more: Option<bool>,
}

/// What is listed: a path below the version and the parameters that every request repeats.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub path: Vec<String>,
    pub query: Vec<(&'static str, String)>,
    pub limit: usize,
}

impl Client {
    pub(super) async fn list<T: DeserializeOwned + Listed>(
        &self,
        request: &Request,
        after: Option<&str>,
    ) -> Result<Listing<T>, Error> {
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        let mut query = request.query.clone();
        query.push(("limit", request.limit.to_string()));
        query.extend(after.map(|id| ("after", id.to_owned())));
        let answer = self.get(&path, &query).await?;
        let Envelope { data, has_more } = parse::<Envelope<T>>(&answer)?;
        // A server that does not say is asked until it has nothing left.
        let more = has_more.unwrap_or(data.len() >= request.limit);
        let last = data.last().map(|item| item.id().to_owned());
        if more && last.is_none() {
            return Err(Error::malformed("a listing is empty but has more", &answer.request_id));
        }
        Ok(Listing { items: data, after: last.filter(|_| more), date: answer.date() })
    }

    pub(super) fn walk<T>(&self, request: Request) -> Walk<T> {
        Walk { client: self.clone(), request, state: State::Begin, used: HashSet::new(), item: PhantomData }
    }
}

/// Follows a listing to its end, one request a step. After an error it stays failed: what it gave is not the whole.
#[derive(Debug)]
pub struct Walk<T> {
    client: Client,
    request: Request,
    state: State,
    /// The very first id and every id that the listing went on after.
    used: HashSet<String>,
    item: PhantomData<fn() -> T>,
}

#[derive(Debug)]
enum State {
    Begin,
    After(String),
    End,
    Failed,
}

impl<T: DeserializeOwned + Listed> Walk<T> {
    /// The next part of the listing; `None` once it was complete.
    pub async fn next(&mut self) -> Result<Option<Listing<T>>, Error> {
        let after = match std::mem::replace(&mut self.state, State::Failed) {
            State::Begin => None,
            State::After(id) => Some(id),
            State::End => {
                self.state = State::End;
                return Ok(None);
            }
            State::Failed => return Err(malformed("the listing has failed before")),
        };
        let listing: Listing<T> = self.client.list(&self.request, after.as_deref()).await?;
        if listing.items.iter().any(|item| self.used.contains(item.id())) {
            return Err(malformed("a listing repeats itself"));
        }
        if after.is_none() {
            self.used.extend(listing.items.first().map(|item| item.id().to_owned()));
        }
        self.used.extend(listing.after.clone());
        self.state = match &listing.after {
            None => State::End,
            Some(_) if self.used.len() > MOST_REQUESTS => return Err(malformed("the listing does not end")),
            Some(id) => State::After(id.clone()),
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
