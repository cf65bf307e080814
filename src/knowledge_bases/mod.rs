//! Knowledge bases: one OpenAI vector store each, with the credential that reaches it.

mod create;
pub mod routes;
mod search;
pub mod store;

use secrecy::{ExposeSecret, SecretString};

pub use create::{New, create, settle_creating};
pub use search::{Passage, search};

use crate::{
    app::App,
    entity::{Problem, knowledge_base::Model},
    http::problem::{FieldError, Kind, Problem as HttpProblem},
    ids::{InstallationId, KnowledgeBaseId, WorkspaceId},
    openai::{Client, Error, Pace, StoreStatus},
};

/// One knowledge base of a workspace, or a 404.
pub async fn found(app: &App, workspace_id: WorkspaceId, id: KnowledgeBaseId) -> Result<Model, HttpProblem> {
    let row = store::find(app.db.read(), workspace_id, id).await?;
    row.ok_or_else(|| HttpProblem::not_found("knowledge base"))
}

/// What says in file names' stead whose a file or a store is: the attribute and metadata entry of this name.
pub const OWNER: &str = "tidegate";

/// The value of [`OWNER`] for all that one installation keeps for one knowledge base.
#[must_use]
pub fn owner_mark(installation: InstallationId, id: KnowledgeBaseId) -> String {
    format!("{installation}:{id}")
}

/// The client that reaches a knowledge base's store: with the key of its own, or the server's. The problem, if there
/// is none, blocks the knowledge base.
pub fn client(app: &App, knowledge_base: &Model) -> Result<Client, Problem> {
    let key = match &knowledge_base.credential {
        Some(sealed) => app.sealer.open_text(&purpose(knowledge_base.id), sealed).map_err(|error| {
            tracing::error!(knowledge_base.id = %knowledge_base.id, %error, "a stored key does not open");
            Problem::new(
                "openai_key_unreadable",
                "The stored OpenAI key cannot be opened with the encryption keys that are set.",
                "Give the knowledge base its key again: PATCH /v1/knowledge-bases/{id} with openai_api_key.",
            )
        })?,
        None => app.settings.openai.api_key.clone().ok_or_else(|| {
            Problem::new(
                "openai_not_configured",
                "The server has no OpenAI key any more, and the knowledge base has none of its own.",
                "Set OPENAI_API_KEY, or PATCH /v1/knowledge-bases/{id} with openai_api_key.",
            )
        })?,
    };
    Ok(client_with(app, key))
}

/// A client of the configured OpenAI server with this key.
#[must_use]
pub fn client_with(app: &App, key: SecretString) -> Client {
    let openai = &app.settings.openai;
    Client::new(app.http.clone(), openai.base_url.clone(), key, app.settings.timing.clients())
}

/// Names the credential of a knowledge base: those that share one share its limits.
#[must_use]
pub fn credential_name(knowledge_base: &Model) -> String {
    let own = knowledge_base.credential.is_some().then(|| knowledge_base.id.to_string());
    format!("{} {}", knowledge_base.openai_base_url, own.as_deref().unwrap_or("server"))
}

/// How fast a knowledge base's credential and store may be used.
#[must_use]
pub fn pace(app: &App, knowledge_base: &Model) -> Pace {
    let store = knowledge_base.vector_store_id.as_deref().unwrap_or_default();
    app.paces.pace(&credential_name(knowledge_base), store)
}

/// The base URL that store ids belong to, as it is compared.
fn base_url(app: &App) -> String {
    app.settings.openai.base_url.as_str().trim_end_matches('/').to_owned()
}

/// What the key of a knowledge base is sealed for.
#[must_use]
pub fn purpose(id: KnowledgeBaseId) -> String {
    format!("knowledge_bases.credential:{id}")
}

/// A key as it is stored: sealed for its knowledge base, with the last four characters for people.
#[must_use]
pub fn seal_key(app: &App, id: KnowledgeBaseId, key: &SecretString) -> (Vec<u8>, String) {
    let last4 = key.expose_secret().chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect();
    (app.sealer.seal_text(&purpose(id), key), last4)
}

/// What blocks a knowledge base after this failure of a call about its store; `None` if the failure blocks nothing.
#[must_use]
pub fn loss(error: &Error) -> Option<Problem> {
    const NEW_KEY: &str = "Give it a key that works: PATCH /v1/knowledge-bases/{id} with openai_api_key, or replace the server's key.";
    match error {
        Error::Unauthorized { .. } => {
            Some(Problem::new("openai_key_rejected", "OpenAI does not accept the key.", NEW_KEY))
        }
        Error::Forbidden { .. } => Some(Problem::new(
            "openai_key_forbidden",
            "OpenAI does not let the key reach the vector store.",
            NEW_KEY,
        )),
        Error::NotFound { .. } => Some(Problem::new(
            "store_not_found",
            "The vector store does not exist any more, or the key belongs to another project.",
            "Give it a key of the store's project: PATCH /v1/knowledge-bases/{id}; or make a new store, whose id readers then need: POST /v1/knowledge-bases/{id}/rebuild.",
        )),
        Error::QuotaExhausted { .. }
        | Error::RateLimited { .. }
        | Error::Unavailable { .. }
        | Error::BatchTooLong { .. }
        | Error::Unsupported { .. }
        | Error::Rejected { .. }
        | Error::Malformed { .. }
        | Error::Transport(_) => None,
    }
}

/// What blocks a knowledge base whose store has expired: its files left it.
#[must_use]
pub fn expired() -> Problem {
    Problem::new(
        "store_expired",
        "The vector store has expired at OpenAI, and its files left it.",
        "Make a new one: POST /v1/knowledge-bases/{id}/rebuild; readers need its new id.",
    )
}

/// Whether a knowledge base's store does not exist any more, or has expired, for the key that it has.
pub async fn is_lost(app: &App, knowledge_base: &Model) -> Result<bool, HttpProblem> {
    let openai = client(app, knowledge_base).map_err(|problem| {
        HttpProblem::new(Kind::Blocked, "The key cannot be used; see the problem.")
            .with("problem", serde_json::json!(problem))
    })?;
    match openai.store(knowledge_base.vector_store_id.as_deref().unwrap_or_default()).await {
        Ok(store) => Ok(store.status == StoreStatus::Expired),
        Err(Error::NotFound { .. }) => Ok(true),
        Err(error) => Err(refusal(error, None)),
    }
}

/// The answer to a caller whose request OpenAI did not fulfil. `at` is the field that holds the key, if the caller
/// sent it.
fn refusal(error: Error, at: Option<&str>) -> HttpProblem {
    let key_rejected = |detail: &'static str| {
        let errors = at.map(|at| FieldError::at(at, "rejected", detail));
        HttpProblem::new(Kind::OpenaiKeyRejected, detail).with_errors(errors.into_iter().collect())
    };
    let retry_after = error.retry_after();
    match &error {
        Error::Unauthorized { .. } => key_rejected("OpenAI does not accept the key."),
        Error::Forbidden { .. } => key_rejected("OpenAI does not allow this to the key."),
        Error::NotFound { .. } => store_not_available(),
        Error::QuotaExhausted { .. } => HttpProblem::new(
            Kind::OpenaiQuotaExhausted,
            "The OpenAI account is out of credit or at a limit that it set itself. Waiting does not help.",
        ),
        Error::Rejected { message, .. } => {
            HttpProblem::invalid("", "refused_by_openai", format!("OpenAI refuses this: {message}"))
        }
        Error::RateLimited { .. }
        | Error::Unavailable { .. }
        | Error::BatchTooLong { .. }
        | Error::Unsupported { .. }
        | Error::Malformed { .. }
        | Error::Transport(_) => HttpProblem::vendor_unavailable("OpenAI", retry_after),
    }
    .because(error)
}

/// The one answer for a store that does not exist, is another project's, or is claimed: they are not to be told apart.
fn store_not_available() -> HttpProblem {
    const DETAIL: &str = "There is no vector store of this id that this knowledge base could use.";
    HttpProblem::new(Kind::StoreNotAvailable, DETAIL).with_errors(vec![FieldError::at(
        "/vector_store_id",
        "not_available",
        DETAIL,
    )])
}

/// Tries a new key on the store of a knowledge base and seals it if it reaches the store.
pub async fn change_key(
    app: &App,
    knowledge_base: &Model,
    key: &SecretString,
) -> Result<(Vec<u8>, String), HttpProblem> {
    const AT: &str = "/openai_api_key";
    let openai = client_with(app, key.clone());
    let seen = match &knowledge_base.vector_store_id {
        Some(id) => openai.store(id).await.map(|found| found.status != StoreStatus::Expired),
        None => openai.stores(None).await.map(|_| true),
    };
    match seen {
        Ok(true) => Ok(seal_key(app, knowledge_base.id, key)),
        Ok(false) | Err(Error::NotFound { .. }) => {
            const DETAIL: &str = "The key does not reach the vector store of this knowledge base.";
            Err(HttpProblem::new(Kind::StoreNotAvailable, DETAIL).with_errors(vec![FieldError::at(
                AT,
                "not_available",
                DETAIL,
            )]))
        }
        Err(error) => Err(refusal(error, Some(AT))),
    }
}
