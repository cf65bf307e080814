//! How a source looks outside.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    documents::StateCounts,
    entity::{
        Metadata, Problem as Trouble, SourceOptions,
        source::{Model, SourceStatus},
    },
    http::Problem,
    ids::{ConnectionId, KnowledgeBaseId, SourceId, SyncId},
    sources::store::{self, Held, Situation},
};

/// One Confluence site feeding one knowledge base.
#[derive(Debug, Serialize, ToSchema)]
pub struct Source {
    id: SourceId,
    knowledge_base_id: KnowledgeBaseId,
    /// Absent only while it is being deleted.
    connection_id: Option<ConnectionId>,
    #[schema(examples("5c8e0b1a-7d5e-4f3b-9a8c-2d1e0f9b8a7c"))]
    site_id: String,
    #[schema(examples("https://acme.atlassian.net"))]
    site_url: String,
    #[schema(examples("Acme wiki"))]
    name: String,
    status: SourceStatus,
    /// Why it is blocked, or what hindered its last sync, and what to do about it.
    problem: Option<Trouble>,
    options: SourceOptions,
    #[schema(examples(300))]
    interval_seconds: i32,
    /// How many documents are in each state.
    documents: StateCounts,
    /// The sync that runs or, if none does, the one that is queued.
    current_sync_id: Option<SyncId>,
    /// The last sync that found something to do and is finished.
    last_sync_id: Option<SyncId>,
    /// When it is due; `null` unless it is active.
    #[schema(examples("2026-03-04T09:20:00Z"))]
    next_sync_at: Option<DateTime<Utc>>,
    /// When Confluence was last asked.
    #[schema(examples("2026-03-04T09:15:02Z"))]
    last_checked_at: Option<DateTime<Utc>>,
    /// Removals that wait for a person.
    held_plan: Option<HeldPlan>,
    /// How old the oldest verification of what it selects is: so long a move or a trashing may go unseen. `null` until
    /// everything was verified once.
    #[schema(examples(212))]
    verification_age_seconds: Option<i64>,
    external_id: Option<String>,
    metadata: Metadata,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// Removals that wait for a person: approve or reject the sync.
#[derive(Debug, Serialize, ToSchema)]
struct HeldPlan {
    /// The sync that held them: `GET /v1/syncs/{id}/changes` lists them.
    sync_id: SyncId,
    /// How many documents would be removed.
    #[schema(examples(42))]
    removals: u64,
    /// How many were live when they were held.
    #[schema(examples(120))]
    live_documents: i64,
    /// A stable word for why they are held: `too_many_removals` (within a day), `emptied_without_evidence`, `root_gone` (a
    /// selected page or folder), `unreachable` (a space, for a day) or `account_changed`.
    #[schema(examples("too_many_removals"))]
    reason: String,
    /// Whether a person rejected them: they stay until the set changes.
    rejected: bool,
    held_at: DateTime<Utc>,
}

impl From<Held> for HeldPlan {
    fn from(held: Held) -> Self {
        Self {
            sync_id: held.hold.sync_id,
            removals: held.removals,
            live_documents: held.hold.live_documents,
            reason: held.hold.reason,
            rejected: held.hold.rejected,
            held_at: held.hold.created_at,
        }
    }
}

impl Source {
    /// A source in its situation.
    #[must_use]
    pub fn of(row: Model, situation: Situation, now: DateTime<Utc>) -> Self {
        let age = |at: DateTime<Utc>| now.signed_duration_since(at).num_seconds().max(0);
        Self {
            id: row.id,
            knowledge_base_id: row.knowledge_base_id,
            connection_id: row.connection_id,
            site_id: row.cloud_id,
            site_url: row.site_url,
            name: row.name,
            status: row.status,
            problem: row.problem,
            options: row.options,
            interval_seconds: row.interval_seconds,
            documents: situation.documents,
            current_sync_id: situation.current_sync_id,
            last_sync_id: row.last_sync_id,
            next_sync_at: (row.status == SourceStatus::Active).then_some(row.next_sync_at),
            last_checked_at: row.last_checked_at,
            held_plan: situation.held.map(HeldPlan::from),
            verification_age_seconds: situation.verified_at.map(age),
            external_id: row.external_id,
            metadata: row.metadata,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }

    /// A source in its situation now.
    pub async fn now(app: &App, row: Model) -> Result<Self, Problem> {
        let mut situations = store::situations(app.db.read(), &[row.id]).await?;
        let situation = situations.remove(&row.id).unwrap_or_default();
        Ok(Self::of(row, situation, app.clock.now()))
    }
}
