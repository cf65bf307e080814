//! Asks for a sync and shows how far it is until it has ended.

use std::time::Duration;

use anyhow::ensure;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::api::{Api, remark, text};

/// Asks for a sync of the source and answers it once it has ended.
pub async fn run_sync(api: &Api, source: &str) -> anyhow::Result<Value> {
    let asked = api.post(&format!("/v1/sources/{source}/syncs"), json!({"mode": "delta"})).await?;
    let path = format!("/v1/syncs/{}", text(&asked, "id")?);
    let bar = ProgressBar::new(1);
    bar.set_style(ProgressStyle::with_template("    {bar:40.cyan/black} {pos}/{len} {msg}")?);
    let mut polls = 0;
    let ended = loop {
        let sync = api.poll(&path).await?;
        polls += 1;
        // An empty bar until it is known how much there is.
        bar.set_length(sync["total"].as_u64().unwrap_or(0).max(1));
        bar.set_position(sync["done"].as_u64().unwrap_or(0));
        bar.set_message(sync["step"].as_str().unwrap_or_default().to_owned());
        match text(&sync, "status")? {
            "queued" | "running" => tokio::time::sleep(Duration::from_millis(100)).await,
            _ => break sync,
        }
    };
    bar.finish_and_clear();
    remark(&format!("GET {path}, asked {polls} times, ended as {}:", text(&ended, "status")?));
    remark(&format!("  {}", ended["counts"]));
    ensure!(ended["problem"].is_null(), "the sync met a problem: {}", ended["problem"]);
    Ok(ended)
}
