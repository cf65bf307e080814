//! How soon the edits of a knowledge base show, over HTTP.

use actix_web::{get, web};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::App,
    auth::{Require, extract::Read},
    documents::{self, Freshness, Waiting},
    entity::source::SourceStatus,
    http::{Json, Problem, Query, problem::FieldError},
    ids::{KnowledgeBaseId, SourceId},
    knowledge_bases::found,
    sources,
};

/// The window, unless another one is asked for.
const A_DAY: u32 = 86_400;
const SHORTEST: u32 = 300;
const LONGEST: u32 = 30 * A_DAY;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ShowFreshness {
    /// How far to look back.
    #[param(minimum = 300, maximum = 2_592_000, default = 86_400)]
    window_seconds: Option<u32>,
}

/// How soon edits show in a knowledge base.
#[derive(Debug, Serialize, ToSchema)]
struct KnowledgeBaseFreshness {
    knowledge_base_id: KnowledgeBaseId,
    /// The window: edits that became searchable since then …
    from: DateTime<Utc>,
    /// … until now.
    to: DateTime<Utc>,
    #[serde(flatten)]
    freshness: Freshness,
    /// The same for each source, oldest first.
    sources: Vec<SourceFreshness>,
}

/// How soon the edits of one source show.
#[derive(Debug, Serialize, ToSchema)]
struct SourceFreshness {
    source_id: SourceId,
    #[schema(examples("Acme wiki"))]
    name: String,
    status: SourceStatus,
    /// When Confluence was last asked.
    last_checked_at: Option<DateTime<Utc>>,
    /// How old the oldest verification of what it selects is: so long a move or a trashing may go unseen. `null` until
    /// everything was verified once.
    #[schema(examples(212))]
    verification_age_seconds: Option<i64>,
    #[serde(flatten)]
    freshness: Freshness,
}

/// Shows how soon edits show in a knowledge base.
///
/// Each page records when its newest version was made, when Tidegate saw it, and when its text could first be found in the
/// vector store; `GET /v1/documents/{id}` shows that of one page. Here are the 50th and 95th percentiles over the pages
/// of which an edit became searchable within the window. First loads are left out, and so is whatever else was edited
/// before it was watched: pages that were moved in or restored. An edit that changed no text is none.
#[utoipa::path(
    tag = "knowledge bases",
    params(KnowledgeBaseId, ShowFreshness),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "How soon edits show.", body = KnowledgeBaseFreshness)),
)]
#[get("/v1/knowledge-bases/{id}/freshness")]
pub async fn show_freshness(
    app: web::Data<App>,
    caller: Require<Read>,
    id: web::Path<KnowledgeBaseId>,
    Query(query): Query<ShowFreshness>,
) -> Result<Json<KnowledgeBaseFreshness>, Problem> {
    let window = query.window_seconds.unwrap_or(A_DAY);
    if !(SHORTEST..=LONGEST).contains(&window) {
        let error =
            FieldError::parameter("window_seconds", "out_of_range", "Must be between 300 and 2592000.");
        return Err(Problem::invalid_fields(vec![error]));
    }
    let row = found(&app, caller.workspace_id, *id).await?;
    let to = app.clock.now();
    let from = to - TimeDelta::seconds(window.into());
    Ok(Json(KnowledgeBaseFreshness::between(&app, row.id, from, to).await?))
}

impl KnowledgeBaseFreshness {
    async fn between(
        app: &App,
        knowledge_base_id: KnowledgeBaseId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Self, Problem> {
        let db = app.db.read();
        let rows = sources::store::of_knowledge_base(db, knowledge_base_id).await?;
        let ids: Vec<SourceId> = rows.iter().map(|source| source.id).collect();
        let mut lags = documents::store::lags(db, &ids, from).await?;
        let mut waiting = documents::store::waiting(db, &ids).await?;
        let verified = sources::store::oldest_verifications(db, &ids).await?;
        let (mut all_lags, mut all_waiting) = (Vec::new(), Waiting::default());
        let mut sources = Vec::with_capacity(rows.len());
        for row in rows {
            let lags = lags.remove(&row.id).unwrap_or_default();
            let waiting = waiting.remove(&row.id).unwrap_or_default();
            let verified_at = verified.get(&row.id).copied().flatten();
            sources.push(SourceFreshness {
                source_id: row.id,
                name: row.name,
                status: row.status,
                last_checked_at: row.last_checked_at,
                verification_age_seconds: verified_at.map(|at| (to - at).num_seconds().max(0)),
                freshness: Freshness::of(&lags, waiting),
            });
            all_lags.extend(lags);
            all_waiting = all_waiting.and(waiting);
        }
        let freshness = Freshness::of(&all_lags, all_waiting);
        Ok(Self { knowledge_base_id, from, to, freshness, sources })
    }
}
