//! Ticks over what a first sync brought in: nothing changed, then a little, then a reconcile; and a look at its documents.

use tidegate::{
    engine::tick,
    entity::reconcile::{ReconcileKind, ReconcileTrigger},
    reconciles::store::{self as reconciles, Requested},
};

use crate::{bare, first, listing, service::Service, table::Row};

const EDITS: usize = 10;
const DELETIONS: usize = 5;

/// A first sync, an unchanged tick, a tick with some changes, a reconcile, a listing.
pub async fn measure(pages: usize) -> anyhow::Result<Vec<Row>> {
    let (service, mut rows) = first::without_latency(pages).await?;
    rows.extend(unchanged(&service, pages as u64).await?);
    rows.extend(changed(&service, pages).await?);
    rows.extend(reconciled(&service, (pages - DELETIONS) as u64).await?);
    rows.extend(listing::measure(&service, pages).await?);
    rows.extend(bare::measure(&service, pages).await?);
    Ok(rows)
}

async fn unchanged(service: &Service, pages: u64) -> anyhow::Result<Vec<Row>> {
    let took = service.tick_later().await?;
    let calls = service.wiki.calls().await?;
    let listings = pages.div_ceil(250);
    Ok(vec![
        Row::at_most(
            format!("unchanged tick over {pages} pages: requests to Confluence"),
            calls.confluence(),
            listings + 5,
        )
        .floor(format!("1 + ⌈N/250⌉ = {}", listings + 1)),
        Row::at_most("… bodies", calls.bodies, 0).floor("0"),
        Row::at_most("… calls to OpenAI", calls.openai(), 0).floor("0"),
        Row::new("… duration, CPU of service and simulator", first::times(took)),
    ])
}

async fn changed(service: &Service, pages: usize) -> anyhow::Result<Vec<Row>> {
    let ids = service.wiki.pages().await?;
    // Leaves: the wiki does not trash what is below a page with it.
    for (at, id) in ids.iter().rev().take(EDITS + DELETIONS).enumerate() {
        if at < EDITS {
            service.wiki.edit(id, &format!("<p>Edited {id}.</p>")).await?;
        } else {
            service.wiki.trash(id).await?;
        }
    }
    service.wiki.calls().await?;
    let took = service.tick_later().await?;
    let calls = service.wiki.calls().await?;
    let deletes: u64 =
        calls.operations.iter().filter(|(name, _)| name.starts_with("DELETE ")).map(|(_, count)| count).sum();
    let batches = calls.of("POST /v1/vector_stores/{store}/file_batches");
    let retired = (EDITS + DELETIONS) as u64;
    let uploads = calls.of("POST /v1/files");
    Ok(vec![
        Row::at_most(
            format!("{EDITS} edits, {DELETIONS} deletions of {pages}: requests for bodies"),
            calls.body_requests,
            1,
        )
        .floor("⌈c/50⌉ = 1"),
        Row::new("… uploads", uploads.to_string())
            .floor(format!("c = {EDITS}"))
            .target(format!("{EDITS}"), uploads == EDITS as u64),
        Row::at_most("… batches", batches, 1).floor("⌈c/500⌉ = 1"),
        Row::new(
            "… polls and other calls to OpenAI",
            (calls.openai() - uploads - batches - deletes).to_string(),
        )
        .floor("a few"),
        Row::new("… deletes", deletes.to_string())
            .floor(format!("2(c+r) = {}", 2 * retired))
            .target(format!("{}", 2 * retired), deletes == 2 * retired),
        Row::new("… duration, CPU of service and simulator", first::times(took)),
    ])
}

async fn reconciled(service: &Service, files: u64) -> anyhow::Result<Vec<Row>> {
    let app = &service.app;
    let (kind, trigger) = (ReconcileKind::Reconcile, ReconcileTrigger::Manual);
    let wanted = reconciles::queued(&service.knowledge_base, kind, trigger, false, app.clock.now());
    let Requested::Queued(row) = reconciles::request(&app.db, wanted).await? else {
        anyhow::bail!("another reconcile is under way");
    };
    tick::reconcile_stores(app).await?;
    let done = reconciles::find(app.db.read(), row.workspace_id, row.id).await?;
    anyhow::ensure!(done.is_some_and(|row| row.finished_at.is_some()), "the reconcile did not end");
    let calls = service.wiki.calls().await?;
    let lists = files.div_ceil(100);
    Ok(vec![
        Row::at_most(format!("reconcile of {files} files: calls to OpenAI"), calls.openai(), lists + 5)
            .floor(format!("⌈N/100⌉ = {lists}")),
    ])
}
