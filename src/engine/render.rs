//! Fetches bodies in batches, converts them, and decides what becomes of each: uploaded, touched, skipped or failed.

use std::{
    collections::HashMap,
    panic::{UnwindSafe, catch_unwind},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use sha2::{Digest, Sha256};

use super::{
    file_name,
    run::Run,
    stop::Stop,
    store::{
        self,
        changes::Line,
        documents::Item,
        files::Candidate,
        outcomes::{self, Failure},
    },
};
use crate::{
    confluence::{self, Page, Status},
    convert,
    entity::{
        change::{ChangeKind, ChangeOutcome},
        document,
        file::{self, FileRole, FileStage},
        source,
    },
    files,
    ids::{FileId, InstallationId, KnowledgeBaseId},
    seal::Sealer,
};

/// A rendering larger than this is not uploaded.
const LARGEST: usize = 25 * 1024 * 1024;

/// A file that is ready to be uploaded.
#[derive(Debug)]
pub struct Upload {
    /// The document.
    pub document: document::Model,
    /// Its row.
    pub file: file::Model,
    /// The exact text.
    pub text: String,
}

/// What became of one page.
enum Outcome {
    Upload(Box<Upload>, Vec<u8>),
    /// The text that is live already; packed, where it was not kept yet.
    Touched(Item, i64, Option<(FileId, Vec<u8>)>),
    /// No text at all.
    Empty(Item, i64),
    Failed(Item, Failure),
}

/// Renders documents; answers those to be uploaded, whose rows are committed.
pub async fn render(run: &Run, items: Vec<Item>) -> Result<Vec<Upload>, Stop> {
    let ids: Vec<String> = items.iter().map(|item| item.document.external_id.clone()).collect();
    let bodies = bodies(run, &ids).await?;
    let spaces = store::observed::spaces(run.app.db.read(), run.source().id).await?;
    let (mut ready, mut failed) = (Vec::new(), Vec::new());
    for item in items {
        match bodies.get(&item.document.external_id) {
            Some(Body::Page(page)) => {
                let key = spaces.get(&item.document.space_id).map_or("", |space| space.key.as_str());
                ready.push((item, page.clone(), key.to_owned()));
            }
            Some(Body::Failed(failure)) => failed.push(Outcome::Failed(item, failure.clone())),
            // The page went away since it was seen: the next observation finds out how.
            None => run.tried(item.document.id),
        }
    }
    let mut outcomes = convert_all(run, ready).await?;
    outcomes.extend(failed);
    settle(run, outcomes).await
}

enum Body {
    Page(Box<Page>),
    Failed(Failure),
}

/// The bodies of pages. Where an answer is too large or a batch fails, it is halved down to single pages.
async fn bodies(run: &Run, ids: &[String]) -> Result<HashMap<String, Body>, Stop> {
    let mut bodies = HashMap::new();
    let mut parts = vec![ids];
    while let Some(part) = parts.pop() {
        match run
            .ask(|client| async move { client.pages_by_id(part, &[Status::Current], true).await }.boxed())
            .await?
        {
            Ok(pages) => {
                bodies.extend(pages.into_iter().map(|page| (page.id.clone(), Body::Page(Box::new(page)))));
            }
            Err(error) if part.len() > 1 && is_about_one(&error) => {
                let (one, other) = part.split_at(part.len() / 2);
                parts.extend([one, other]);
            }
            Err(error) => {
                let [id] = part else { return Err(error.into()) };
                if let Some(failure) = failure_of(run, id, error).await? {
                    bodies.insert(id.clone(), Body::Failed(failure));
                }
            }
        }
    }
    Ok(bodies)
}

/// Why the body of one page cannot be read: the page's own failure, if the page answers without its body. Nothing if
/// it went away.
async fn failure_of(run: &Run, id: &str, error: confluence::Error) -> Result<Option<Failure>, Stop> {
    if !is_about_one(&error) {
        return Err(error.into());
    }
    match run.ask(|client| Box::pin(async move { client.page(id).await })).await? {
        Ok(page) if error.is_too_large() => {
            Ok(Some(Failure::lasting("too_large", "The page is too large to be read.", page.version.number)))
        }
        Ok(_) => {
            Ok(Some(Failure::passing("unreadable", format!("The page's text cannot be read: {error}."))))
        }
        Err(gone) if gone.is_not_found() => Ok(None),
        Err(_) => Err(error.into()),
    }
}

/// Whether an error may be the doing of one page in the batch.
fn is_about_one(error: &confluence::Error) -> bool {
    use confluence::Error as E;
    error.is_too_large() || matches!(error, E::Unavailable { .. } | E::Malformed { .. } | E::Rejected { .. })
}

/// A page to convert: its document, its body, and the key of its space.
type Ready = (Item, Box<Page>, String);

/// Converts pages away from the threads that wait for the network.
async fn convert_all(run: &Run, pages: Vec<Ready>) -> Result<Vec<Outcome>, Stop> {
    let source = run.source().clone();
    let converter = Converter {
        sealer: Arc::clone(&run.app.sealer),
        installation: run.app.installation,
        knowledge_base: run.knowledge_base.id,
        site_url: format!("{}/wiki", source.site_url.trim_end_matches('/')),
        source,
        now: run.now(),
    };
    tokio::task::spawn_blocking(move || pages.into_iter().map(|page| converter.convert(page)).collect())
        .await
        .map_err(|error| Stop::pause("conversion_failed", format!("The converter failed: {error}."), None))
}

/// What all pages of a run are converted with. It holds no database: a conversion may outlive its run.
struct Converter {
    sealer: Arc<Sealer>,
    installation: InstallationId,
    source: source::Model,
    knowledge_base: KnowledgeBaseId,
    site_url: String,
    now: DateTime<Utc>,
}

impl Converter {
    /// Converts a page, and tells whether its text is worth an upload.
    fn convert(&self, (item, mut page, space_key): Ready) -> Outcome {
        let storage = page.take_storage().unwrap_or_default();
        let body = convert::Page {
            title: &page.title,
            site_url: &self.site_url,
            space_key: &space_key,
            page_id: &page.id,
            storage: &storage,
        };
        let version = page.version.number;
        let Some(rendering) = attempt(|| convert::markdown(&body)) else {
            tracing::error!(page.id = %page.id, page.version = version, "the converter failed on a page");
            let message = "The page's text could not be converted: a fault of Tidegate.";
            return Outcome::Failed(item, Failure::passing("conversion_failed", message));
        };
        if rendering.is_empty {
            return Outcome::Empty(item, version);
        }
        let text = rendering.markdown;
        let sha256 = Sha256::digest(text.as_bytes()).to_vec();
        if let Some(live) = item.live.as_ref().filter(|live| live.sha256 == sha256) {
            // A file that was taken up came without its text.
            let kept = || Some((live.id, files::pack(&self.sealer, live.id, &text).ok()?));
            let kept = if live.sent_at.is_none() { kept() } else { None };
            return Outcome::Touched(item, version, kept);
        }
        if item.document.refused_sha256.as_ref() == Some(&sha256) {
            let message = "OpenAI refused this very text before.";
            return Outcome::Failed(item, Failure::lasting("refused_by_openai", message, version));
        }
        if text.len() > LARGEST {
            let message = "The page has more than 25 MiB of text.";
            return Outcome::Failed(item, Failure::lasting("too_large", message, version));
        }
        self.upload(item, &page, text, sha256)
    }

    /// The row of a new file, and its text.
    fn upload(&self, item: Item, page: &Page, text: String, sha256: Vec<u8>) -> Outcome {
        let id = FileId::new();
        let packed = match files::pack(&self.sealer, id, &text) {
            Ok(packed) => packed,
            Err(error) => return Outcome::Failed(item, Failure::passing("cannot_pack", error.to_string())),
        };
        let file = file::Model {
            id,
            document_id: item.document.id,
            source_id: self.source.id,
            knowledge_base_id: self.knowledge_base,
            role: FileRole::Candidate,
            stage: FileStage::Uploading,
            file_name: file_name::of(&page.title, &page.id, self.installation, id),
            openai_file_id: None,
            batch_id: None,
            sha256,
            bytes: i64::try_from(text.len()).unwrap_or(i64::MAX),
            version: page.version.number,
            edited_at: page.version.created_at,
            attributes: serde_json::Value::Null,
            selections_revision: self.source.selections_revision,
            sent_at: Some(self.now),
            created_at: self.now,
            completed_at: None,
            retiring_at: None,
            retire_reason: None,
            seen_at: None,
        };
        Outcome::Upload(Box::new(Upload { document: item.document, file, text }), packed)
    }
}

/// Nothing where the conversion panics: a fault met on one page must not take the others of its run along.
fn attempt<T>(conversion: impl FnOnce() -> T + UnwindSafe) -> Option<T> {
    catch_unwind(conversion).ok()
}

/// Commits what became of the pages in one transaction; answers the uploads.
async fn settle(run: &Run, outcomes: Vec<Outcome>) -> Result<Vec<Upload>, Stop> {
    let now = run.now();
    let (mut uploads, mut candidates, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    let tx = run.begin().await?;
    for outcome in outcomes {
        let (document, kind, result) = match outcome {
            Outcome::Upload(upload, packed) => {
                candidates.push(Candidate { file: upload.file.clone(), packed });
                uploads.push(*upload);
                continue;
            }
            Outcome::Touched(item, version, kept) => {
                if let Some((file, packed)) = kept {
                    store::files::keep_text(&tx, file, packed).await?;
                }
                outcomes::touched(&tx, item.document.id, version, now).await?;
                // It is done when its attributes are.
                run.count(0, |counts| counts.touched += 1);
                (item.document.id, ChangeKind::Revise, ChangeOutcome::Touched)
            }
            Outcome::Empty(item, version) => {
                outcomes::empty(&tx, item.document.id, version, now).await?;
                run.count(1, |counts| counts.skipped += 1);
                (item.document.id, kind(&item), ChangeOutcome::Skipped)
            }
            Outcome::Failed(item, failure) => {
                outcomes::failed(&tx, &[item.document.id], &failure, now).await?;
                run.count(1, |counts| counts.failed += 1);
                (item.document.id, kind(&item), ChangeOutcome::Failed)
            }
        };
        lines.push(Line::of(document, kind, result));
    }
    store::files::plan(&tx, &candidates, now).await?;
    store::changes::add(&tx, run.sync(), lines, now).await?;
    run.commit(tx).await?;
    Ok(uploads)
}

fn kind(item: &Item) -> ChangeKind {
    if item.live.is_some() { ChangeKind::Revise } else { ChangeKind::Create }
}

#[cfg(test)]
mod tests {
    use super::attempt;

    #[test]
    fn a_panic_is_the_failure_of_one_page() {
        let lengths =
            ["one", "", "three"].map(|page| attempt(|| page.chars().next().map(char::len_utf8).unwrap()));
        assert_eq!(lengths, [Some(1), None, Some(1)]);
    }
}
