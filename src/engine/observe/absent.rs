//! Looks for documents whose pages were not shown: each is asked for by its id before anything is concluded.

use futures_util::FutureExt;
use std::collections::{HashMap, HashSet};

use chrono::TimeDelta;

use super::{Observation, hints::Hints};
use crate::{
    confluence::{MOST_IDS, Node, Page, Status},
    engine::{
        facts::{Coverage, Fact, Known, Verdict},
        pieces,
        plan::{self, Found, Origin},
        run::Run,
        stop::Stop,
        store,
    },
    entity::{
        document::DocumentState,
        selection::{self, SelectionKind, SelectionMode, SelectionStatus},
    },
    ids::{DocumentId, SelectionId},
};

/// Documents read at once.
const PART: u64 = 1_000;
/// Suspects looked at in one run.
const MOST_SUSPECTS: u64 = 1_000;
/// Pages asked for one by one in one run; the others stay as they are until the next.
const MOST_SINGLES: usize = 200;
/// And of these, suspects: they must not keep pages that went away just now from being asked for.
const MOST_SINGLE_SUSPECTS: usize = 100;
/// A space or site that has not answered for so long offers a hold.
const UNREACHABLE: TimeDelta = TimeDelta::hours(24);

/// How much may still be asked in one observation; the others are asked for in the next.
pub(super) struct Asking {
    /// Pages asked for one by one.
    pub singles: usize,
    /// Documents asked for at all.
    pub documents: u64,
    /// Whether some were not asked for.
    pub left_some: bool,
}

impl Asking {
    pub fn of(run: &Run) -> Self {
        let documents = run.allowance.map_or(u64::MAX, |points| points.max(1));
        Self { singles: MOST_SINGLES, documents, left_some: false }
    }

    /// Whether one more question, which costs as much as a document, may be asked.
    pub fn asks(&mut self) -> bool {
        let asks = self.documents > 0;
        self.documents = self.documents.saturating_sub(1);
        asks
    }

    /// Whether one more page may be asked for by itself.
    fn asks_singly(&mut self) -> bool {
        self.left_some |= self.singles == 0;
        let asks = self.singles > 0;
        self.singles = self.singles.saturating_sub(1);
        asks
    }
}

impl Observation<'_> {
    /// Judges every document that a complete scope did not show, and every suspect.
    pub(super) async fn look_for_absent(&mut self) -> Result<(), Stop> {
        let mut asking = Asking { singles: MOST_SINGLE_SUSPECTS, ..Asking::of(self.run) };
        let mut of_pieces = Asking::of(self.run);
        let mut of_hints = Hints::asking(self.run);
        let db = self.run.app.db.clone();
        let source = self.run.source().id;
        let suspects = store::documents::suspects(db.read(), source, MOST_SUSPECTS).await?;
        let suspects =
            suspects.into_iter().filter(|document| !self.seen.contains(&document.page_id)).collect();
        let suspects = self.offer_unreachable(suspects).await?;
        self.some_unseen |= !self.look_up(suspects, &mut asking).await?;
        asking.singles += MOST_SINGLES - MOST_SINGLE_SUSPECTS;
        let held = store::holds::held(db.read(), source).await?;
        let held: HashMap<DocumentId, bool> =
            held.into_iter().map(|held| (held.document, held.approved)).collect();
        let mut after = None;
        loop {
            let documents = store::documents::present_after(db.read(), source, after, PART).await?;
            let Some(last) = documents.last() else { break };
            after = Some(last.id);
            let unseen: Vec<Known> = documents
                .into_iter()
                .filter(|document| document.state != DocumentState::Suspect)
                .filter(|document| !self.seen.contains(&document.page_id))
                .collect();
            let removed: HashSet<_> = self.removals.iter().map(|removal| removal.document).collect();
            let unseen = unseen.into_iter().filter(|document| !removed.contains(&document.id)).collect();
            let unseen = self.offer_unreachable(unseen).await?;
            let (missing, elsewhere): (Vec<_>, Vec<_>) = unseen.into_iter().partition(|document| {
                held.get(&document.id) == Some(&true) || self.should_have_been_seen(document)
            });
            let (missing_in_pieces, elsewhere): (Vec<_>, Vec<_>) =
                elsewhere.into_iter().partition(|document| self.is_missing_in_piece(document));
            self.some_unseen |= elsewhere.iter().any(|document| !self.was_seen_in_piece(document));
            self.some_unseen |= !self.look_up(missing, &mut asking).await?;
            self.pieces.some_unseen |= !self.look_up(missing_in_pieces, &mut of_pieces).await?;
            let undecided = elsewhere.into_iter().filter(|document| !held.contains_key(&document.id));
            let unfound = self.unfound(undecided.collect(), &mut of_hints).await?;
            self.look_up(unfound, &mut of_hints).await?;
        }
        self.hints.left_open = of_hints.left_some;
        self.pieces.left_open = of_pieces.left_some;
        self.some_unseen |= self.pieces.some_unseen;
        Ok(())
    }

    /// Whether the piece of a space that was listed now should have shown a document.
    fn is_missing_in_piece(&self, document: &Known) -> bool {
        let piece = document.selection_id.and_then(|selection| self.pieces.of(selection));
        piece.is_some_and(|piece| piece.holds(&document.page_id))
    }

    /// Whether the account of this run saw a document in a piece that was listed before.
    fn was_seen_in_piece(&self, document: &Known) -> bool {
        let listing = self.selection(document).and_then(|selection| selection.listing.as_ref());
        let account = self.run.access.account_id();
        listing
            .zip(account)
            .is_some_and(|(listing, account)| pieces::was_seen_by(listing, &document.page_id, account))
    }

    fn origin(&self, document: &Known) -> Origin {
        match self.selection(document) {
            None => Origin::Deselected,
            Some(_) if self.is_taken_out(document) => Origin::Deselected,
            Some(selection) if self.coverage.get(&selection.id) == Some(&Coverage::Gone) => Origin::RootGone,
            Some(_) => Origin::Stands,
        }
    }

    fn selection(&self, document: &Known) -> Option<&selection::Model> {
        self.selections.iter().find(|selection| Some(selection.id) == document.selection_id)
    }

    /// Whether the scope that brought a document in was seen completely, is gone, or is no longer selected.
    fn should_have_been_seen(&self, document: &Known) -> bool {
        let is_seen = |selection: &selection::Model| {
            matches!(self.coverage.get(&selection.id), Some(Coverage::Complete | Coverage::Gone))
        };
        self.is_taken_out(document) || self.selection(document).is_none_or(is_seen)
    }

    /// Whether a person has excluded the page since the last observation: that holds though nobody sees it.
    fn is_taken_out(&self, document: &Known) -> bool {
        let in_unseen_tree = self.unseen_trees().any(|tree| Some(tree.id) == document.selection_id);
        match self.verdict(&document.page_id, &document.space_id) {
            Verdict::Excluded(exclusion) => !in_unseen_tree && !self.standing.contains(&exclusion),
            Verdict::Wanted(_) | Verdict::Outside | Verdict::Unclear => false,
        }
    }

    /// Takes out the documents of scopes that have not answered for a day, as removals for a person to decide.
    async fn offer_unreachable(&mut self, documents: Vec<Known>) -> Result<Vec<Known>, Stop> {
        let now = self.run.now();
        let lost: HashSet<SelectionId> = self
            .selections
            .iter()
            .filter(|selection| selection.status == SelectionStatus::Unreachable)
            .filter(|selection| self.coverage.get(&selection.id) == Some(&Coverage::Partial))
            .filter(|selection| !self.is_visible_space(selection))
            .filter(|selection| selection.problem_since.is_some_and(|since| now - since >= UNREACHABLE))
            .map(|selection| selection.id)
            .collect();
        let is_lost =
            |document: &Known| document.selection_id.is_some_and(|selection| lost.contains(&selection));
        let (offered, others): (Vec<_>, Vec<_>) = documents.into_iter().partition(is_lost);
        let offer = |document: Known| plan::unreachable(document.id, now);
        self.persist(offered.into_iter().map(offer).collect()).await?;
        Ok(others)
    }

    fn is_visible_space(&self, selection: &selection::Model) -> bool {
        selection.kind == SelectionKind::Space && self.visible.contains(&selection.external_id)
    }

    /// Asks for documents by id, in bulk and then singly, and persists what follows. Answers whether each of them was seen
    /// or is to leave.
    async fn look_up(&mut self, documents: Vec<Known>, asking: &mut Asking) -> Result<bool, Stop> {
        let mut all_known = true;
        for some in documents.chunks(MOST_IDS) {
            if asking.documents == 0 {
                asking.left_some = true;
                return Ok(false);
            }
            asking.documents = asking.documents.saturating_sub(some.len() as u64);
            if self.run.is_halted() {
                return Err(Stop::HandOver);
            }
            let ids: Vec<String> = some.iter().map(|document| document.page_id.clone()).collect();
            let answer =
                self.pages_by_id(&ids, &[Status::Current, Status::Archived, Status::Trashed]).await?;
            let pages: HashMap<String, Page> = match answer {
                Ok(pages) => pages.into_iter().map(|page| (page.id.clone(), page)).collect(),
                Err(error) => {
                    self.interrupted(error, "pages by id").await?;
                    asking.left_some = true;
                    all_known = false;
                    continue;
                }
            };
            let mut judged = Vec::new();
            let mut asked_for = Vec::new();
            for document in some {
                if document.state == DocumentState::Suspect
                    && (asking.singles > 0 || pages.contains_key(&document.page_id))
                {
                    asked_for.push(document.id);
                }
                let found = match pages.get(&document.page_id) {
                    Some(page) => self.found(page.clone()),
                    None if !self.visible.contains(&document.space_id) => self.hidden(document),
                    None => self.look_singly(document, asking).await?,
                };
                let origin = self.origin(document);
                let is_certain = origin == Origin::RootGone && self.uncertain().is_empty();
                let found = if is_certain { found } else { self.placed(found, asking).await? };
                if matches!(&found, Found::Current { verdict: Verdict::Wanted(_), .. }) {
                    self.seen.insert(&document.page_id);
                }
                judged.push((document, found, origin));
            }
            let uncertain = self.uncertain();
            let rules = self.rules(&uncertain);
            let change = |(document, found, origin)| plan::looked_up(document, found, origin, &rules);
            self.note_asked_for(&asked_for).await?;
            let before = self.removals.len();
            let count = judged.len();
            let seen = judged.iter().filter(|(document, ..)| self.seen.contains(&document.page_id)).count();
            let changes = judged.into_iter().filter_map(change).collect();
            self.persist(changes).await?;
            all_known &= seen + (self.removals.len() - before) == count;
        }
        Ok(all_known)
    }

    /// Notes that suspects were asked for: the next time others come first.
    async fn note_asked_for(&self, suspects: &[DocumentId]) -> Result<(), Stop> {
        if suspects.is_empty() || self.run.only_plans() {
            return Ok(());
        }
        let tx = self.run.begin().await?;
        store::documents::looked_at(&tx, suspects, self.run.now()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// What a page that answered means.
    fn found(&self, page: Page) -> Found {
        match page.status {
            Status::Archived => Found::Archived,
            Status::Trashed | Status::Deleted => Found::Trashed,
            Status::Current => self.fact(page).map_or(Found::Unknown, |fact| {
                let verdict = self.verdict(&fact.page_id, &fact.space_id);
                Found::Current { fact, verdict, proven: self.uncertain().is_empty() }
            }),
            Status::Draft | Status::Historical | Status::Other(_) => Found::Unknown,
        }
    }

    /// What follows for a page that does not answer, like its space.
    fn hidden(&self, document: &Known) -> Found {
        let since = self.spaces.get(&document.space_id).and_then(|space| space.hidden_since);
        let lasts = since.is_some_and(|since| self.run.now() - since >= UNREACHABLE);
        if lasts { Found::Unreachable } else { Found::Hidden }
    }

    /// Asks for one page by itself; it counts as absent only on a connection that is proven healthy.
    async fn look_singly(&mut self, document: &Known, asking: &mut Asking) -> Result<Found, Stop> {
        if !asking.asks_singly() {
            return Ok(Found::Unknown);
        }
        let id = document.page_id.as_str();
        match self.run.ask(|client| async move { client.page(id).await }.boxed()).await? {
            Ok(page) => Ok(self.found(page)),
            Err(error) if error.is_not_found() => {
                Ok(if self.is_healthy(&document.space_id).await? { Found::Absent } else { Found::Hidden })
            }
            Err(error) => {
                self.interrupted(error, "a page by id").await?;
                Ok(Found::Unknown)
            }
        }
    }

    /// A page that no listing showed may have moved meanwhile, from a tree that was listed later into one that was
    /// listed before, or be in a tree that could not be listed. So the chain above it is read: the nearest selected root
    /// decides, and a chain without one is proof.
    async fn placed(&mut self, found: Found, asking: &mut Asking) -> Result<Found, Stop> {
        let Found::Current { fact, verdict: Verdict::Outside, .. } = found else {
            return Ok(found);
        };
        let roots = self.tree_roots();
        if let Some(verdict) = roots.get(&fact.page_id) {
            return Ok(Found::Current { fact, verdict: *verdict, proven: true });
        }
        let Some(parent) = fact.parent_id.clone().filter(|_| !roots.is_empty()) else {
            return Ok(Found::Current { fact, verdict: Verdict::Outside, proven: true });
        };
        if !self.chains.contains_key(&parent) {
            if !asking.asks_singly() {
                return Ok(Found::Unknown);
            }
            let Some(verdict) = self.chain_above(&fact, &roots).await? else { return Ok(Found::Unknown) };
            self.chains.insert(parent.clone(), verdict);
        }
        Ok(Found::Current { fact, verdict: self.chains[&parent], proven: true })
    }

    async fn chain_above(
        &self,
        fact: &Fact,
        roots: &HashMap<String, Verdict>,
    ) -> Result<Option<Verdict>, Stop> {
        let node = Node::page(&fact.page_id);
        let node = &node;
        match self.run.ask(|client| Box::pin(async move { client.ancestors(node).await })).await? {
            Ok(chain) => {
                let nearest = chain.iter().rev().find_map(|above| roots.get(&above.id));
                Ok(Some(nearest.copied().unwrap_or(Verdict::Outside)))
            }
            Err(error) => {
                self.interrupted(error, "the chain above a page").await?;
                Ok(None)
            }
        }
    }

    /// The roots of trees and folders that are there, with what is said of the pages below them.
    fn tree_roots(&self) -> HashMap<String, Verdict> {
        self.of_kind(SelectionKind::PageTree)
            .chain(self.of_kind(SelectionKind::Folder))
            .filter(|selection| self.coverage.get(&selection.id) != Some(&Coverage::Gone))
            .map(|selection| {
                let verdict = match selection.mode {
                    SelectionMode::Include => Verdict::Wanted(selection.id),
                    SelectionMode::Exclude => Verdict::Excluded(selection.id),
                };
                (selection.external_id.clone(), verdict)
            })
            .collect()
    }

    /// Whether the connection was proven healthy in this observation, as far as a space goes.
    async fn is_healthy(&mut self, space_id: &str) -> Result<bool, Stop> {
        if let Some(healthy) = self.healthy.get(space_id) {
            return Ok(*healthy);
        }
        let healthy = self.run.access.prove_healthy(Some(space_id)).await?;
        self.healthy.insert(space_id.to_owned(), healthy);
        Ok(healthy)
    }
}
