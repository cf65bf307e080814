//! Search in a knowledge base over HTTP.

use actix_web::{post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::App,
    auth::{Require, extract::Content},
    http::{Check, Json, Problem},
    ids::{DocumentId, KnowledgeBaseId},
    knowledge_bases::{Passage, found, search},
    openai::SearchRequest,
};

/// A question to a knowledge base.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SearchKnowledgeBase {
    /// The question, in words.
    #[schema(examples("How many days of annual leave do we have?"), min_length = 1, max_length = 4096)]
    query: String,
    /// The most passages.
    #[schema(examples(5), minimum = 1, maximum = 50, default = 10)]
    max_results: Option<u32>,
    /// A comparison over the attributes of the files, or a compound of them, in OpenAI's form.
    #[schema(value_type = Option<Object>, examples(json!({ "type": "eq", "key": "space_key", "value": "HANDBOOK" })))]
    filters: Option<serde_json::Map<String, serde_json::Value>>,
}

impl SearchKnowledgeBase {
    fn check(self) -> Result<SearchRequest, Problem> {
        let mut check = Check::default();
        let length = self.query.chars().count();
        check.that(!self.query.trim().is_empty(), "/query", "too_short", "Ask something.");
        check.that(length <= 4096, "/query", "too_long", "May have at most 4096 characters.");
        let results = self.max_results.unwrap_or(10);
        check.that((1..=50).contains(&results), "/max_results", "out_of_range", "Must be between 1 and 50.");
        check.done()?;
        let filters = self.filters.map(serde_json::Value::Object);
        Ok(SearchRequest { query: self.query, max_num_results: Some(results), filters, rewrite_query: None })
    }
}

/// The passages that answer a question, the best first.
#[derive(Debug, Serialize, ToSchema)]
struct SearchResults {
    items: Vec<SearchResult>,
}

/// A passage of the store.
#[derive(Debug, Serialize, ToSchema)]
struct SearchResult {
    #[schema(examples("Everybody has 30 days of annual leave a year."))]
    text: String,
    /// How well it answers; at OpenAI between 0 and 1.
    #[schema(examples(0.87))]
    score: f64,
    /// The Confluence page, if the passage comes from one.
    #[schema(examples("98306"))]
    page_id: Option<String>,
    #[schema(examples("Annual leave"))]
    title: Option<String>,
    #[schema(examples("https://acme.atlassian.net/wiki/pages/viewpage.action?pageId=98306"))]
    url: Option<String>,
    /// The document of this knowledge base that it comes from; `null` for files of others.
    document_id: Option<DocumentId>,
}

impl From<Passage> for SearchResult {
    fn from(passage: Passage) -> Self {
        let Passage { text, score, page_id, title, url, document_id } = passage;
        Self { text, score, page_id, title, url, document_id }
    }
}

/// Searches a knowledge base.
///
/// The passages that OpenAI finds in the vector store, each with the page it comes from. Files that others put into
/// the store are found, too; they have no `document_id`.
#[utoipa::path(
    tag = "knowledge bases",
    params(KnowledgeBaseId),
    security(("bearer" = ["content"])),
    responses(
        (status = 200, description = "The passages, the best first.", body = SearchResults),
        (status = 409, description = "The store or key is lost (`blocked`, with the `problem`), the store is still being made, or the account is at a limit (`openai_quota_exhausted`)."),
    ),
)]
#[post("/v1/knowledge-bases/{id}/search")]
pub(super) async fn search_knowledge_base(
    app: web::Data<App>,
    caller: Require<Content>,
    id: web::Path<KnowledgeBaseId>,
    Json(body): Json<SearchKnowledgeBase>,
) -> Result<Json<SearchResults>, Problem> {
    let request = body.check()?;
    let row = found(&app, caller.workspace_id, *id).await?;
    let passages = search(&app, &row, &request).await?;
    Ok(Json(SearchResults { items: passages.into_iter().map(SearchResult::from).collect() }))
}
