//! Observes a site: what is there now, and which of that is wanted. Everything it learns is persisted at once, so that
//! a later run drains rows instead of asking again.
//!
//! * Creates and revisions follow from what is seen, part by part, while the listing goes on.
//! * Absence is judged only in scopes that were seen completely, and for ids that were asked for.
//! * Exclusions are observed before inclusions; where one cannot be seen, nothing new enters its space.

mod absent;
mod feed;
mod hints;
mod ids;
mod named;
mod nodes;
mod spaces;
mod trees;

use futures_util::FutureExt;
use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
};

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;

use super::{
    budget::Budget,
    facts::{Coverage, Fact, Verdict},
    guard::Removal,
    plan::{self, Change, Rules},
    planned, record, restrictions,
    run::Run,
    scope::Scopes,
    stop::Stop,
    store::{self, nodes::Node, observed},
};
use crate::{
    confluence::{Page, Status},
    entity::{
        selection::{self, SelectionKind, SelectionMode},
        source_space,
    },
    ids::SelectionId,
};
use hints::Hints;
pub use ids::PageIds;
use spaces::Pieces;

/// What one observation has gathered so far.
struct Observation<'a> {
    run: &'a Run,
    selections: Vec<selection::Model>,
    spaces: HashMap<String, source_space::Model>,
    scopes: Scopes,
    /// How much of each selection's scope was seen.
    coverage: HashMap<SelectionId, Coverage>,
    /// What was listed of spaces that are too large to be listed at once.
    pieces: Pieces,
    /// What the search said of spaces that were not listed.
    hints: Hints,
    /// Points spent on listing spaces, and on the exclusions that were walked for that.
    listed: u64,
    points_of_exclusions: u64,
    /// Wanted pages that were seen.
    seen: PageIds,
    /// Spaces into which nothing new may come: one of their exclusions could not be seen.
    closed_spaces: HashSet<String>,
    /// Folders and pages above documents that are no documents themselves, those read longest ago first.
    nodes: Vec<Node>,
    /// Those of them that a listing of this observation showed.
    met_nodes: Mutex<HashSet<String>>,
    /// Whether a document was neither seen nor proven to leave.
    some_unseen: bool,
    /// Removals that are to be guarded.
    removals: Vec<Removal>,
    budget: Budget,
    /// Whether trees are walked although the budget would rather wait: the feed showed pages that may be in them.
    force_trees: bool,
    /// The spaces that can be seen now.
    visible: HashSet<String>,
    /// Whether the connection was proven healthy, by space, once that was asked.
    healthy: HashMap<String, bool>,
    /// What the chain above a parent says of the pages below it, once it was read.
    chains: HashMap<String, Verdict>,
    /// Confluence's time when the listing of a tree began.
    tree_dates: HashMap<SelectionId, DateTime<Utc>>,
    /// Exclusions that were there before.
    standing: HashSet<SelectionId>,
}

/// Observes everything that is due, guards the removals that follow, and persists it all.
pub async fn observe(run: &Run) -> Result<(), Stop> {
    own_documents(run).await?;
    let began = run.now();
    let selections = observed::selections(run.app.db.read(), run.source().id).await?;
    let stands = |s: &&selection::Model| s.mode == SelectionMode::Exclude && s.verified_at.is_some();
    let mut observation = Observation {
        standing: selections.iter().filter(stands).map(|selection| selection.id).collect(),
        budget: Budget::of(run, &selections).await?,
        spaces: observed::spaces(run.app.db.read(), run.source().id).await?,
        nodes: store::nodes::by_age(run.app.db.read(), run.source().id).await?,
        met_nodes: Mutex::default(),
        run,
        selections,
        scopes: Scopes::default(),
        coverage: HashMap::new(),
        pieces: Pieces::default(),
        hints: Hints::default(),
        listed: 0,
        points_of_exclusions: 0,
        seen: PageIds::default(),
        closed_spaces: HashSet::new(),
        some_unseen: false,
        removals: Vec::new(),
        force_trees: false,
        visible: HashSet::new(),
        healthy: HashMap::new(),
        chains: HashMap::new(),
        tree_dates: HashMap::new(),
    };
    observation.name_spaces().await?;
    let feed = observation.read_feed().await?;
    observation.force_trees = observation.needs_trees(&feed).await?;
    let trees = observation.walk_trees().await?;
    observation.scopes = Scopes::new(&observation.selections, trees);
    observation.absorb_feed(feed).await?;
    observation.read_named_pages().await?;
    observation.list_spaces().await?;
    observation.hints = observation.count_spaces().await?;
    observation.look_for_absent().await?;
    observation.read_nodes_again().await?;
    let removals = std::mem::take(&mut observation.removals);
    record::removals(run, removals, |page| observation.seen.contains(page)).await?;
    if !run.is_halted() {
        let share = observation.budget.restrictions_to_read(run);
        restrictions::read_again(run, share, observation.budget.restrictions_before(run, began)).await?;
        restrictions::decide(run).await?;
    }
    observation.finish().await
}

impl Observation<'_> {
    /// Whether the feed shows pages that are not documents yet and may belong to a tree: below an exclusion they may be
    /// anywhere, below an inclusion their parent is known.
    async fn needs_trees(&self, feed: &feed::Feed) -> Result<bool, Stop> {
        let (db, source) = (self.run.app.db.read(), self.run.source().id);
        let ids: Vec<&str> = feed.changed.iter().map(|fact| fact.page_id.as_str()).collect();
        let known = store::documents::by_pages(db, source, &ids).await?;
        let is_new = |fact: &&Fact| known.get(&fact.page_id).is_none_or(|document| !document.is_present());
        let new: Vec<&Fact> = feed.changed.iter().filter(is_new).collect();
        let has_tree = |fact: &Fact, mode: SelectionMode| {
            self.of_kind(SelectionKind::PageTree)
                .chain(self.of_kind(SelectionKind::Folder))
                .filter(|selection| selection.mode == mode)
                .any(|s| s.space_id.as_ref().is_none_or(|space| *space == fact.space_id))
        };
        if new.iter().any(|fact| has_tree(fact, SelectionMode::Exclude)) {
            return Ok(true);
        }
        let below = new.iter().filter(|fact| has_tree(fact, SelectionMode::Include));
        let parents: Vec<String> = below.filter_map(|fact| fact.parent_id.clone()).collect();
        Ok(!store::nodes::above(db, source, &parents).await?.is_empty())
    }

    fn of_kind(&self, kind: SelectionKind) -> impl Iterator<Item = &selection::Model> {
        self.selections.iter().filter(move |selection| selection.kind == kind)
    }

    /// Reads pages by id, without bodies.
    async fn pages_by_id(
        &self,
        ids: &[String],
        statuses: &[Status],
    ) -> Result<Result<Vec<Page>, crate::confluence::Error>, Stop> {
        self.run.ask(|client| async move { client.pages_by_id(ids, statuses, false).await }.boxed()).await
    }

    /// A listing that broke off: nothing is concluded from it. What holds for the whole site ends the run.
    async fn interrupted(&self, error: crate::confluence::Error, what: &str) -> Result<Coverage, Stop> {
        use crate::confluence::Error as E;
        if matches!(error, E::RateLimited { .. } | E::ScopeMissing { .. }) {
            return Err(error.into());
        }
        if matches!(error, E::Unauthorized { .. } | E::Forbidden { .. } | E::NotFound { .. }) {
            self.run.access.refreshed().await?;
        }
        tracing::warn!(source.id = %self.run.source().id, scope = what, %error, "a listing broke off");
        self.run.note_trouble(Stop::from(error));
        Ok(Coverage::Partial)
    }

    /// What a page says, if it is one that can be wanted.
    fn fact(&self, page: Page) -> Option<Fact> {
        let space_id = page.space_id?;
        (page.status == Status::Current).then(|| Fact {
            url: self.run.page_url(&page.id),
            page_id: page.id,
            version: page.version.number,
            edited_at: page.version.created_at,
            title: page.title,
            space_id,
            parent_id: page.parent_id,
            parent_kind: page.parent_type.map(|kind| kind.as_str().to_owned()),
        })
    }

    /// Plans and persists what follows from pages that were seen.
    async fn absorb(&mut self, facts: Vec<Fact>) -> Result<(), Stop> {
        if facts.is_empty() {
            return Ok(());
        }
        self.meet_pages_above(&facts).await?;
        let pages: Vec<&str> = facts.iter().map(|fact| fact.page_id.as_str()).collect();
        let known = store::documents::by_pages(self.run.app.db.read(), self.run.source().id, &pages).await?;
        let mut judged: Vec<(Fact, Verdict)> = facts
            .into_iter()
            .map(|fact| {
                let verdict = self.verdict(&fact.page_id, &fact.space_id);
                (fact, verdict)
            })
            .collect();
        if self.run.only_plans() {
            // Nothing is persisted that would tell that the page has been planned for.
            judged.retain(|(fact, _)| !self.seen.contains(&fact.page_id));
        }
        let mut unnamed = HashSet::new();
        for (fact, verdict) in &judged {
            if matches!(verdict, Verdict::Wanted(_)) {
                self.seen.insert(&fact.page_id);
                unnamed.extend(Some(&fact.space_id).filter(|id| !self.spaces.contains_key(*id)).cloned());
            }
        }
        if !unnamed.is_empty() {
            self.read_spaces(unnamed).await?;
        }
        let uncertain = self.uncertain();
        let changes = plan::seen(judged, &known, &self.rules(&uncertain));
        self.persist(changes).await
    }

    fn rules<'a>(&'a self, uncertain: &'a HashSet<SelectionId>) -> Rules<'a> {
        Rules {
            closed_spaces: &self.closed_spaces,
            uncertain,
            standing: &self.standing,
            suspect_age: self.run.suspect_age(),
            now: self.run.now(),
        }
    }

    /// What the selections say of a page, as far as that is known.
    fn verdict(&self, page_id: &str, space_id: &str) -> Verdict {
        match self.scopes.verdict(page_id, space_id) {
            Verdict::Excluded(exclusion) if self.may_be_overruled(exclusion) => Verdict::Unclear,
            verdict => verdict,
        }
    }

    /// Whether a wanted tree that was not seen may lie inside what an exclusion names.
    fn may_be_overruled(&self, exclusion: SelectionId) -> bool {
        let exclusion = self.selections.iter().find(|selection| selection.id == exclusion);
        let Some(exclusion) = exclusion.filter(|selection| selection.kind != SelectionKind::Page) else {
            return false;
        };
        let may_be_there = |tree: &selection::Model| {
            tree.space_id.is_none() || exclusion.space_id.is_none() || tree.space_id == exclusion.space_id
        };
        self.unseen_trees().any(|tree| tree.mode == SelectionMode::Include && may_be_there(tree))
    }

    /// Selections of trees that were not seen completely: a page of theirs may look as if another selection decided.
    fn uncertain(&self) -> HashSet<SelectionId> {
        self.unseen_trees().map(|selection| selection.id).collect()
    }

    fn unseen_trees(&self) -> impl Iterator<Item = &selection::Model> {
        let is_tree =
            |s: &&selection::Model| matches!(s.kind, SelectionKind::PageTree | SelectionKind::Folder);
        let is_known = |s: &&selection::Model| {
            matches!(self.coverage.get(&s.id), Some(Coverage::Complete | Coverage::Gone))
        };
        self.selections.iter().filter(is_tree).filter(move |s| !is_known(s))
    }

    /// Writes changes, except removals, which wait for the guard.
    async fn persist(&mut self, changes: Vec<Change>) -> Result<(), Stop> {
        let (removals, changes): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|change| matches!(change, Change::Remove { .. }));
        for change in removals {
            if let Change::Remove { document, evidence } = change {
                self.removals.push(Removal { document, evidence, free: false, rejected: false });
            }
        }
        record::changes(self.run, changes).await
    }

    /// Notes which scopes were seen completely, and that the observation is over.
    async fn finish(self) -> Result<(), Stop> {
        let run = self.run;
        // An exclusion of which nothing could be concluded yet stays new: what it takes out is its person's doing.
        let is_open = |s: &selection::Model| s.mode == SelectionMode::Exclude && self.may_be_overruled(s.id);
        let complete: Vec<SelectionId> = self
            .selections
            .iter()
            .filter(|selection| self.coverage.get(&selection.id) == Some(&Coverage::Complete))
            .filter(|selection| !is_open(selection))
            .map(|selection| selection.id)
            .collect();
        if run.only_plans() && !self.pieces.is_empty() {
            let message = "A space is too large to be listed at once: the plan tells of a part of it.";
            run.note_trouble(Stop::pause("listed_in_part", message, None));
        }
        let now = run.now();
        let tx = run.begin().await?;
        let plan = run.only_plans().then(|| planned::plan(run));
        store::syncs::mark_observed(&tx, run.sync(), plan, now).await?;
        // What was seen and not persisted has to be seen again by the next sync.
        if run.persists_all() {
            observed::verified(&tx, &complete, now).await?;
            for (space, date) in self.trees_seen() {
                observed::advance(&tx, run.source().id, &[space], date).await?;
            }
            self.keep_pieces(&tx).await?;
            self.keep_hints(&tx).await?;
            store::syncs::checked(&tx, run.source().id, now).await?;
            self.settle_account(&tx).await?;
        }
        run.commit(tx).await?;
        super::budget::book(run).await
    }

    /// Once another account has seen every document, or a person let go of those that it does not see, the documents
    /// are that account's.
    async fn settle_account(&self, tx: &impl ConnectionTrait) -> Result<(), Stop> {
        let source = self.run.source().id;
        if let Some(account) = self.run.other_account()
            && !self.some_unseen
            && !store::holds::any(tx, source).await?
        {
            observed::keep_account(tx, source, account).await?;
            tracing::info!(source.id = %source, "the site is seen by another account now");
        }
        Ok(())
    }

    /// Spaces of which trees alone are selected, where all of these were seen, with Confluence's time when that began:
    /// from there on their feed tells what changed.
    fn trees_seen(&self) -> HashMap<String, DateTime<Utc>> {
        let mut seen: HashMap<String, Option<DateTime<Utc>>> = HashMap::new();
        for selection in self.selections.iter().filter(|s| s.mode == SelectionMode::Include) {
            let (space, date) = match selection.kind {
                SelectionKind::Page => continue,
                SelectionKind::Space => (Some(&selection.external_id), None),
                SelectionKind::PageTree | SelectionKind::Folder => {
                    (selection.space_id.as_ref(), self.tree_dates.get(&selection.id).copied())
                }
            };
            let Some(space) = space else { continue };
            let so_far = seen.entry(space.clone()).or_insert(date);
            // `None` is less than any date: one tree that was not seen is enough.
            *so_far = (*so_far).min(date);
        }
        seen.into_iter().filter_map(|(space, date)| Some((space, date?))).collect()
    }
}

/// Before the first observation of a source: its documents are the account's that makes it.
async fn own_documents(run: &Run) -> Result<(), Stop> {
    if let (None, Some(account)) = (&run.source().account_id, run.access.account_id())
        && !run.only_plans()
    {
        let tx = run.begin().await?;
        observed::keep_account(&tx, run.source().id, account).await?;
        tx.commit().await?;
    }
    Ok(())
}
