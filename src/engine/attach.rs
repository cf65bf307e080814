//! Attaches uploaded files to the store, in batches: a batch closes when it is full or old enough.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use chrono::TimeDelta;
use futures_util::{StreamExt, stream};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::{
    attributes,
    pipeline::Sent,
    run::Run,
    stop::Stop,
    store::{
        self,
        changes::Line,
        files,
        outcomes::{self, Failure},
    },
};
use crate::{
    entity::{
        batch::{self, BatchStatus},
        change::{ChangeKind, ChangeOutcome},
        document, file,
    },
    ids::{BatchId, FileId},
    openai::{self, BatchFile},
};

/// Single attaches at once.
const SINGLES: usize = 4;
/// Results that are committed together.
const GROUP: usize = 64;
/// For so long OpenAI may not know a file that was just uploaded.
const A_MOMENT: TimeDelta = TimeDelta::minutes(1);

/// What a run has learned of the server's batches.
#[derive(Debug, Default)]
pub struct Batches {
    /// The server has none, or ignores what is in them.
    unsupported: AtomicBool,
    /// The most files it takes; 0: as many as the settings say.
    most: AtomicUsize,
}

/// An uploaded file that waits to be attached.
pub type Ready = (document::Model, file::Model);

/// Records what was sent, in groups, and attaches it in batches.
pub async fn collect(
    run: &Run,
    left: Vec<Ready>,
    mut sent: mpsc::Receiver<Sent>,
    out: mpsc::UnboundedSender<BatchId>,
) -> Result<(), Stop> {
    let mut ready = left;
    let mut close_at = Instant::now() + run.app.settings.timing.batch_close_after;
    loop {
        let mut group = Vec::new();
        let open = match timeout_at(close_at, sent.recv_many(&mut group, GROUP)).await {
            Ok(0) => false,
            Ok(_) => {
                if ready.is_empty() {
                    close_at = Instant::now() + run.app.settings.timing.batch_close_after;
                }
                record(run, group, &mut ready).await?;
                true
            }
            Err(_) => true,
        };
        let full = run.app.settings.timing.batch_files.max(1);
        while ready.len() >= full {
            let rest = ready.split_off(full);
            attach(run, std::mem::replace(&mut ready, rest), &out).await?;
        }
        if !open || Instant::now() >= close_at {
            attach(run, std::mem::take(&mut ready), &out).await?;
            close_at = Instant::now() + run.app.settings.timing.batch_close_after;
        }
        if !open {
            return Ok(());
        }
    }
}

/// Commits what became of a group of uploads.
async fn record(run: &Run, group: Vec<Sent>, ready: &mut Vec<Ready>) -> Result<(), Stop> {
    if group.is_empty() {
        return Ok(());
    }
    let now = run.now();
    let (mut ids, mut unsent, mut later, mut lines) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let tx = run.begin().await?;
    for sent in group {
        match sent {
            Sent::Uploaded(uploaded, openai_id) => {
                let (document, mut file) = *uploaded;
                ids.push((file.id, openai_id.clone()));
                file.openai_file_id = Some(openai_id);
                ready.push((document, file));
            }
            Sent::Unsent(file) => {
                run.tried(file.document_id);
                // A file that was live before is sent by a later run, from its kept text.
                let which = if file.completed_at.is_some() { &mut later } else { &mut unsent };
                which.push(file.id);
            }
            Sent::Refused(file, message) => {
                let message = format!("OpenAI refuses the text: {message}");
                let failure = Failure::of_text("refused_by_openai", message, &file);
                unsent.push(file.id);
                outcomes::failed(&tx, &[file.document_id], &failure, now).await?;
                lines.push(Line::of(file.document_id, ChangeKind::Create, ChangeOutcome::Failed));
                run.count(1, |counts| counts.failed += 1);
            }
            Sent::Unknown => {}
        }
    }
    files::uploaded(&tx, &ids).await?;
    files::forget(&tx, &unsent).await?;
    files::unsend(&tx, &later).await?;
    store::changes::add(&tx, run.sync(), lines, now).await?;
    run.commit(tx).await
}

/// Attaches files, in as many batches as the server asks for.
async fn attach(run: &Run, ready: Vec<Ready>, out: &mpsc::UnboundedSender<BatchId>) -> Result<(), Stop> {
    if ready.is_empty() {
        return Ok(());
    }
    let pairs: Vec<(&document::Model, &file::Model)> =
        ready.iter().map(|(document, file)| (document, file)).collect();
    let described = attributes::describe(run, &pairs).await?;
    let mut waiting: Vec<(FileId, BatchFile)> = ready
        .into_iter()
        .zip(described)
        .filter_map(|((_, file), attributes)| {
            Some((file.id, BatchFile { file_id: file.openai_file_id?, attributes }))
        })
        .collect();
    while !waiting.is_empty() && !run.is_halted() {
        let most = run.batches.most.load(Ordering::Relaxed);
        let rest = if most > 0 && waiting.len() > most { waiting.split_off(most) } else { Vec::new() };
        let refused = attach_batch(run, waiting, out).await?;
        waiting = refused;
        waiting.extend(rest);
    }
    Ok(())
}

/// Attaches one batch; answers the files again if it was too long for the server.
async fn attach_batch(
    run: &Run,
    files: Vec<(FileId, BatchFile)>,
    out: &mpsc::UnboundedSender<BatchId>,
) -> Result<Vec<(FileId, BatchFile)>, Stop> {
    let id = plan(run, &files).await?;
    if run.batches.unsupported.load(Ordering::Relaxed) {
        attach_singly(run, id, &files, out).await?;
        return Ok(Vec::new());
    }
    let bodies: Vec<BatchFile> = files.iter().map(|(_, body)| body.clone()).collect();
    run.pace.attach().await;
    run.may_write()?;
    match run.openai.create_batch(&run.store, &bodies).await {
        Ok(batch) if batch.counts.total == files.len() as u64 => {
            attached(run, id, BatchStatus::Open, Some(batch.id)).await?;
            // Whoever confirms is gone only when the run is over.
            _ = out.send(id);
        }
        Ok(_) | Err(openai::Error::Unsupported { .. }) => {
            run.batches.unsupported.store(true, Ordering::Relaxed);
            attach_singly(run, id, &files, out).await?;
        }
        Err(openai::Error::BatchTooLong { max, .. }) => {
            run.batches.most.store(max.clamp(1, files.len().div_ceil(2)), Ordering::Relaxed);
            detached(run, &files).await?;
            return Ok(files);
        }
        Err(error) if error.effect_unknown() => {
            tracing::warn!(batch.id = %id, %error, "the answer to a batch is lost");
            run.halt(error.into());
        }
        Err(error) => {
            run.halt(refusal(run, id, error).await);
            detached(run, &files).await?;
        }
    }
    Ok(Vec::new())
}

/// What a refused attach means: OpenAI may not know a new file yet, or has lost an old one. A lost store is neither.
async fn refusal(run: &Run, batch: BatchId, error: openai::Error) -> Stop {
    if !error.is_not_found() {
        return error.into();
    }
    match forget_lost(run, batch).await {
        Ok(()) => Stop::pause("openai_unavailable", "OpenAI does not know a file that was uploaded.", None),
        Err(stop) => stop,
    }
}

/// Forgets files of a batch that are no longer at OpenAI: their documents are uploaded anew.
async fn forget_lost(run: &Run, batch: BatchId) -> Result<(), Stop> {
    run.openai.store(&run.store).await?;
    let mut lost = Vec::new();
    for file in files::of_batch(run.app.db.read(), batch).await? {
        let Some(id) = &file.openai_file_id else { continue };
        if file.sent_at.is_some_and(|sent_at| run.now() - sent_at < A_MOMENT) {
            continue;
        }
        match run.openai.file(id).await {
            Ok(_) => {}
            Err(error) if error.is_not_found() => lost.push(file.id),
            Err(error) => return Err(error.into()),
        }
    }
    let tx = run.begin().await?;
    files::forget(&tx, &lost).await?;
    run.commit(tx).await
}

/// Notes a batch before its call.
async fn plan(run: &Run, files: &[(FileId, BatchFile)]) -> Result<BatchId, Stop> {
    let (id, now) = (BatchId::new(), run.now());
    let deadline = TimeDelta::from_std(run.app.settings.timing.indexing_deadline).unwrap_or(TimeDelta::MAX);
    let row = batch::Model {
        id,
        source_id: run.source().id,
        knowledge_base_id: run.knowledge_base.id,
        vendor_id: None,
        status: BatchStatus::Sending,
        size: i32::try_from(files.len()).unwrap_or(i32::MAX),
        sent_at: now,
        deadline_at: now + deadline,
    };
    let described: Vec<(FileId, serde_json::Value)> =
        files.iter().map(|(id, body)| (*id, serde_json::json!(body.attributes))).collect();
    let tx = run.begin().await?;
    files::attach(&tx, row, &described).await?;
    run.commit(tx).await?;
    Ok(id)
}

async fn attached(
    run: &Run,
    batch: BatchId,
    status: BatchStatus,
    vendor_id: Option<String>,
) -> Result<(), Stop> {
    let tx = run.begin().await?;
    files::attached(&tx, batch, status, vendor_id).await?;
    run.commit(tx).await
}

async fn detached(run: &Run, files: &[(FileId, BatchFile)]) -> Result<(), Stop> {
    let ids: Vec<FileId> = files.iter().map(|(id, _)| *id).collect();
    let tx = run.begin().await?;
    files::detached(&tx, &ids).await?;
    run.commit(tx).await
}

/// Attaches files one by one, for servers without batches.
async fn attach_singly(
    run: &Run,
    batch: BatchId,
    files: &[(FileId, BatchFile)],
    out: &mpsc::UnboundedSender<BatchId>,
) -> Result<(), Stop> {
    attached(run, batch, BatchStatus::Single, None).await?;
    // By index: a stream of references is not known to be `Send`.
    let undone: Vec<FileId> = stream::iter(0..files.len())
        .map(|at| async move {
            let (id, body) = &files[at];
            attach_one(run, batch, *id, body).await
        })
        .buffer_unordered(SINGLES)
        .filter_map(|undone| async move { undone })
        .collect()
        .await;
    let tx = run.begin().await?;
    files::detached(&tx, &undone).await?;
    run.commit(tx).await?;
    _ = out.send(batch);
    Ok(())
}

/// Attaches one file; answers it if that certainly had no effect.
async fn attach_one(run: &Run, batch: BatchId, id: FileId, body: &BatchFile) -> Option<FileId> {
    if run.is_halted() {
        return Some(id);
    }
    run.pace.attach().await;
    if let Err(stop) = run.may_write() {
        run.halt(stop);
        return Some(id);
    }
    match run.openai.attach(&run.store, &body.file_id, &body.attributes).await {
        Ok(_) => None,
        // Whether it is attached shows when the store is asked for it.
        Err(error) if error.effect_unknown() => None,
        Err(error) => {
            run.halt(refusal(run, batch, error).await);
            Some(id)
        }
    }
}
