//! Read restrictions, of which v2 knows nothing: the expansion of a v1 search, or a single read.
//!
//! What is answered is about the node itself. Restrictions are inherited: what is above it has to be asked about, too.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::listing::Request;
use super::search::quoted;
use super::{Client, Error, MOST_IDS, Walk, is_path_id, parse};

/// The names of readers, who are only counted.
const EXPAND: &str = "restrictions.read.restrictions.user,restrictions.read.restrictions.group";
/// Pages asked for in one step through whole spaces: the vendor answers as many of them as it likes. Each costs a point.
pub const MOST_FOUND: usize = 1_000;

/// A page or folder as a search tells of it.
#[derive(Debug, Deserialize)]
pub struct Guarded {
    id: String,
    restrictions: Option<Operations>,
}

#[derive(Debug, Deserialize)]
struct Operations {
    read: Option<Restriction>,
}

/// Who may do one thing with a page; nobody is named where everybody may.
#[derive(Debug, Deserialize)]
struct Restriction {
    restrictions: Who,
}

#[derive(Debug, Deserialize)]
struct Who {
    user: Named,
    group: Named,
}

#[derive(Debug, Deserialize)]
struct Named {
    results: Vec<Value>,
}

impl Guarded {
    /// Its id, and whether reading it is restricted on itself; nothing where the answer does not tell.
    #[must_use]
    pub fn restricted(self) -> Option<(String, bool)> {
        let restricted = self.restrictions?.read?.named() > 0;
        Some((self.id, restricted))
    }
}

impl Restriction {
    fn named(&self) -> usize {
        self.restrictions.user.results.len() + self.restrictions.group.results.len()
    }
}

impl Client {
    /// All pages of these spaces as the index knows them, the oldest first, one request a step.
    #[must_use]
    pub fn walk_restrictions(&self, space_keys: &[&str]) -> Walk<Guarded> {
        let keys: Vec<String> = space_keys.iter().map(|key| quoted(key)).collect();
        let cql = format!("space in ({}) and type = page order by created", keys.join(","));
        self.walk(search(cql, MOST_FOUND))
    }

    /// Which of at most [`MOST_IDS`] pages are restricted on themselves. Ids that are not answered are not known: the
    /// index lags, the account does not see them, or the vendor answers fewer than were asked for. One page can spoil the
    /// answer for all. Costs a point for each page.
    pub async fn read_restrictions(&self, ids: &[String]) -> Result<HashMap<String, bool>, Error> {
        if ids.len() > MOST_IDS || !ids.iter().all(|id| is_path_id(id)) {
            return Err(Error::refused("invalid_ids", "at most 250 ids can be asked for at once"));
        }
        let request = search(format!("id in ({})", ids.join(",")), ids.len());
        let found = self.list::<Guarded>(&request, None).await?.items;
        Ok(found.into_iter().filter_map(Guarded::restricted).collect())
    }

    /// Whether reading this page (or folder) is restricted on the node itself. Costs up to 5 points.
    pub async fn is_read_restricted(&self, id: &str) -> Result<bool, Error> {
        let path = ["rest", "api", "content", id, "restriction", "byOperation", "read"];
        let answer = self.get(&path, &[("limit", "1".to_owned())]).await?;
        let named = parse::<Restriction>(&answer)?.named();
        self.meter.spend(2 * named as u64);
        Ok(named > 0)
    }
}

fn search(cql: String, limit: usize) -> Request {
    let path = ["rest", "api", "content", "search"].map(str::to_owned).to_vec();
    let query = vec![("cql", cql), ("limit", limit.to_string()), ("expand", EXPAND.to_owned())];
    Request { path, query }
}
