//! Writes changed attributes to files that stay as they are: a move costs one call and no indexing.

use futures_util::{StreamExt, stream};

use super::{
    attributes, restrictions,
    run::Run,
    stop::Stop,
    store::{self, changes::Line, documents::Item, files, outcomes},
};
use crate::{
    entity::{
        change::{ChangeKind, ChangeOutcome},
        document::Work,
    },
    openai::{self, Attributes},
};

/// Files described in one run: attributes come last, and the rest waits for the next.
const MOST: u64 = 1_000;
/// Files described together.
const GROUP: u64 = 100;
/// Calls at once.
const AT_ONCE: usize = 4;

/// What became of one description.
enum Described {
    Same,
    Written,
    /// The file is no longer in the store.
    Lost,
}

/// Brings the attributes of live files up to date.
pub async fn describe(run: &Run) -> Result<(), Stop> {
    let mut after = None;
    let mut left = MOST;
    while left > 0 && !run.is_halted() {
        let (source, limit) = (run.source().id, GROUP.min(left));
        let items =
            store::documents::to_do(run.app.db.read(), source, Work::Metadata, after, limit, run.now())
                .await?;
        let Some(last) = items.last() else { return Ok(()) };
        after = Some(last.document.id);
        left -= items.len() as u64;
        describe_group(run, items).await?;
    }
    Ok(())
}

async fn describe_group(run: &Run, items: Vec<Item>) -> Result<(), Stop> {
    let items = restrictions::readable(run, items).await?;
    let pairs: Vec<_> = items.iter().filter_map(|item| Some((&item.document, item.live.as_ref()?))).collect();
    let wanted = attributes::describe(run, &pairs).await?;
    let results: Vec<(usize, Result<Described, openai::Error>)> = stream::iter(0..pairs.len())
        .map(|at| {
            let (file, attributes) = (pairs[at].1, &wanted[at]);
            async move { (at, write(run, file, attributes).await) }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let now = run.now();
    let mut lines = Vec::new();
    let (mut done, mut trouble) = (0, None);
    let tx = run.begin().await?;
    for (at, result) in results {
        let ((document, file), attributes) = (pairs[at], &wanted[at]);
        match result {
            Ok(Described::Same) => {
                done += 1;
                files::described(&tx, file.id, file.attributes.clone(), document.id).await?;
            }
            Ok(Described::Written) => {
                done += 1;
                files::described(&tx, file.id, serde_json::json!(attributes), document.id).await?;
                lines.push(Line::of(document.id, ChangeKind::Metadata, ChangeOutcome::Metadata));
            }
            Ok(Described::Lost) => {
                files::retire(&tx, &[file.id], "not_in_store", now).await?;
                outcomes::lost(&tx, document.id, now).await?;
            }
            Err(error) => trouble = Some(error),
        }
    }
    run.count(done, |counts| counts.metadata += lines.len() as u64);
    store::changes::add(&tx, run.sync(), lines, now).await?;
    run.commit(tx).await?;
    trouble.map_or(Ok(()), |error| Err(error.into()))
}

async fn write(
    run: &Run,
    file: &crate::entity::file::Model,
    attributes: &Attributes,
) -> Result<Described, openai::Error> {
    let Some(openai_id) =
        file.openai_file_id.as_ref().filter(|_| file.attributes != serde_json::json!(attributes))
    else {
        return Ok(Described::Same);
    };
    match run.openai.update_attributes(&run.store, openai_id, attributes).await {
        Ok(_) => Ok(Described::Written),
        Err(error) if error.is_not_found() => {
            run.openai.store(&run.store).await?;
            Ok(Described::Lost)
        }
        Err(error) => Err(error),
    }
}
