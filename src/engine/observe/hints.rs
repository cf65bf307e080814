//! Hints that pages vanished from spaces whose turn to be listed has not come.
//!
//! * The search counts the pages of a space for one point. It counts pages that are no documents, too, such as archived
//!   ones: only that it counts fewer beside the documents than the last time means something.
//! * Then the documents are counted by their ids, group by group, and a group of which some are not found is halved down
//!   to a few. (Halving by dates of creation would take fewer questions, but CQL reads dates by the minute and in the
//!   time zone of the site, and archived pages are in every interval.)
//! * The index lags, and may be wrong. So a hint only decides which documents are asked for by id now, and a question
//!   that is not answered is no trouble: the listings tell in their time.

use std::collections::{BTreeMap, HashMap};

use futures_util::FutureExt;
use sea_orm::ConnectionTrait;

use super::{Observation, absent::Asking};
use crate::{
    confluence::{self, MOST_IDS},
    engine::{
        facts::{Coverage, Known},
        run::Run,
        stop::Stop,
        store::{self, observed},
    },
    entity::{
        selection::{self, SelectionKind, SelectionMode},
        source_space,
    },
};

/// Documents that are not told apart any further: asking for so many by id costs about what telling would.
const FEW: usize = 8;
/// Points that may follow a hint in one run, so that an index that is wrong does not take them all.
const MOST_POINTS: u64 = 2_500;

/// What the search said in one observation.
#[derive(Debug, Default)]
pub(super) struct Hints {
    /// How many pages it counted, by space.
    totals: HashMap<String, i64>,
    /// The keys of those spaces that it counts fewer in than before.
    thinned: HashMap<String, String>,
    /// Whether some that it does not find could not be asked for.
    pub left_open: bool,
}

impl Hints {
    /// How much may be asked on their word in one observation.
    pub fn asking(run: &Run) -> Asking {
        let asking = Asking::of(run);
        Asking { documents: asking.documents.min(MOST_POINTS), ..asking }
    }
}

impl Observation<'_> {
    /// Counts the spaces that were not seen completely now, and compares.
    pub(super) async fn count_spaces(&self) -> Result<Hints, Stop> {
        let mut hints = Hints::default();
        if !self.run.app.settings.confluence_hints || !self.budget.takes_hints() {
            return Ok(hints);
        }
        let (db, source) = (self.run.app.db.read(), self.run.source().id);
        let spaces = observed::spaces(db, source).await?;
        let known = store::documents::counts(db, source).await?;
        for space in spaces.into_values().filter(|space| self.waits_for_its_turn(space)) {
            let Some(total) = self.count_pages(&space.key, None).await? else { break };
            let documents = known.get(&space.space_id).copied().unwrap_or(0);
            if space.search_surplus.is_some_and(|surplus| total < documents + surplus) {
                tracing::debug!(source.id = %source, space = space.key, total, documents, "pages may have vanished");
                hints.thinned.insert(space.space_id.clone(), space.key);
            }
            hints.totals.insert(space.space_id, total);
        }
        Ok(hints)
    }

    /// Whether all that is selected of a space has been loaded, and some of it was not seen now.
    fn waits_for_its_turn(&self, space: &source_space::Model) -> bool {
        let is_of_space = |selection: &&selection::Model| match selection.kind {
            SelectionKind::Page => false,
            SelectionKind::Space => selection.external_id == space.space_id,
            SelectionKind::PageTree | SelectionKind::Folder => {
                selection.space_id.as_ref() == Some(&space.space_id)
            }
        };
        let was_seen = |selection: &selection::Model| {
            matches!(self.coverage.get(&selection.id), Some(Coverage::Complete | Coverage::Gone))
        };
        let included = self.selections.iter().filter(|selection| selection.mode == SelectionMode::Include);
        let included: Vec<_> = included.filter(is_of_space).collect();
        self.visible.contains(&space.space_id)
            && included.iter().any(|selection| !was_seen(selection))
            && included.iter().all(|selection| selection.verified_at.is_some())
    }

    /// Those of some documents that the search does not find, and a few beside them, where it counts fewer pages than
    /// before.
    pub(super) async fn unfound(
        &self,
        documents: Vec<Known>,
        asking: &mut Asking,
    ) -> Result<Vec<Known>, Stop> {
        let mut by_key: BTreeMap<&str, Vec<Known>> = BTreeMap::new();
        for document in documents {
            if let Some(key) = self.hints.thinned.get(&document.space_id) {
                by_key.entry(key).or_default().push(document);
            }
        }
        let mut unfound = Vec::new();
        for (key, documents) in by_key {
            let mut groups = Vec::new();
            for group in documents.chunks(MOST_IDS) {
                groups.extend(self.count_group(key, group, asking).await?);
            }
            while let Some((group, found)) = groups.pop() {
                if found >= group.len() {
                    continue;
                }
                if found == 0 || group.len() <= FEW {
                    unfound.extend_from_slice(group);
                    continue;
                }
                let (half, rest) = group.split_at(group.len() / 2);
                if let Some((half, in_half)) = self.count_group(key, half, asking).await? {
                    groups.extend([(half, in_half), (rest, found.saturating_sub(in_half))]);
                }
            }
        }
        Ok(unfound)
    }

    /// A group of documents with how many of them the search finds; absent if it is not asked or does not answer.
    async fn count_group<'a>(
        &self,
        space_key: &str,
        group: &'a [Known],
        asking: &mut Asking,
    ) -> Result<Option<(&'a [Known], usize)>, Stop> {
        let ids: Vec<String> = group.iter().map(|document| document.page_id.clone()).collect();
        let total = if asking.asks() { self.count_pages(space_key, Some(&ids)).await? } else { None };
        asking.left_some |= total.is_none();
        Ok(total.map(|total| (group, usize::try_from(total).unwrap_or(0))))
    }

    async fn count_pages(&self, space_key: &str, among: Option<&[String]>) -> Result<Option<i64>, Stop> {
        let answer = self.run.ask(|client| async move { client.count_pages(space_key, among).await }.boxed());
        match answer.await? {
            Ok(total) => Ok(Some(i64::try_from(total).unwrap_or(i64::MAX))),
            Err(error @ confluence::Error::RateLimited { .. }) => Err(error.into()),
            Err(error) => {
                tracing::warn!(source.id = %self.run.source().id, %error, "the search gives no hint");
                Ok(None)
            }
        }
    }

    /// Keeps what the search counted beside the documents; not where some that it does not find are still to be asked for.
    pub(super) async fn keep_hints(&self, tx: &impl ConnectionTrait) -> Result<(), Stop> {
        let hints = &self.hints;
        if hints.totals.is_empty() {
            return Ok(());
        }
        let source = self.run.source().id;
        let known = store::documents::counts(tx, source).await?;
        for (space, total) in &hints.totals {
            if !hints.left_open || !hints.thinned.contains_key(space) {
                let documents = known.get(space).copied().unwrap_or(0);
                observed::keep_surplus(tx, source, space, total - documents).await?;
            }
        }
        Ok(())
    }
}
