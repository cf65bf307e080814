//! Spaces: listed, looked up, and used to see whether a connection is healthy.

use super::listing::Request;
use super::wire::Space;
use super::{Client, Cursor, Error, Listing, Walk, parse};

/// Which spaces to list. Empty fields do not filter.
#[derive(Clone, Debug)]
pub struct SpaceQuery {
    /// At most 250.
    pub ids: Vec<String>,
    /// At most 250.
    pub keys: Vec<String>,
    /// `current` or `archived`.
    pub status: Option<&'static str>,
    /// 1 to 250.
    pub limit: u32,
}

impl Default for SpaceQuery {
    fn default() -> Self {
        Self { ids: Vec::new(), keys: Vec::new(), status: None, limit: 250 }
    }
}

impl SpaceQuery {
    fn request(&self) -> Request {
        let mut query: Vec<(&'static str, String)> = Vec::new();
        query.extend(self.ids.iter().map(|id| ("ids", id.clone())));
        query.extend(self.keys.iter().map(|key| ("keys", key.clone())));
        query.extend(self.status.map(|status| ("status", status.to_owned())));
        query.push(("limit", self.limit.to_string()));
        Request { path: ["api", "v2", "spaces"].map(str::to_owned).to_vec(), query }
    }
}

impl Client {
    /// One request of a listing of the spaces that the account sees. With `limit` 1 it is the cheapest sign of a
    /// healthy connection.
    pub async fn spaces(&self, query: &SpaceQuery, cursor: Option<&Cursor>) -> Result<Listing<Space>, Error> {
        self.list(&query.request(), cursor).await
    }

    #[must_use]
    pub fn walk_spaces(&self, query: &SpaceQuery) -> Walk<Space> {
        self.walk(query.request())
    }

    pub async fn space(&self, id: &str) -> Result<Space, Error> {
        let answer = self.get(&["api", "v2", "spaces", id], &[]).await?;
        self.meter.spend(1);
        parse(&answer)
    }
}
