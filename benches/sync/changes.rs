//! Ticks over what a first sync brought in: nothing changed, then a little; and a look at its documents.

use crate::{bare, first, listing, service::Service, table::Row};

const EDITS: usize = 10;
const DELETIONS: usize = 5;

/// A first sync, an unchanged tick, a tick with some changes, a listing.
pub async fn measure(pages: usize) -> anyhow::Result<Vec<Row>> {
    let (service, mut rows) = first::without_latency(pages).await?;
    rows.extend(unchanged(&service, pages as u64).await?);
    rows.extend(changed(&service, pages).await?);
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
