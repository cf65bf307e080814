//! Deleting sources and knowledge bases: their files leave the store first, even when Confluence is dead or the source
//! was paused. The credential stays until the last file is gone.

use sea_orm::DbErr;

use super::{
    retire::Retiring,
    settle,
    stop::Stop,
    store::{erased, erased::Doomed, files, lease::Lease},
};
use crate::{
    app::App,
    entity::{knowledge_base, knowledge_base::KnowledgeBaseStatus, knowledge_base::StoreOrigin},
    knowledge_bases, openai,
};

/// Goes on with every deletion that was asked for. A failure is logged and met again on the next tick.
pub async fn erase_deleted(app: &App) -> Result<(), DbErr> {
    let mut done = Vec::new();
    while let Some(doomed) =
        erased::claim(&app.db, app.replica, app.settings.timing.lease, &done, app.clock.now()).await?
    {
        done.push(doomed.source.id);
        let (source, lease) = (doomed.source.id, doomed.lease.clone());
        match erase_source(app, doomed).await {
            Ok(()) => lease.release(&app.db).await?,
            // The lease is kept until it ends, so that a dead key is not asked again at once.
            Err(stop) => tracing::warn!(source.id = %source, error = %stop, "a source cannot be erased yet"),
        }
    }
    for knowledge_base in erased::empty_knowledge_bases(app.db.read()).await? {
        if let Err(stop) = erase_knowledge_base(app, &knowledge_base).await {
            tracing::warn!(knowledge_base.id = %knowledge_base.id, error = %stop, "a knowledge base cannot be erased yet");
        }
    }
    erased::workspaces(&app.db).await
}

async fn erase_source(app: &App, doomed: Doomed) -> Result<(), Stop> {
    let Doomed { lease, source, knowledge_base } = doomed;
    let now = app.clock.now();
    let tx = lease.begin(&app.db).await?;
    if source.keep_documents || knowledge_base.forget {
        files::forget_source(&tx, source.id, now).await?;
    } else {
        files::retire_source(&tx, source.id, now).await?;
    }
    tx.commit().await?;
    if files::any_left(app.db.read(), source.id).await? {
        delete_files(app, &lease, &knowledge_base, source.id).await?;
    }
    if !files::any_left(app.db.read(), source.id).await? {
        let tx = lease.begin(&app.db).await?;
        erased::source(&tx, source.id).await?;
        tx.commit().await?;
        tracing::info!(source.id = %source.id, "a source was erased");
    }
    Ok(())
}

async fn delete_files(
    app: &App,
    lease: &Lease,
    knowledge_base: &knowledge_base::Model,
    source: crate::ids::SourceId,
) -> Result<(), Stop> {
    let openai = knowledge_bases::client(app, knowledge_base).map_err(Stop::failed)?;
    let store = knowledge_base.vector_store_id.as_deref().unwrap_or_default();
    let (timing, now) = (&app.settings.timing, app.clock.now());
    let unanswered = files::unanswered(app.db.read(), source).await?;
    if !unanswered.is_empty() {
        let fates = settle::fates(&openai, &unanswered, timing.lost_upload_deadline, now).await?;
        let tx = lease.begin(&app.db).await?;
        fates.apply(&tx, now).await?;
        tx.commit().await?;
    }
    let pace = knowledge_bases::pace(app, knowledge_base);
    let retiring = Retiring { db: &app.db, lease, source, openai: &openai, store, pace: &pace };
    let until = tokio::time::Instant::now() + timing.lease / 2;
    retiring.run(|| app.is_stopping() || tokio::time::Instant::now() >= until).await?;
    Ok(())
}

/// The last source is gone: the store goes, too, if it was asked for, if we made it, and if nothing foreign is in it.
async fn erase_knowledge_base(app: &App, knowledge_base: &knowledge_base::Model) -> Result<(), Stop> {
    debug_assert_eq!(knowledge_base.status, KnowledgeBaseStatus::Deleting, "only these are asked for");
    let goes_too = knowledge_base.delete_store
        && knowledge_base.origin == StoreOrigin::Created
        && !knowledge_base.forget;
    if let Some(store) = knowledge_base.vector_store_id.as_deref().filter(|_| goes_too) {
        let openai = knowledge_bases::client(app, knowledge_base).map_err(Stop::failed)?;
        delete_store(&openai, store).await?;
    }
    erased::knowledge_base(&app.db, knowledge_base.id).await?;
    tracing::info!(knowledge_base.id = %knowledge_base.id, "a knowledge base was erased");
    Ok(())
}

async fn delete_store(openai: &openai::Client, store: &str) -> Result<(), openai::Error> {
    let entries = match openai.store_files(store, &openai::StoreFileQuery::default(), None).await {
        Err(error) if error.is_not_found() => return Ok(()),
        entries => entries?,
    };
    if entries.items.is_empty() {
        openai.delete_store(store).await?;
    } else {
        tracing::warn!(vector_store.id = store, "the store stays: files that are not ours are in it");
    }
    Ok(())
}
