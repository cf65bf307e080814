//! Reads the feed: what changed in the watched spaces since the watermark, newest first, as little as possible.
//!
//! * A limit belongs to a cursor, so a deeper look begins anew: 5 pages, 50, then all by 250.
//! * The watermark is Confluence's clock. Ten minutes before it are read again: commits may arrive out of order.
//! * It moves only after everything newer was persisted.

use futures_util::FutureExt;
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::Observation;
use crate::{
    confluence::{Listing, MOST_SPACES, Page, PageQuery, Sort, Status},
    engine::{
        facts::Fact,
        stop::Stop,
        store::{self, observed},
    },
    entity::selection::{SelectionKind, SelectionMode},
};

/// How far before the watermark the feed is read again.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);
/// More changes than this are found by a complete listing instead.
const MOST_CHANGES: usize = 2_000;

/// What the feed showed.
#[derive(Debug, Default)]
pub(super) struct Feed {
    /// Pages with a version that is not known yet.
    pub changed: Vec<Fact>,
    /// Spaces whose feed was read back to their mark, and Confluence's time when that began.
    pub read: Vec<(Vec<String>, DateTime<Utc>)>,
}

impl Observation<'_> {
    /// Reads the feed of every watched space that was listed completely before.
    pub(super) async fn read_feed(&self) -> Result<Feed, Stop> {
        let marks = self.marks();
        let mut spaces: Vec<String> = marks.keys().cloned().collect();
        spaces.sort_unstable();
        let mut feed = Feed::default();
        for some in spaces.chunks(MOST_SPACES) {
            let Some(mark) = some.iter().filter_map(|space| marks.get(space)).min() else { continue };
            if let Some(date) = self.read_part(some, *mark, &mut feed.changed).await? {
                feed.read.push((some.to_vec(), date));
            }
        }
        Ok(feed)
    }

    /// Persists what the feed showed, then moves the watermarks.
    pub(super) async fn absorb_feed(&mut self, feed: Feed) -> Result<(), Stop> {
        self.absorb(feed.changed).await?;
        if feed.read.is_empty() || !self.run.persists_all() {
            return Ok(());
        }
        let tx = self.run.begin().await?;
        for (spaces, date) in feed.read {
            observed::advance(&tx, self.run.source().id, &spaces, date).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Where the feed of each watched space may stop.
    fn marks(&self) -> HashMap<String, DateTime<Utc>> {
        let watched: HashSet<&str> = self
            .selections
            .iter()
            .filter(|selection| selection.mode == SelectionMode::Include)
            .filter_map(|selection| match selection.kind {
                SelectionKind::Space => Some(selection.external_id.as_str()),
                SelectionKind::PageTree | SelectionKind::Folder => selection.space_id.as_deref(),
                SelectionKind::Page => None,
            })
            .collect();
        let marked = self.spaces.values().filter(|space| watched.contains(space.space_id.as_str()));
        marked.filter_map(|space| Some((space.space_id.clone(), space.watermark? - OVERLAP))).collect()
    }

    /// Reads one feed of up to a hundred spaces; answers Confluence's time if it was read back to the mark.
    async fn read_part(
        &self,
        spaces: &[String],
        mark: DateTime<Utc>,
        changed: &mut Vec<Fact>,
    ) -> Result<Option<DateTime<Utc>>, Stop> {
        let query = |limit| PageQuery {
            space_ids: spaces.to_vec(),
            statuses: vec![Status::Current],
            sort: Some(Sort::NewestChangeFirst),
            limit,
            ..PageQuery::default()
        };
        for limit in [5, 50] {
            let query = query(limit);
            let listing = self.run.ask(|client| {
                let query = query.clone();
                async move { client.pages_once(&query, None).await }.boxed()
            });
            let listing = match listing.await? {
                Ok(listing) => listing,
                Err(error) => return self.interrupted(error, "feed").await.map(|_| None),
            };
            let date = listing.date;
            if reaches(&listing, mark) {
                changed.extend(self.unknown(listing).await?);
                return Ok(date);
            }
            if self.will_be_listed(spaces) {
                changed.extend(self.unknown(listing).await?);
                return Ok(None);
            }
        }
        self.walk_feed(&query(250), mark, changed).await
    }

    async fn walk_feed(
        &self,
        query: &PageQuery,
        mark: DateTime<Utc>,
        changed: &mut Vec<Fact>,
    ) -> Result<Option<DateTime<Utc>>, Stop> {
        let mut walk = self.run.access.client().await?.walk_pages(query);
        let mut date = None;
        loop {
            match walk.next().await {
                Ok(Some(listing)) => {
                    date = date.or(listing.date);
                    let done = reaches(&listing, mark);
                    changed.extend(self.unknown(listing).await?);
                    if done {
                        return Ok(date);
                    }
                    if changed.len() > MOST_CHANGES {
                        self.budget.force();
                        return Ok(None);
                    }
                }
                Ok(None) => return Ok(date),
                Err(error) => return self.interrupted(error, "feed").await.map(|_| None),
            }
        }
    }

    /// Whether every one of these spaces is listed completely in this observation anyway.
    fn will_be_listed(&self, spaces: &[String]) -> bool {
        let listed = |space: &String| {
            self.of_kind(SelectionKind::Space)
                .any(|s| s.external_id == *space && self.budget.lists_whole(s, self.run.now()))
        };
        spaces.iter().all(listed)
    }

    /// The pages of a listing whose version is not known yet.
    async fn unknown(&self, listing: Listing<Page>) -> Result<Vec<Fact>, Stop> {
        let facts: Vec<Fact> = listing.items.into_iter().filter_map(|page| self.fact(page)).collect();
        let ids: Vec<&str> = facts.iter().map(|fact| fact.page_id.as_str()).collect();
        let known = store::documents::by_pages(self.run.app.db.read(), self.run.source().id, &ids).await?;
        let is_known = |fact: &Fact| {
            known
                .get(&fact.page_id)
                .is_some_and(|document| document.is_present() && document.wanted_version >= fact.version)
        };
        Ok(facts.into_iter().filter(|fact| !is_known(fact)).collect())
    }
}

/// Whether a newest-first listing goes back far enough: it is over, or it ends, in order, before the mark.
fn reaches(listing: &Listing<Page>, mark: DateTime<Utc>) -> bool {
    let in_order =
        listing.items.is_sorted_by(|one, other| one.version.created_at >= other.version.created_at);
    let before = listing.items.last().is_some_and(|page| page.version.created_at < mark);
    listing.next.is_none() || (in_order && before)
}
