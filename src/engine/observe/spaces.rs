//! Lists the included spaces, and keeps what is seen part by part.
//!
//! * A space that the points (or the time) of a run do not list to its end is gone on with in a later run.
//! * How far it came is persisted when the observation is over and what the piece did not show has been asked for by id:
//!   a run that dies repeats its piece, and concludes nothing twice.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use tokio::time::Instant;

use super::Observation;
use crate::{
    confluence::{Cursor, Error as E, Listing, Page, PageQuery, Sort, Status},
    engine::{
        facts::Coverage,
        pieces::{self, Piece},
        stop::Stop,
        store::observed,
    },
    entity::selection::{self, SelectionKind, SelectionMode, Stretch},
    ids::SelectionId,
};

/// What one observation listed of spaces that are too large to be listed at once.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    spaces: HashMap<SelectionId, Piece>,
    /// Whether documents that they did not show could not all be asked for.
    pub left_open: bool,
    /// Whether such a document was neither seen nor proven to leave.
    pub some_unseen: bool,
}

impl Pieces {
    pub fn is_empty(&self) -> bool {
        self.spaces.is_empty()
    }

    /// The piece that was listed of a space.
    pub fn of(&self, space: SelectionId) -> Option<&Piece> {
        self.spaces.get(&space)
    }
}

impl Observation<'_> {
    /// Lists the included spaces whose turn it is, those first that were listed longest ago.
    pub(super) async fn list_spaces(&mut self) -> Result<(), Stop> {
        let mut due: Vec<selection::Model> = self
            .of_kind(SelectionKind::Space)
            .filter(|selection| selection.mode == SelectionMode::Include)
            .filter(|selection| !self.coverage.contains_key(&selection.id))
            .cloned()
            .collect();
        due.sort_by_key(|space| {
            space.listing.as_ref().map(|listing| listing.spent_until).or(space.verified_at)
        });
        for space in due {
            let left = self.run.allowance.map_or(u64::MAX, |points| points.saturating_sub(self.listed));
            let share = self.budget.share(&space, self.run.now()).unwrap_or(0).min(left);
            let coverage = if share > 0 { self.list_space(&space, share).await? } else { Coverage::Partial };
            self.coverage.insert(space.id, coverage);
        }
        Ok(())
    }

    /// Lists a space, from where it was left to its end or for so many points: at least one part of it.
    async fn list_space(&mut self, space: &selection::Model, share: u64) -> Result<Coverage, Stop> {
        let query = PageQuery {
            space_ids: vec![space.external_id.clone()],
            statuses: vec![Status::Current],
            sort: Some(Sort::Id),
            ..PageQuery::default()
        };
        let ends_at = Instant::now() + self.run.app.settings.timing.run_deadline / 2;
        // Exclusions that may lie inside were walked for this, so it has to be worth that.
        let share = share.max(self.points_of_exclusions);
        let mut piece = Piece::default();
        let mut cursor = None;
        if let Some((from, after)) = pieces::position(space.listing.as_ref(), self.run.now()) {
            (cursor, piece.after) = (Some(Cursor::new(from)), after);
        }
        let mut walk = self.run.access.client().await?.walk_pages_from(&query, cursor);
        loop {
            if self.run.is_halted() {
                return Err(Stop::HandOver);
            }
            let listing = match walk.next().await {
                Ok(Some(listing)) => listing,
                Ok(None) => break,
                Err(E::CursorExpired { .. }) if piece.after.is_some() && piece.points == 0 => {
                    piece = Piece { points: 1, ..Piece::default() };
                    walk = self.run.access.client().await?.walk_pages(&query);
                    continue;
                }
                Err(error) => return self.interrupted(error, &space.title).await,
            };
            let next = listing.next.clone();
            let before = piece.points;
            self.take_in(&mut piece, listing).await?;
            if self.budget.is_urgent(space) {
                self.run.take(usize::try_from(piece.points - before).unwrap_or(usize::MAX));
            }
            // The next part is as large as this one, or smaller.
            let is_used_up =
                2 * piece.points - before > share || Instant::now() >= ends_at || self.run.is_near_limit();
            if let Some(next) = next.filter(|_| is_used_up && piece.to.is_some()) {
                piece.cursor = Some(next.as_str().to_owned());
                self.pieces.spaces.insert(space.id, piece);
                return Ok(Coverage::Partial);
            }
        }
        piece.to = None;
        if piece.after.is_some() {
            self.pieces.spaces.insert(space.id, piece);
            return Ok(Coverage::Partial);
        }
        self.begin_feed(space, piece.date).await?;
        Ok(Coverage::Complete)
    }

    /// From where a listing began the feed tells what changes.
    async fn begin_feed(&self, space: &selection::Model, date: Option<DateTime<Utc>>) -> Result<(), Stop> {
        let Some(date) = date.filter(|_| self.run.persists_all()) else { return Ok(()) };
        let tx = self.run.begin().await?;
        observed::advance(&tx, self.run.source().id, std::slice::from_ref(&space.external_id), date).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Persists how far spaces were listed by pieces: what changes from the first one on is shown by the feed.
    pub(super) async fn keep_pieces(&self, tx: &impl ConnectionTrait) -> Result<(), Stop> {
        // What was not asked for would not be missed again before the next time around.
        if self.pieces.left_open {
            return Ok(());
        }
        let now = self.run.now();
        let account = self.run.access.account_id().filter(|_| !self.pieces.some_unseen);
        for space in &self.selections {
            let Some(piece) = self.pieces.of(space.id) else { continue };
            let stretch = Stretch { to: piece.to.clone(), at: now, account: account.map(str::to_owned) };
            let spent_until = self.budget.spent_until(space, piece.points + self.points_of_exclusions, now);
            let listing = pieces::add(space.listing.as_ref(), piece, stretch, spent_until);
            observed::keep_listing(tx, space.id, &listing, pieces::verified_at(&listing)).await?;
            let has_feed = self.spaces.get(&space.external_id).is_some_and(|space| space.watermark.is_some());
            if let Some(date) = piece.date.filter(|_| !has_feed && piece.after.is_none()) {
                let spaces = std::slice::from_ref(&space.external_id);
                observed::advance(tx, self.run.source().id, spaces, date).await?;
            }
        }
        Ok(())
    }

    /// Takes in one part of the listing of a space.
    async fn take_in(&mut self, piece: &mut Piece, listing: Listing<Page>) -> Result<(), Stop> {
        piece.date = piece.date.or(listing.date);
        let points = 1 + listing.items.len() as u64;
        piece.points += points;
        self.listed += points;
        piece.extend(listing.items.iter().map(|page| page.id.as_str()));
        let facts = listing.items.into_iter().filter_map(|page| self.fact(page)).collect();
        self.absorb(facts).await
    }
}
