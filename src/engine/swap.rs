//! The one place where documents change their live file: new files become live, old ones retire, in one transaction.

use std::collections::HashSet;

use super::{
    attributes,
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
        change::{ChangeKind, ChangeOutcome},
        file,
    },
    ids::{DocumentId, FileId},
};

/// Makes completed candidates live. Those that stopped being candidates meanwhile are left alone.
pub async fn swap(run: &Run, completed: &[file::Model]) -> Result<(), Stop> {
    for some in completed.chunks(400) {
        let ids: Vec<FileId> = some.iter().map(|file| file.id).collect();
        let now = run.now();
        let moved = moved_meanwhile(run, some).await?;
        let tx = run.begin().await?;
        let candidates = files::still_candidates(&tx, &ids).await?;
        let replaced: HashSet<DocumentId> = files::with_live_file(&tx, &candidates).await?;
        files::swap(&tx, &ids, now).await?;
        let described = store::documents::describe_again(&tx, &moved).await?;
        run.want(usize::try_from(described).unwrap_or(usize::MAX));
        let updated = candidates.iter().filter(|document| replaced.contains(document)).count() as u64;
        let created = candidates.len() as u64 - updated;
        let lines = candidates.iter().map(|document| {
            if replaced.contains(document) {
                Line::of(*document, ChangeKind::Revise, ChangeOutcome::Updated)
            } else {
                Line::of(*document, ChangeKind::Create, ChangeOutcome::Created)
            }
        });
        store::changes::add(&tx, run.sync(), lines.collect(), now).await?;
        run.count(candidates.len(), |counts| {
            counts.created += created;
            counts.updated += updated;
        });
        run.commit(tx).await?;
    }
    Ok(())
}

/// The documents of files that would be described otherwise now than when they were attached.
async fn moved_meanwhile(run: &Run, files: &[file::Model]) -> Result<Vec<DocumentId>, Stop> {
    let ids = files.iter().map(|file| file.document_id);
    let documents = store::documents::by_ids(run.app.db.read(), ids).await?;
    let pairs: Vec<_> =
        files.iter().filter_map(|file| Some((documents.get(&file.document_id)?, file))).collect();
    let described = attributes::describe(run, &pairs).await?;
    let changed =
        pairs.iter().zip(described).filter(|((_, file), now)| file.attributes != serde_json::json!(now));
    Ok(changed.map(|((document, _), _)| document.id).collect())
}

/// Gives candidates up: they retire, and their documents are tried again later; what was live stays live.
pub async fn give_up(run: &Run, candidates: &[(file::Model, Failure)]) -> Result<(), Stop> {
    for some in candidates.chunks(400) {
        let now = run.now();
        let tx = run.begin().await?;
        let mut lines = Vec::new();
        for (file, failure) in some {
            files::retire(&tx, &[file.id], failure.reason, now).await?;
            outcomes::failed(&tx, &[file.document_id], failure, now).await?;
            lines.push(Line {
                reason: Some(failure.reason.to_owned()),
                ..Line::of(file.document_id, ChangeKind::Create, ChangeOutcome::Failed)
            });
        }
        store::changes::add(&tx, run.sync(), lines, now).await?;
        run.count(some.len(), |counts| counts.failed += some.len() as u64);
        run.commit(tx).await?;
    }
    Ok(())
}
