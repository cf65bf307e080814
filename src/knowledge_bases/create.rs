//! Making a knowledge base: a store of our own, whose making may have to be settled later, or one that is adopted.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;

use super::{
    OWNER, base_url, client, client_with, loss, owner_mark, refusal, seal_key, store, store_not_available,
};
use crate::{
    app::App,
    entity::{
        Metadata, Problem,
        knowledge_base::{KnowledgeBaseStatus, Model, StoreOrigin},
    },
    http::problem::{Kind, Problem as HttpProblem},
    ids::{KnowledgeBaseId, WorkspaceId},
    openai::{Client, Error, StoreStatus},
};

/// Stores are looked for from this long before their knowledge base was made: the vendor's clock may be behind ours.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::minutes(10);

/// What a client asks for.
#[derive(Debug)]
pub struct New {
    pub workspace_id: WorkspaceId,
    pub name: String,
    /// A store to adopt; absent: one is made.
    pub vector_store_id: Option<String>,
    /// Absent: the server's key.
    pub openai_api_key: Option<SecretString>,
    pub external_id: Option<String>,
    pub metadata: Metadata,
}

/// Makes a knowledge base. Its status is `creating` if OpenAI did not say whether it made the store.
pub async fn create(app: &App, new: New) -> Result<Model, HttpProblem> {
    let key_at = new.openai_api_key.is_some().then_some("/openai_api_key");
    let Some(key) = new.openai_api_key.clone().or_else(|| app.settings.openai.api_key.clone()) else {
        return Err(HttpProblem::new(
            Kind::OpenaiNotConfigured,
            "This installation has no OpenAI key; send one as `openai_api_key`.",
        ));
    };
    let openai = client_with(app, key);
    let row = row(app, new);
    match row.vector_store_id.clone() {
        Some(store_id) => adopt(app, &openai, row, &store_id, key_at).await,
        None => make(app, &openai, row, key_at).await,
    }
}

fn row(app: &App, new: New) -> Model {
    let now = app.clock.now();
    let id = KnowledgeBaseId::new();
    let (credential, credential_last4) = new.openai_api_key.map(|key| seal_key(app, id, &key)).unzip();
    let (origin, status) = match new.vector_store_id {
        Some(_) => (StoreOrigin::Adopted, KnowledgeBaseStatus::Active),
        None => (StoreOrigin::Created, KnowledgeBaseStatus::Creating),
    };
    Model {
        id,
        workspace_id: new.workspace_id,
        name: new.name,
        openai_base_url: base_url(app),
        vector_store_id: new.vector_store_id,
        origin,
        status,
        problem: None,
        credential,
        credential_last4,
        delete_store: false,
        forget: false,
        external_id: new.external_id,
        metadata: new.metadata,
        revision: 1,
        last_reconciled_at: None,
        created_at: now,
        updated_at: now,
    }
}

/// The store is looked at first and claimed then, whoever asks: so a claimed one takes as long as an unknown one.
async fn adopt(
    app: &App,
    openai: &Client,
    row: Model,
    store_id: &str,
    key_at: Option<&str>,
) -> Result<Model, HttpProblem> {
    match openai.store(store_id).await {
        Ok(found) if found.status == StoreStatus::Expired => return Err(store_not_available()),
        // What cannot be an id is not one.
        Err(error @ Error::Rejected { .. }) => return Err(store_not_available().because(error)),
        Err(error) => return Err(refusal(error, key_at)),
        Ok(_) => {}
    }
    match store::insert(app.db.write(), row).await {
        Ok(row) => Ok(row),
        Err(error @ store::Error::Claimed) => Err(store_not_available().because(error)),
        Err(store::Error::Db(error)) => Err(error.into()),
    }
}

async fn make(app: &App, openai: &Client, row: Model, key_at: Option<&str>) -> Result<Model, HttpProblem> {
    let row = store::insert(app.db.write(), row).await.map_err(|error| match error {
        store::Error::Db(error) => error.into(),
        error @ store::Error::Claimed => HttpProblem::internal(error),
    })?;
    match openai.create_store(&row.name, &marked(app, &row)).await {
        Ok(made) => settle(app, row, &made.id).await.map_err(HttpProblem::internal),
        Err(error) if error.effect_unknown() => {
            tracing::warn!(knowledge_base.id = %row.id, %error, "whether the store was made is to be settled");
            Ok(row)
        }
        Err(error) => {
            store::remove_unmade(app.db.write(), row.id).await?;
            Err(refusal(error, key_at))
        }
    }
}

fn marked(app: &App, row: &Model) -> BTreeMap<String, String> {
    BTreeMap::from([(OWNER.to_owned(), owner_mark(app.installation, row.id))])
}

async fn settle(app: &App, row: Model, store_id: &str) -> Result<Model, store::Error> {
    let now = app.clock.now();
    if !store::settle(app.db.write(), row.id, store_id, now).await? {
        // It is being deleted: what is there at OpenAI carries its mark, and is empty.
        return Ok(row);
    }
    let vector_store_id = Some(store_id.to_owned());
    Ok(Model { vector_store_id, status: KnowledgeBaseStatus::Active, updated_at: now, ..row })
}

/// Finds out what became of a store whose making was never answered, and makes it if it does not exist. To be called
/// by each tick for each knowledge base of [`store::creating`]; it does nothing while the first request may still be
/// under way, or another process is at it.
pub async fn settle_creating(app: &App, seen: &Model, now: DateTime<Utc>) -> Result<(), store::Error> {
    let patience = app.settings.timing.request_timeout * 2;
    let is_early = now.signed_duration_since(seen.updated_at).to_std().is_ok_and(|age| age < patience);
    if is_early || !store::take_turn(app.db.write(), seen, now).await? {
        return Ok(());
    }
    let problem = match client(app, seen) {
        Err(problem) => Some(problem),
        Ok(openai) => match find_or_make(app, &openai, seen).await {
            Ok(store_id) => {
                settle(app, seen.clone(), &store_id).await?;
                tracing::info!(knowledge_base.id = %seen.id, "the store is there");
                None
            }
            Err(error) => {
                tracing::warn!(knowledge_base.id = %seen.id, %error, "the store could not be settled yet");
                unmakeable(&error)
            }
        },
    };
    if let Some(problem) = problem {
        store::block(app.db.write(), seen.id, problem, now).await?;
    }
    Ok(())
}

async fn find_or_make(app: &App, openai: &Client, row: &Model) -> Result<String, Error> {
    let mark = owner_mark(app.installation, row.id);
    let oldest = (row.created_at - CLOCKS_DIFFER).timestamp();
    let mut stores = openai.walk_stores();
    while let Some(listing) = stores.next().await? {
        if let Some(ours) = listing.items.iter().find(|store| store.metadata.get(OWNER) == Some(&mark)) {
            return Ok(ours.id.clone());
        }
        if listing.items.last().is_some_and(|store| store.created_at < oldest) {
            break;
        }
    }
    Ok(openai.create_store(&row.name, &marked(app, row)).await?.id)
}

/// What a person must do before the store can be made; `None` if a later tick may manage it alone.
fn unmakeable(error: &Error) -> Option<Problem> {
    match error {
        Error::QuotaExhausted { .. } => Some(Problem::new(
            "openai_quota_exhausted",
            "The OpenAI account is out of credit or at a limit that it set itself.",
            "Raise the limit, then give the knowledge base a key: PATCH /v1/knowledge-bases/{id}.",
        )),
        Error::Rejected { message, .. } => Some(Problem::new(
            "refused_by_openai",
            format!("OpenAI refuses to make the vector store: {message}"),
            "Delete the knowledge base and create it anew.",
        )),
        error => loss(error),
    }
}
