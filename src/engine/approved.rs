//! What a person approved of a plan: the only changes that the sync which applies it may make.
//!
//! The sync looks anew, and of what it finds it does what was planned for the same page: a removal only for the same
//! reason. What it leaves undone is found by the next sync, for no mark is moved past it.

use std::collections::{HashMap, HashSet};

use super::{guard::Removal, observe::PageIds, plan::Change, stop::Stop, store::syncs::Claim};
use crate::{
    app::{App, Db},
    connections::access::Access,
    entity::{
        EvidenceKind, Problem,
        change::{self, ChangeKind},
    },
    ids::{DocumentId, SyncId},
    syncs,
};

/// Lines of a plan read at once.
const PART: u64 = 1_000;

/// The changes of an approved plan.
#[derive(Debug, Default)]
pub struct Approved {
    pages: HashMap<ChangeKind, PageIds>,
    /// Removals and suspicions are about documents, and stand on evidence.
    documents: HashSet<(ChangeKind, DocumentId, EvidenceKind)>,
}

impl Approved {
    /// What the claimed sync may do, if it applies a plan and has not looked yet. Afterwards it goes on as any other.
    pub async fn of(app: &App, claim: &Claim, access: &Access) -> Result<Option<Self>, Stop> {
        let sync = &claim.sync;
        let Some(id) = sync.applies.filter(|_| sync.observed_at.is_none()) else { return Ok(None) };
        let row = syncs::store::find(app.db.read(), sync.workspace_id, id).await?;
        let plan = row.and_then(|row| row.plan).filter(|plan| {
            plan.selections_revision == claim.source.selections_revision
                && plan.account_id.as_deref() == access.account_id()
        });
        if plan.is_none() {
            return Err(Stop::failed(Problem::new(
                "plan_stale",
                "The selections or the connection's account changed after the plan was approved.",
                "Ask for a new plan.",
            )));
        }
        Self::read(&app.db, id).await.map(Some)
    }

    async fn read(db: &Db, plan: SyncId) -> Result<Self, Stop> {
        let mut approved = Self::default();
        let mut after = None;
        loop {
            let lines = syncs::store::changes(db.read(), plan, after, PART).await?;
            let Some(last) = lines.last() else { return Ok(approved) };
            after = Some(last.id);
            for line in &lines {
                approved.add(line);
            }
        }
    }

    fn add(&mut self, line: &change::Model) {
        match (line.document_id, &line.evidence) {
            (Some(document), Some(evidence)) => {
                self.documents.insert((line.kind, document, evidence.kind));
            }
            _ => self.pages.entry(line.kind).or_default().insert(&line.page_id),
        }
    }

    /// Whether a change was planned. What only says that a page is there, or by which selection, needs no approval.
    #[must_use]
    pub fn allows(&self, change: &Change) -> bool {
        match change {
            Change::Create { fact, .. } => self.creates(&fact.page_id),
            Change::Revise { fact, .. } => self.plans(ChangeKind::Revise, &fact.page_id),
            Change::Metadata { fact, .. } => self.plans(ChangeKind::Metadata, &fact.page_id),
            Change::Suspect { document, evidence } => {
                self.documents.contains(&(ChangeKind::Suspect, *document, evidence.kind))
            }
            Change::Remove { document, evidence } => {
                self.documents.contains(&(ChangeKind::Remove, *document, evidence.kind))
            }
            Change::Assign { .. } | Change::Release { .. } => true,
        }
    }

    /// Whether it was planned that a page comes in.
    #[must_use]
    pub fn creates(&self, page: &str) -> bool {
        self.plans(ChangeKind::Create, page)
    }

    fn plans(&self, kind: ChangeKind, page: &str) -> bool {
        self.pages.get(&kind).is_some_and(|pages| pages.contains(page))
    }

    /// Whether a removal was planned, for the same reason.
    #[must_use]
    pub fn removes(&self, removal: &Removal) -> bool {
        self.documents.contains(&(ChangeKind::Remove, removal.document, removal.evidence.kind))
    }
}
