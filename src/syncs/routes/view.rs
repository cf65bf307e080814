//! How syncs and their changes look outside.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    entity::{
        Cost, Counts, Evidence, Problem as Trouble, change,
        change::{ChangeKind, ChangeOutcome},
        sync::{Model, SyncMode, SyncStatus, SyncStep, SyncTrigger},
    },
    ids::{ChangeId, DocumentId, SourceId, SyncId},
    syncs::eta,
};

/// One piece of work on a source, from its trigger to its finish.
#[derive(Debug, Serialize, ToSchema)]
pub struct Sync {
    id: SyncId,
    source_id: SourceId,
    trigger: SyncTrigger,
    mode: SyncMode,
    status: SyncStatus,
    step: SyncStep,
    /// Changes carried out.
    #[schema(examples(120))]
    done: i64,
    /// Changes known to be wanted; `null` until something is known.
    #[schema(examples(745))]
    total: Option<i64>,
    /// What came of them.
    counts: Counts,
    /// When it will be finished at the speed it has had; `null` unless it is running.
    #[schema(examples("2026-03-04T09:16:40Z"))]
    eta: Option<DateTime<Utc>>,
    /// Whether it was asked to stop and has not yet.
    cancel_requested: bool,
    /// What hinders or hindered it, and what to do about it.
    problem: Option<Trouble>,
    /// It waits until then, because a vendor asked for it.
    not_before: Option<DateTime<Utc>>,
    /// Of a plan: what all of it would cost at the most; `null` until it is made.
    cost: Option<PlanCost>,
    /// Of a plan that was approved: the sync that applies it.
    applied_by: Option<SyncId>,
    /// The approved plan that it applies.
    applies: Option<SyncId>,
    created_at: DateTime<Utc>,
    #[schema(examples("2026-03-04T09:15:01Z"))]
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

impl Sync {
    /// A sync as it is now.
    #[must_use]
    pub fn of(row: Model, now: DateTime<Utc>) -> Self {
        Self {
            eta: eta(&row, now),
            id: row.id,
            source_id: row.source_id,
            trigger: row.trigger,
            mode: row.mode,
            status: row.status,
            step: row.step,
            done: row.done,
            total: row.total,
            counts: row.counts,
            cancel_requested: row.cancel_requested && row.finished_at.is_none(),
            problem: row.problem,
            not_before: row.not_before,
            cost: row.plan.as_ref().map(|plan| plan.cost.into()),
            applied_by: row.plan.as_ref().and_then(|plan| plan.applied_by),
            applies: row.applies,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        }
    }
}

/// One page that a sync changed, or would change.
#[derive(Debug, Serialize, ToSchema)]
pub struct Change {
    id: ChangeId,
    /// Absent if the document is not listed any more, or was only planned.
    document_id: Option<DocumentId>,
    #[schema(examples("98306"))]
    page_id: String,
    #[schema(examples("Annual leave"))]
    title: String,
    kind: ChangeKind,
    outcome: ChangeOutcome,
    /// A stable word for why, such as `trashed`.
    reason: Option<String>,
    /// What proves that it must leave, or makes it suspect; given for removals that are held, too.
    evidence: Option<Evidence>,
    /// What it would cost at the most, done by itself; `null` unless it is planned.
    cost: Option<ChangeCost>,
    created_at: DateTime<Utc>,
}

impl From<change::Model> for Change {
    fn from(row: change::Model) -> Self {
        Self {
            id: row.id,
            document_id: row.document_id,
            page_id: row.page_id,
            title: row.title,
            kind: row.kind,
            outcome: row.outcome,
            reason: row.reason,
            evidence: row.evidence,
            cost: row.cost.map(ChangeCost::from),
            created_at: row.created_at,
        }
    }
}

/// Calls to the two vendors.
#[derive(Debug, Serialize, ToSchema)]
struct Calls {
    #[schema(examples(1))]
    confluence: u64,
    #[schema(examples(5))]
    openai: u64,
}

impl From<Cost> for Calls {
    fn from(cost: Cost) -> Self {
        Self { confluence: cost.confluence_calls, openai: cost.openai_calls }
    }
}

/// What one change would cost at the most, done by itself. A text that turns out to be the same is not uploaded.
#[derive(Debug, Serialize, ToSchema)]
struct ChangeCost {
    /// Text to upload, estimated: as much as the page had when it was last rendered. `null` for a page that never was.
    #[schema(examples(4310))]
    bytes: Option<u64>,
    calls: Calls,
    /// Confluence points. They are counted only where the connection was made through OAuth.
    #[schema(examples(2))]
    points: u64,
}

impl From<Cost> for ChangeCost {
    fn from(cost: Cost) -> Self {
        Self { bytes: (cost.unmeasured == 0).then_some(cost.bytes), calls: cost.into(), points: cost.points }
    }
}

/// What all changes of a plan would cost at the most, done together: less than the sum of them, for bodies are read
/// fifty at once and files attached five hundred at once. Looking for changes, which every sync does, is not counted, nor
/// are the new paths of pages below one that is renamed or moved: a call to OpenAI each.
#[derive(Debug, Serialize, ToSchema)]
struct PlanCost {
    /// Text to upload, as far as the pages were rendered before.
    #[schema(examples(52_480))]
    bytes: u64,
    /// Pages that were never rendered: their text is not among `bytes`.
    #[schema(examples(3))]
    unmeasured_pages: u64,
    calls: Calls,
    /// Confluence points. They are counted only where the connection was made through OAuth.
    #[schema(examples(18))]
    points: u64,
}

impl From<Cost> for PlanCost {
    fn from(cost: Cost) -> Self {
        Self { bytes: cost.bytes, unmeasured_pages: cost.unmeasured, calls: cost.into(), points: cost.points }
    }
}
