//! Syncs a whole corpus of bodies and accounts for every page of it.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::{
    api::{all, chapter, remark, text},
    progress,
    story::{connect, create_source},
    world::World,
};

/// Loads every space of the simulated wiki and fails unless each page of `file` is live or skipped with a reason.
pub async fn sync(world: &World, file: &Path) -> anyhow::Result<()> {
    let bodies = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let expected = bodies.lines().filter(|line| !line.trim().is_empty()).count();

    let api = &world.api;
    let connection = connect(world).await?;
    chapter("2  Pick every space");
    let sites = api.get(&format!("/v1/connections/{connection}/sites")).await?;
    let site = text(&sites["items"][0], "id")?.to_owned();
    let spaces = all(api, &format!("/v1/connections/{connection}/sites/{site}/spaces")).await?;
    let selections: Value =
        spaces.iter().map(|space| json!({"kind": "space", "id": space["id"], "mode": "include"})).collect();
    let (source, _) = create_source(api, &connection, &site, &selections).await?;

    chapter(&format!("3  Load {expected} pages"));
    progress::run_sync(api, &source.id).await?;
    let documents = all(api, &format!("/v1/sources/{}/documents?limit=200", source.id)).await?;
    report(&documents, expected)
}

fn report(documents: &[Value], expected: usize) -> anyhow::Result<()> {
    chapter("4  Every page, live or skipped with a reason");
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    let mut unexplained = 0;
    for document in documents {
        let state = text(document, "state")?;
        *states.entry(state).or_default() += 1;
        let reason = document["reason"].as_str().unwrap_or_default();
        if state != "live" {
            let message = document["message"].as_str().unwrap_or_default();
            remark(&format!("  {state} ({reason}): “{}”. {message}", text(document, "title")?));
        }
        if state != "live" && (state != "skipped" || reason.is_empty()) {
            unexplained += 1;
        }
    }
    remark(&format!("{} pages: {states:?}", documents.len()));
    ensure!(unexplained == 0, "{unexplained} pages are neither live nor skipped with a reason");
    ensure!(documents.len() >= expected, "the corpus has {expected} pages, only {} arrived", documents.len());
    Ok(())
}
