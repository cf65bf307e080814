//! The bounded pipeline from bodies to a store that holds their text: fetch and convert, upload, attach, confirm.
//!
//! * Four stages run side by side; bytes in flight are bounded, so memory does not grow with pages.
//! * Every row is committed before the call that it stands for.
//! * When a vendor asks for a pause, nothing new begins, what is in flight is recorded, and a later run goes on.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{
    attach::{self, Ready},
    confirm,
    cost::BODIES,
    render::{self, Upload},
    restrictions,
    run::Run,
    settle::Left,
    stop::Stop,
    store::{self, documents::Item, files},
};
use crate::{
    entity::{document::Work, file},
    openai,
};

/// Rendered pages that wait for a free upload.
const WAITING: usize = 64;
/// Kibibytes of text that may wait or be on their way at once.
const KIBIBYTES_IN_FLIGHT: usize = 64 * 1024;

/// What became of sending one file.
#[derive(Debug)]
pub enum Sent {
    /// OpenAI has it under this id.
    Uploaded(Box<Ready>, String),
    /// It certainly does not exist: it was not sent.
    Unsent(Box<file::Model>),
    /// OpenAI refuses this text.
    Refused(Box<file::Model>, String),
    /// It may exist: the answer is lost, and the next run looks for it.
    Unknown,
}

/// Brings everything that is to be done into the store, beginning with files that an earlier run left half-way.
pub async fn drain(run: &Run, left: Left) -> Result<(), Stop> {
    let (to_upload, uploads) = mpsc::channel(WAITING);
    let (to_attach, sent) = mpsc::channel(WAITING);
    let (to_confirm, attached) = mpsc::unbounded_channel();
    let (gave_way, (), (), ()) = tokio::try_join!(
        fetch(run, to_upload),
        upload(run, uploads, to_attach),
        attach::collect(run, left.ready, sent, to_confirm),
        confirm::watch(run, left.batches, attached),
    )?;
    if gave_way {
        run.halt(Stop::HandOver);
    }
    Ok(())
}

/// Renders what is to be done, changes to live documents first, in full batches while more is being observed. Answers whether
/// it left the rest to a later run because others are due.
async fn fetch(run: &Run, out: mpsc::Sender<(Upload, OwnedSemaphorePermit)>) -> Result<bool, Stop> {
    let room = Arc::new(Semaphore::new(KIBIBYTES_IN_FLIGHT));
    resend(run, &room, &out).await?;
    let mut loaded = false;
    while !run.is_halted() {
        let closed = run.backlog_is_closed();
        let items = next(run).await?;
        if closed && items.is_empty() {
            break;
        }
        if !closed && (items.len() as u64) < BODIES {
            run.more.notified().await;
            continue;
        }
        let only_new = items.iter().all(|item| item.document.work == Work::Create);
        if loaded && only_new && run.gives_way().await? {
            return Ok(true);
        }
        let new = items.iter().filter(|item| item.document.work == Work::Create).count();
        run.take(new);
        loaded = closed;
        let uploads = match render_readable(run, items).await {
            Ok(uploads) => uploads,
            Err(stop @ (Stop::Pause { .. } | Stop::Failed { .. })) => {
                run.halt(stop);
                break;
            }
            Err(stop) => return Err(stop),
        };
        for upload in uploads {
            if !pass(&room, &out, upload).await {
                return Ok(false);
            }
        }
    }
    Ok(false)
}

/// Renders those that everybody may read.
async fn render_readable(run: &Run, items: Vec<Item>) -> Result<Vec<Upload>, Stop> {
    let items = restrictions::readable(run, items).await?;
    if items.is_empty() { Ok(Vec::new()) } else { render::render(run, items).await }
}

/// Passes a text on as soon as there is room for it; false if nobody takes it any more.
async fn pass(
    room: &Arc<Semaphore>,
    out: &mpsc::Sender<(Upload, OwnedSemaphorePermit)>,
    upload: Upload,
) -> bool {
    let size = (upload.text.len() / 1024 + 1).min(KIBIBYTES_IN_FLIGHT);
    let size = u32::try_from(size).unwrap_or(u32::MAX);
    let Ok(permit) = Arc::clone(room).acquire_many_owned(size).await else { return false };
    out.send((upload, permit)).await.is_ok()
}

/// Sends the kept texts of files that OpenAI has lost, without asking Confluence for anything.
async fn resend(
    run: &Run,
    room: &Arc<Semaphore>,
    out: &mpsc::Sender<(Upload, OwnedSemaphorePermit)>,
) -> Result<(), Stop> {
    let db = run.app.db.read();
    let mut after = None;
    loop {
        let unsent = files::unsent(db, run.source().id, after, BODIES).await?;
        let Some(last) = unsent.last() else { return Ok(()) };
        after = Some(last.id);
        let mut documents = store::documents::by_ids(db, unsent.iter().map(|file| file.document_id)).await?;
        for mut file in unsent {
            if run.is_halted() {
                return Ok(());
            }
            let Some(document) = documents.remove(&file.document_id) else { continue };
            let text = files::text(db, file.id).await?;
            let text = text.map(|packed| crate::files::unpack(&run.app.sealer, file.id, &packed));
            let tx = run.begin().await?;
            let Some(Ok(text)) = text else {
                tracing::warn!(document.id = %document.id, "the kept text of a lost file cannot be read");
                files::forget(&tx, &[file.id]).await?;
                run.commit(tx).await?;
                continue;
            };
            file.sent_at = Some(run.now());
            files::sending(&tx, file.id, run.now()).await?;
            run.commit(tx).await?;
            if !pass(room, out, Upload { document, file, text }).await {
                return Ok(());
            }
        }
    }
}

/// The next documents to render that were not tried in this run; no new ones without points for them.
async fn next(run: &Run) -> Result<Vec<Item>, Stop> {
    let mut items: Vec<Item> = Vec::new();
    for work in [Work::Revise, Work::Create] {
        let room = BODIES.saturating_sub(items.len() as u64);
        let most = items.len() as u64 + if work == Work::Create { room.min(run.loadable()) } else { room };
        let mut after = None;
        while (items.len() as u64) < most {
            let limit = most - items.len() as u64;
            let some =
                store::documents::to_do(run.app.db.read(), run.source().id, work, after, limit, run.now())
                    .await?;
            let Some(last) = some.last() else { break };
            after = Some(last.document.id);
            items.extend(some.into_iter().filter(|item| !run.was_tried(item.document.id)));
        }
    }
    Ok(items)
}

/// Uploads files, as many at once as the settings allow.
async fn upload(
    run: &Run,
    uploads: mpsc::Receiver<(Upload, OwnedSemaphorePermit)>,
    out: mpsc::Sender<Sent>,
) -> Result<(), Stop> {
    let uploads = stream::unfold(uploads, |mut uploads| async { Some((uploads.recv().await?, uploads)) });
    let sent = uploads
        .map(|(upload, permit)| async move {
            let sent = send(run, upload).await;
            drop(permit);
            sent
        })
        .buffer_unordered(run.app.settings.openai.uploads_in_flight.max(1));
    let mut sent = std::pin::pin!(sent);
    while let Some(sent) = sent.next().await {
        if out.send(sent?).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn send(run: &Run, upload: Upload) -> Result<Sent, Stop> {
    let Upload { document, file, text } = upload;
    if run.is_halted() {
        return Ok(Sent::Unsent(Box::new(file)));
    }
    let _place = run.pace.upload().await;
    if run.is_halted() {
        return Ok(Sent::Unsent(Box::new(file)));
    }
    run.may_write()?;
    match run.openai.upload_file(&file.file_name, Bytes::from(text)).await {
        Ok(uploaded) => Ok(Sent::Uploaded(Box::new((document, file)), uploaded.id)),
        Err(error) if error.effect_unknown() => {
            tracing::warn!(document.id = %document.id, %error, "the answer to an upload is lost");
            run.tried(document.id);
            run.note_trouble(error.into());
            Ok(Sent::Unknown)
        }
        Err(openai::Error::Rejected { message, .. }) => Ok(Sent::Refused(Box::new(file), message)),
        Err(error) => {
            run.halt(error.into());
            Ok(Sent::Unsent(Box::new(file)))
        }
    }
}
