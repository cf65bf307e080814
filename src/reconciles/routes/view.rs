//! How a reconcile and what it found look outside.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    entity::{
        Problem as Trouble, finding,
        finding::{FindingKind, FindingOutcome},
        reconcile::{Model, ReconcileKind, ReconcileStatus, ReconcileStep, ReconcileTrigger},
    },
    http::Problem,
    ids::{DocumentId, FindingId, KnowledgeBaseId, ReconcileId},
    reconciles::store::{self, Tallies},
};

/// One comparison of a vector store with what is known of it, or one rebuild of a store that was lost.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reconcile {
    id: ReconcileId,
    knowledge_base_id: KnowledgeBaseId,
    kind: ReconcileKind,
    trigger: ReconcileTrigger,
    /// Whether it only reports.
    dry_run: bool,
    status: ReconcileStatus,
    step: ReconcileStep,
    /// The store that it is about; a rebuild's new one, `null` until that is made.
    #[schema(examples("vs_68f0a1b2c3d4819190abcdef"))]
    vector_store_id: Option<String>,
    /// Entries of the store's own list that were read; of a rebuild, documents that are in the new store.
    #[schema(examples(500))]
    done: i64,
    /// How many there are to read, or to bring in; `null` until that is known.
    #[schema(examples(745))]
    total: Option<i64>,
    findings: Findings,
    /// What hinders or hindered it, and what to do about it.
    problem: Option<Trouble>,
    /// It waits until then, because a vendor asked for it or because files are being indexed.
    not_before: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    #[schema(examples("2026-03-04T09:15:01Z"))]
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

/// What was found, counted.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Findings {
    /// Live files that are not in the store.
    #[schema(examples(2))]
    missing: i64,
    /// Live files that cannot be searched any more.
    broken: i64,
    /// Live files whose attributes others changed.
    changed: i64,
    /// Files of ours that nothing knew, of pages without a live file.
    unknown: i64,
    /// Files of ours beside the live one of the same page.
    duplicate: i64,
    /// Files of ours that no page wants.
    orphan: i64,
    /// Files of ours in the account, but in no store.
    stray: i64,
    /// Of all these, what has been put right.
    #[schema(examples(2))]
    repaired: i64,
    /// Of all these, removals that wait for a person.
    held: i64,
    /// Of all these, what a later reconcile decides.
    waiting: i64,
    /// Files of others in the store: left alone.
    #[schema(examples(14))]
    foreign: i64,
    /// Files that a person kept when their source was deleted: left alone.
    kept: i64,
}

impl Findings {
    fn of(row: &Model, tally: &[(FindingKind, FindingOutcome, i64)]) -> Self {
        let mut findings = Self { foreign: row.foreign_files, kept: row.kept_files, ..Self::default() };
        for (kind, outcome, count) in tally {
            let of_kind = match kind {
                FindingKind::Missing => &mut findings.missing,
                FindingKind::Broken => &mut findings.broken,
                FindingKind::Changed => &mut findings.changed,
                FindingKind::Unknown => &mut findings.unknown,
                FindingKind::Duplicate => &mut findings.duplicate,
                FindingKind::Orphan => &mut findings.orphan,
                FindingKind::Stray => &mut findings.stray,
            };
            let of_outcome = match outcome {
                FindingOutcome::Dismissed => continue,
                FindingOutcome::Found | FindingOutcome::Confirmed | FindingOutcome::Repairing => None,
                FindingOutcome::Repaired => Some(&mut findings.repaired),
                FindingOutcome::Held => Some(&mut findings.held),
                FindingOutcome::Waiting => Some(&mut findings.waiting),
            };
            *of_kind += count;
            if let Some(of_outcome) = of_outcome {
                *of_outcome += count;
            }
        }
        findings
    }
}

impl Reconcile {
    pub(super) fn of(row: Model, tallies: &Tallies) -> Self {
        let tally = tallies.get(&row.id).map(Vec::as_slice).unwrap_or_default();
        Self {
            findings: Findings::of(&row, tally),
            id: row.id,
            knowledge_base_id: row.knowledge_base_id,
            kind: row.kind,
            trigger: row.trigger,
            dry_run: row.dry_run,
            status: row.status,
            step: row.step,
            vector_store_id: row.vector_store_id,
            done: row.done,
            total: row.total,
            problem: row.problem,
            not_before: row.not_before,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        }
    }

    /// A reconcile with its findings counted.
    pub async fn counted(app: &App, row: Model) -> Result<Self, Problem> {
        let tallies = store::tally(app.db.read(), &[row.id]).await?;
        Ok(Self::of(row, &tallies))
    }
}

/// One file that is not as it should be.
#[derive(Debug, Serialize, ToSchema)]
pub struct Finding {
    id: FindingId,
    kind: FindingKind,
    outcome: FindingOutcome,
    /// The file at OpenAI.
    #[schema(examples("file-8Gk2JxXq4cYQ2sT3b9uVwz"))]
    openai_file_id: String,
    /// The document that it is or would be of.
    document_id: Option<DocumentId>,
    #[schema(examples("98306"))]
    page_id: Option<String>,
    #[schema(examples("Annual leave"))]
    title: Option<String>,
    created_at: DateTime<Utc>,
}

impl From<finding::Model> for Finding {
    fn from(row: finding::Model) -> Self {
        let finding::Model {
            id, kind, outcome, openai_file_id, document_id, page_id, title, created_at, ..
        } = row;
        Self { id, kind, outcome, openai_file_id, document_id, page_id, title, created_at }
    }
}
