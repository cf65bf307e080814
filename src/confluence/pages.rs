//! Pages: the listing that everything else is built on, and reads by id.

use std::collections::HashSet;

use super::listing::Request;
use super::wire::{Page, Status};
use super::{Client, Cursor, Error, Listing, RequestId, Walk, parse};

/// The vendor's limit on ids in one request.
pub const MOST_IDS: usize = 250;
/// The vendor's limit on spaces in one request.
pub const MOST_SPACES: usize = 100;

/// Orders that we ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    Id,
    NewestChangeFirst,
    OldestCreationFirst,
    Title,
}

impl Sort {
    fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::NewestChangeFirst => "-modified-date",
            Self::OldestCreationFirst => "created-date",
            Self::Title => "title",
        }
    }
}

/// Which pages to list. Empty fields do not filter; without `statuses` the vendor lists current and archived pages.
#[derive(Clone, Debug)]
pub struct PageQuery {
    /// At most [`MOST_IDS`].
    pub ids: Vec<String>,
    /// At most [`MOST_SPACES`].
    pub space_ids: Vec<String>,
    pub statuses: Vec<Status>,
    /// The whole title, not a part of it.
    pub title: Option<String>,
    pub sort: Option<Sort>,
    /// Whether the storage format comes along. A big answer: 25 to 50 pages at a time.
    pub with_body: bool,
    /// 1 to 250.
    pub limit: u32,
}

impl Default for PageQuery {
    fn default() -> Self {
        Self {
            ids: Vec::new(),
            space_ids: Vec::new(),
            statuses: Vec::new(),
            title: None,
            sort: None,
            with_body: false,
            limit: 250,
        }
    }
}

impl PageQuery {
    fn request(&self) -> Request {
        let mut query: Vec<(&'static str, String)> = Vec::new();
        query.extend(self.ids.iter().map(|id| ("id", id.clone())));
        query.extend(self.space_ids.iter().map(|id| ("space-id", id.clone())));
        query.extend(self.statuses.iter().map(|status| ("status", status.as_str().to_owned())));
        query.extend(self.title.iter().map(|title| ("title", title.clone())));
        query.extend(self.sort.map(|sort| ("sort", sort.as_str().to_owned())));
        if self.with_body {
            query.push(("body-format", "storage".to_owned()));
        }
        query.push(("limit", self.limit.to_string()));
        Request { path: ["api", "v2", "pages"].map(str::to_owned).to_vec(), query }
    }
}

impl Client {
    /// The whole listing, one request a step. Pages can repeat when others are edited meanwhile; invisible ones are
    /// left out without a word.
    #[must_use]
    pub fn walk_pages(&self, query: &PageQuery) -> Walk<Page> {
        self.walk_pages_from(query, None)
    }

    /// The rest of a listing, from a cursor that an earlier walk of the same query came to.
    #[must_use]
    pub fn walk_pages_from(&self, query: &PageQuery, cursor: Option<Cursor>) -> Walk<Page> {
        self.walk_from(query.request(), cursor)
    }

    /// One request of a listing. A cursor belongs to the query it came from: change nothing in it.
    pub async fn pages_once(
        &self,
        query: &PageQuery,
        cursor: Option<&Cursor>,
    ) -> Result<Listing<Page>, Error> {
        self.list(&query.request(), cursor).await
    }

    /// One request of the current pages at the top of a space. What else is there (folders, say) has no such listing.
    pub async fn root_pages(
        &self,
        space_id: &str,
        limit: u32,
        cursor: Option<&Cursor>,
    ) -> Result<Listing<Page>, Error> {
        let query = [("depth", "root"), ("status", Status::Current.as_str())];
        let mut query: Vec<_> = query.map(|(name, value)| (name, value.to_owned())).to_vec();
        query.push(("limit", limit.to_string()));
        let path = ["api", "v2", "spaces", space_id, "pages"].map(str::to_owned).to_vec();
        self.list(&Request { path, query }, cursor).await
    }

    /// One page, without its body. A trashed page is still answered, with its status; `NotFound` is purged, hidden or
    /// an expired token.
    pub async fn page(&self, id: &str) -> Result<Page, Error> {
        let answer = self.get(&["api", "v2", "pages", id], &[]).await?;
        self.meter.spend(1);
        let page: Page = parse(&answer)?;
        if page.id == id {
            Ok(page)
        } else {
            Err(Error::malformed("another page was answered", &answer.request_id))
        }
    }

    /// Those of at most [`MOST_IDS`] pages that the account sees in one of `statuses`, each once, in no order that
    /// means anything. No request at all for no ids.
    pub async fn pages_by_id(
        &self,
        ids: &[String],
        statuses: &[Status],
        with_body: bool,
    ) -> Result<Vec<Page>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        if ids.len() > MOST_IDS {
            return Err(Error::refused("too_many_ids", "at most 250 ids can be read at once"));
        }
        let mut missing: HashSet<&str> = ids.iter().map(String::as_str).collect();
        let asked = missing.clone();
        let query =
            PageQuery { ids: ids.to_vec(), statuses: statuses.to_vec(), with_body, ..PageQuery::default() };
        let mut walk = self.walk_pages(&query);
        let mut pages = Vec::with_capacity(asked.len());
        // One request holds them all, unless the vendor shortens it; then the rest is not missing but still to come.
        while !missing.is_empty()
            && let Some(listing) = walk.next().await?
        {
            for page in listing.items {
                if !asked.contains(page.id.as_str()) {
                    return Err(Error::malformed(
                        "a page was answered that was not asked for",
                        &RequestId::default(),
                    ));
                }
                if missing.remove(page.id.as_str()) {
                    pages.push(page);
                }
            }
        }
        Ok(pages)
    }
}
